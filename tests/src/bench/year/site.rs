//! The site of the year: 20 hosts, and 5 groups of agents with different work.

use std::time::Duration;

/// Agents; with 30 s between beats there is always one within 150 ms, so that the core is never frozen.
pub(super) const AGENTS: usize = 200;
const AGENTS_OF_HOST: usize = 10;
pub(super) const HOSTS: usize = AGENTS / AGENTS_OF_HOST;
pub(super) const INTERVAL_MS: u64 = 30_000;

pub(super) const SECOND_MS: u64 = 1_000;
pub(super) const MINUTE_MS: u64 = 60 * SECOND_MS;
pub(super) const HOUR_MS: u64 = 60 * MINUTE_MS;
pub(super) const DAY_MS: u64 = 24 * HOUR_MS;

/// When the tasks of a group's agents come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arrivals {
    /// At random, so many a second on average.
    Random(f64),
    /// The same on working days from 9 to 17.
    OfficeHours(f64),
    /// In bursts of 2 to 15 minutes, with so much time between two on average, in which tasks come at random.
    Bursts { every: Duration, rate: f64 },
}

/// A group of agents that do the same work, and call the same upstream service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) arrivals: Arrivals,
    /// Median of its latencies, in microseconds, where nothing is wrong.
    pub(super) usual_us: f64,
    /// Its agents run below a supervisor, which reports how they end.
    pub(super) is_supervised: bool,
}

pub(super) const GROUPS: [Group; 5] = [
    Group {
        name: "mail",
        arrivals: Arrivals::Random(2.0 / 60.0),
        usual_us: 4e6,
        is_supervised: false,
    },
    Group {
        name: "report",
        arrivals: Arrivals::Random(1.0 / 3_600.0),
        usual_us: 6e7,
        is_supervised: false,
    },
    Group { name: "ingest", arrivals: Arrivals::Random(50.0), usual_us: 8e4, is_supervised: true },
    Group {
        name: "crawl",
        arrivals: Arrivals::Bursts { every: Duration::from_secs(5_400), rate: 20.0 / 60.0 },
        usual_us: 2e6,
        is_supervised: false,
    },
    Group {
        name: "desk",
        arrivals: Arrivals::OfficeHours(2.0 / 60.0),
        usual_us: 6e6,
        is_supervised: false,
    },
];

/// Returns the number of an agent's group: each host has two agents of each.
pub(super) const fn group_of(agent: usize) -> usize {
    agent % GROUPS.len()
}

/// Returns the number of an agent's host.
pub(super) const fn host_of(agent: usize) -> usize {
    agent / AGENTS_OF_HOST
}

pub(super) fn agents_of_group(group: usize) -> impl Iterator<Item = usize> {
    (0..AGENTS).filter(move |&agent| group_of(agent) == group)
}

pub(super) fn agents_of_host(host: usize) -> impl Iterator<Item = usize> {
    (0..AGENTS).filter(move |&agent| host_of(agent) == host)
}

pub(super) fn agent_name(agent: usize) -> String {
    format!("{}.{agent}", GROUPS[group_of(agent)].name)
}

/// Returns the agent of that name.
pub(super) fn agent_number(name: &str) -> usize {
    let number = name.rsplit_once('.').and_then(|(_, number)| number.parse().ok());
    number.expect("all names end with a number")
}

/// Hours of the day at which people of an office begin and end.
pub(super) const OFFICE_HOURS: [u64; 2] = [9, 17];

/// Returns whether people of an office are at work.
pub(super) const fn is_office_hour(at_ms: u64) -> bool {
    let (hour, [from, until]) = (at_ms / HOUR_MS % 24, OFFICE_HOURS);
    is_working_day(at_ms / DAY_MS) && hour >= from && hour < until
}

/// Returns whether a day of the year is none of a week-end; the year begins on a Monday.
pub(super) const fn is_working_day(day: u64) -> bool {
    day % 7 < 5
}
