//! The collector's own health in lines, for the command line and the terminal app.

use std::time::Duration;

use super::{age, count, format_duration, latency, size, timestamp_s};
use crate::age_ms;
use crate::message::{
    CollectorHealth, HistoryHealth, LossCount, QueueHealth, SinkReport, WatchdogHealth,
};

/// A line: what it is about, and what there is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthLine {
    /// Empty where the line goes on with what the one before is about.
    pub label: &'static str,
    pub text: String,
    /// It tells of trouble.
    pub is_bad: bool,
}

/// Part of a queue from which on it is trouble.
const FULL_PERCENT: u64 = 80;

/// Returns everything about the collector, what matters most first.
pub fn collector_lines(health: &CollectorHealth) -> Vec<HealthLine> {
    let mut lines = Lines(Vec::new());
    lines.add("collector", program(health));
    match health.doubts.as_slice() {
        [] => lines.add("doubts", "none: it sees and keeps what happens".to_owned()),
        doubts => doubts.iter().for_each(|doubt| lines.add_bad("doubts", doubt.clone())),
    }
    lines.add_watchdog(health);
    lines.add_sinks(health);
    lines.add_loop(health);
    let last_minute: u64 = health.losses.iter().map(|it| it.last_minute).sum();
    let losses: Vec<&LossCount> = health.losses.iter().filter(|it| it.total > 0).collect();
    if losses.is_empty() {
        lines.add("lost", "nothing dropped, refused or shed since its start".to_owned());
    } else if last_minute == 0 {
        lines.add("lost", "nothing in the last minute".to_owned());
    }
    for LossCount { label, last_minute, total, .. } in losses {
        let (total, recent) = (count(*total), count(*last_minute));
        let text = format!("{label}: {total} since its start, {recent} in the last minute");
        lines.push("lost", text, *last_minute > 0);
    }
    for queue in &health.queues {
        let is_full = queue.capacity.is_some_and(|most| queue.depth * 100 >= most * FULL_PERCENT);
        lines.push("queues", queue_text(queue), is_full);
    }
    lines.add_places(health);
    lines.0
}

fn program(health: &CollectorHealth) -> String {
    let up = age(age_ms(health.started_ms, health.at_ms));
    let memory = health.memory.map(|bytes| format!(", {} of memory", size(bytes)));
    format!(
        "{} {}, process {}, up {up}{}",
        health.host,
        health.version,
        health.pid,
        memory.unwrap_or_default()
    )
}

fn queue_text(queue: &QueueHealth) -> String {
    let QueueHealth { name, unit, depth, capacity } = queue;
    let amount = |n: u64| match unit.as_str() {
        "bytes" => size(n),
        _ => count(n),
    };
    let unit = if unit == "bytes" { "" } else { unit };
    let text = match capacity {
        Some(most) => format!("{name}: {} of {} {unit}", amount(*depth), amount(*most)),
        None => format!("{name}: {} {unit}", amount(*depth)),
    };
    text.trim_end().to_owned()
}

/// Lines under way. A label stands on the first of its lines alone.
struct Lines(Vec<HealthLine>);

impl Lines {
    fn push(&mut self, label: &'static str, text: String, is_bad: bool) {
        let before = self.0.iter().rev().map(|line| line.label).find(|label| !label.is_empty());
        let label = if before == Some(label) { "" } else { label };
        self.0.push(HealthLine { label, text, is_bad });
    }

    fn add(&mut self, label: &'static str, text: String) {
        self.push(label, text, false);
    }

    fn add_bad(&mut self, label: &'static str, text: String) {
        self.push(label, text, true);
    }

