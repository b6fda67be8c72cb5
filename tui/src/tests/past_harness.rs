//! A collector whose answers about the past are computed from the sample fleet.

use heartline_operator::client::AccessMode;
use heartline_operator::message::*;
use heartline_operator::sample::{self, NOW_MS};
use heartline_vocabulary::{AgentStatus, GapCause, Reason};

use super::harness::AppHarness;
use crate::options::TuiConfig;
use crate::update::{AppEffect, AppEvent};

pub(super) const MINUTE: i64 = 60_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;
const FIRST_MS: i64 = NOW_MS - 40 * DAY;
/// The collector did not run then.
const GAP: (i64, i64) = (NOW_MS - 20 * MINUTE, NOW_MS - 17 * MINUTE);

const CLOCK_STEP: ClockStep = ClockStep { at_ms: NOW_MS - 40 * MINUTE, by_ms: -90_000 };

/// The outages of the past, by number: agent, begin, end.
pub(super) fn outage_times() -> Vec<(i64, &'static str, i64, Option<i64>)> {
    vec![
        (3, "inventory-sync", NOW_MS - 30 * DAY, Some(NOW_MS - 30 * DAY + 90_000)),
        (5, "report-generator", NOW_MS - 2 * HOUR, Some(NOW_MS - 2 * HOUR + 13 * MINUTE)),
        (6, "email-responder", NOW_MS - 35 * MINUTE - 7_200, Some(NOW_MS - 35 * MINUTE - 5_700)),
        (7, "report-generator", NOW_MS - 6 * MINUTE - 12_000, None),
    ]
}

fn outages() -> Vec<Outage> {
    let worst = |id| match id {
        6 => AgentStatus::degraded(Reason::Late),
        3 => AgentStatus::degraded(Reason::Stalled),
        _ => AgentStatus::unreachable(Reason::Silent),
    };
    let of = |(id, agent, start_ms, end_ms): (i64, &str, i64, Option<i64>)| Outage {
        id,
        agent: agent.to_owned(),
        start_ms,
        end_ms,
        worst: worst(id),
        notes: Vec::new(),
        ..sample::outages()[0].clone()
    };
    outage_times().into_iter().map(of).collect()
}

/// Answers as a collector would.
pub(super) fn answer(agents: &[AgentEntry], now_ms: i64, request: &Request) -> Reply {
    match request {
        Request::Moment { at_ms } => Reply::Moment(MomentInfo {
            at_ms: *at_ms,
            first_ms: Some(FIRST_MS),
            gap: (GAP.0..GAP.1).contains(at_ms).then_some(PastGap {
                from_ms: GAP.0,
                to_ms: GAP.1,
                cause: GapCause::Down,
            }),
            agents: 20,
        }),
        Request::Timeline(query) => Reply::Timeline(Box::new(timeline(agents, now_ms, query))),
        Request::Outages(query) => {
            let mut found: Vec<Outage> = outages();
            found.retain(|it| {
                query.since_ms.is_none_or(|since| it.end_ms.is_none_or(|end| end > since))
                    && query.until_ms.is_none_or(|until| it.start_ms < until)
                    && query.agent.as_ref().is_none_or(|agent| *agent == it.agent)
                    && query.after.is_none_or(|after| it.id > after)
                    && query.before.is_none_or(|before| it.id < before)
            });
            if query.order == EventOrder::NewestFirst {
                found.reverse();
            }
            Reply::Outages { outages: found, next: None }
        }
        Request::Past { at_ms, with_work, .. } => {
            let past = |entry: &AgentEntry| PastAgent {
                id: entry.id,
                agent: entry.agent.clone(),
                identity: entry.identity.clone(),
                status: status_at(&entry.agent, *at_ms),
                since_ms: at_ms - HOUR,
                starts: 1,
                work: if *with_work { entry.work.clone() } else { RecentWork::default() },
            };
            let agents = agents.iter().map(past).collect();
            let Reply::Moment(moment) = answer(&[], now_ms, &Request::Moment { at_ms: *at_ms })
            else {
                unreachable!()
            };
            let work = match with_work {
                true if *at_ms < now_ms - 2 * DAY => PastWork::HourOf,
                true => PastWork::HourUntil,
                false => PastWork::NotRead,
            };
            Reply::Past(PastFleet { at_ms: *at_ms, gap: moment.gap, work, agents })
        }
        Request::Events(query) => {
            let mut events = sample::events();
            events.retain(|event| query.until_ms.is_none_or(|until| event.at_ms < until));
            Reply::Events { events, next: None }
        }
        Request::AgentHistory(_) => Reply::AgentHistory(Box::new(sample::agent_history())),
        other => panic!("not expected: {other:?}"),
    }
}