    fn add_watchdog(&mut self, health: &CollectorHealth) {
        let Some(watchdog) = &health.watchdog else {
            let none =
                "none: nobody is told when this collector dies ([watchdog] of its config file)";
            return self.add("watchdog", none.to_owned());
        };
        let WatchdogHealth { target, every_ms, taken, failed, last } = watchdog;
        let every = format_duration(Duration::from_millis(*every_ms));
        let text = format!("{target} every {every}: {taken} pings taken, {failed} failed");
        self.add("watchdog", text);
        if let Some(last) = last {
            let (ago, kind) = (age(age_ms(last.at_ms, health.at_ms)), last.kind.name());
            let text = format!("last {ago} ago ({kind}): {}", last.answer);
            self.push("watchdog", text, !last.is_taken);
        }
    }

    fn add_sinks(&mut self, health: &CollectorHealth) {
        for SinkReport { name, kind, broken, pending, delivered, lost, .. } in &health.sinks {
            let why = broken.as_ref().map_or_else(String::new, |why| format!("; broken: {why}"));
            let text = format!(
                "{name} ({kind}): {pending} pending, {delivered} delivered, {lost} lost{why}"
            );
            self.push("sinks", text, broken.is_some());
        }
    }

    fn add_loop(&mut self, health: &CollectorHealth) {
        let ticks = &health.ticks;
        let late = ticks
            .last_late_ms
            .map(|at_ms| format!(" (the last one {} ago)", age(age_ms(at_ms, health.at_ms))));
        self.add(
            "ticks",
            format!(
                "{}, the last after {} ms, the longest after {} ms; {} late{}",
                count(ticks.count),
                ticks.last_ms,
                ticks.longest_ms,
                count(ticks.late),
                late.unwrap_or_default()
            ),
        );
        if let HistoryHealth::Paused(why) = &health.history {
            self.add_bad("history", format!("paused: {why}"));
        }
        let commits = &health.commits;
        self.add(
            "history",
            match commits.age_ms {
                None => "nothing committed yet".to_owned(),
                Some(ago) => format!(
                    "{} commits, the last {} ago in {}, the longest in {}",
                    count(commits.count),
                    age(ago),
                    latency(commits.last_us),
                    latency(commits.longest_us)
                ),
            },
        );
        let clock = &health.clock;
        self.add(
            "clock",
            match clock.last_step_at_ms {
                None => "not set since its start".to_owned(),
                Some(at_ms) => format!(
                    "steps {}, the last at {} by {} {}",
                    clock.steps,
                    timestamp_s(at_ms),
                    age(clock.last_step_by_ms.unsigned_abs()),
                    if clock.last_step_by_ms < 0 { "back" } else { "ahead" }
                ),
            },
        );
    }

    fn add_places(&mut self, health: &CollectorHealth) {
        match &health.disk {
            Some(disk) => self.push(
                "disk",
                format!(
                    "{} free of {}; history pauses at {}",
                    size(disk.free),
                    size(disk.size),
                    size(disk.reserve)
                ),
                disk.free <= 2 * disk.reserve,
            ),
            None => self.add_bad("disk", "that of the data directory does not answer".to_owned()),
        }
        let files: Vec<String> =
            health.files.iter().map(|it| format!("{} {}", it.name, size(it.bytes))).collect();
        if !files.is_empty() {
            self.add("disk", files.join(", "));
        }
        let (open, most) = (health.operators, health.operators_max);
        self.push("operators", format!("{open} of {most} connections"), open >= most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn text(health: &CollectorHealth) -> String {
        let line = |it: &HealthLine| {
            format!("{}{:<10} {}\n", if it.is_bad { "!" } else { " " }, it.label, it.text)
        };
        collector_lines(health).iter().map(line).collect()
    }

    #[test]
    fn everything_known_of_the_collector_is_said_and_trouble_is_marked() {
        let calm = CollectorHealth {
            doubts: Vec::new(),
            watchdog: None,
            sinks: Vec::new(),
            losses: Vec::new(),
            ..sample::collector_health()
        };
        insta::assert_snapshot!(format!("{}\n{}", text(&sample::collector_health()), text(&calm)));
    }
}