fn status_at(agent: &str, at_ms: i64) -> AgentStatus {
    let is_out = |it: &&(i64, &str, i64, Option<i64>)| {
        it.1 == agent && it.2 <= at_ms && it.3.is_none_or(|end_ms| at_ms < end_ms)
    };
    match outage_times().iter().find(is_out) {
        Some(it) => outages().into_iter().find(|outage| outage.id == it.0).unwrap().worst,
        None if agent == "scraper-eu" && at_ms > NOW_MS - 24 * MINUTE => {
            AgentStatus::killed(Reason::Operator)
        }
        None => AgentStatus::HEALTHY,
    }
}

/// Paints cells by looking at every tenth of them, or at each second.
fn timeline(agents: &[AgentEntry], now_ms: i64, query: &TimelineQuery) -> Timeline {
    let step_ms = (query.cell_ms / 60).max(500);
    let cell = |ids: &[heartline_vocabulary::AgentRowId], at: u32| {
        let mut sum = TimelineCell::default();
        let begin_ms = query.from_ms + i64::from(at) * query.cell_ms;
        for entry in agents.iter().filter(|entry| ids.contains(&entry.id)) {
            let mut one = TimelineCell::default();
            let mut at_ms = begin_ms.max(FIRST_MS);
            while at_ms < (begin_ms + query.cell_ms).min(now_ms) {
                let ms = step_ms.cast_unsigned();
                let status = status_at(&entry.agent, at_ms);
                let mut part = TimelineCell::default();
                if (GAP.0..GAP.1).contains(&at_ms) {
                    part.unobserved_ms = ms;
                } else {
                    (part.worst, part.worst_agents) = (Some(status), 1);
                    match precedence(status) {
                        1 => part.up_ms = ms,
                        5 | 6 => part.bad_ms = ms,
                        _ => part.other_ms = ms,
                    }
                }
                one.add(&part);
                one.worst_agents = one.worst_agents.min(1);
                at_ms += step_ms;
            }
            sum.add(&one);
        }
        sum
    };
    let row = |ids: &Vec<heartline_vocabulary::AgentRowId>| {
        let mut row = TimelineRow::default();
        (0..query.cells).for_each(|at| row.push(cell(ids, at)));
        row
    };
    let calm = agents.iter().find(|entry| entry.agent == "ticket-triage").unwrap().id;
    Timeline {
        from_ms: query.from_ms,
        cell_ms: query.cell_ms,
        now_ms,
        first_ms: Some(FIRST_MS),
        rows: query.rows.iter().map(row).collect(),
        collector: row(&vec![calm]),
        clock_steps: vec![CLOCK_STEP],
    }
}

/// The app, whose questions about the past are answered.
pub(super) struct TimelineHarness(pub AppHarness);

impl TimelineHarness {
    pub(super) fn new(size: (u16, u16)) -> Self {
        Self::with(size, &TuiConfig::default())
    }

    pub(super) fn with(size: (u16, u16), config: &TuiConfig) -> Self {
        let mut app = Self(AppHarness::unconnected(size, config));
        let effects = app.0.connect(AccessMode::Control);
        app.answer_all(effects);
        app
    }

    pub(super) fn now_ms(&self) -> i64 {
        NOW_MS + i64::try_from(self.0.now_ms).unwrap() - 10_000
    }

    /// Answers every question, until there are no more; returns the other effects, and the number of answers.
    pub(super) fn answer_all(&mut self, effects: Vec<AppEffect>) -> (Vec<AppEffect>, usize) {
        let (mut rest, mut questions, mut answered) = (Vec::new(), effects, 0);
        while let Some(effect) = questions.pop() {
            match effect {
                AppEffect::RequestHistory(question) => {
                    let reply = answer(&self.0.agents, self.now_ms(), &question.request);
                    let purpose = question.purpose;
                    let event = AppEvent::HistoryAnswered { purpose, result: Ok(reply) };
                    questions.extend(self.0.send(event));
                    answered += 1;
                    assert!(answered < 200, "it asks without end");
                }
                other => rest.push(other),
            }
        }
        (rest, answered)
    }

    pub(super) fn keys(&mut self, keys: &str) -> (Vec<AppEffect>, usize) {
        let (mut rest, mut count) = (Vec::new(), 0);
        for key in keys.split_whitespace() {
            let effects = self.0.keys(key);
            let (effects, answered) = self.answer_all(effects);
            rest.extend(effects);
            count += answered;
        }
        (rest, count)
    }

    /// Lets the cursor rest, until all that is wanted then has come.
    pub(super) fn rest(&mut self) {
        self.0.now_ms += 300;
        let effects = self.0.send(AppEvent::Wake);
        self.answer_all(effects);
    }

    pub(super) fn type_text(&mut self, text: &str) {
        let effects = self.0.type_text(text);
        self.answer_all(effects);
    }

    pub(super) fn instant(&self) -> Option<i64> {
        self.0.state.travel.instant_ms()
    }

    pub(super) fn screen(&self) -> String {
        self.0.screen()
    }
}
