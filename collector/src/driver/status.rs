//! The collector's own status.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use heartline_fleet::{Agent, MonoTime};
use heartline_operator::message::{AlertSummary, CollectorStatus};
use heartline_vocabulary::ScopeKind;

use super::Driver;
use super::roster::missing_banner;
use crate::serve::ConnectionCounterCells;

/// Facts about the collector itself.
#[derive(Clone, Debug, Default)]
pub struct CollectorInfo {
    /// In ms of Unix time.
    pub started_ms: i64,
    pub host: String,
    /// Of the token that agents of the same user find.
    pub token_file: String,
    /// Sentences that every operator must see.
    pub banners: Vec<String>,
    /// Why `control.db` can't be written at the moment.
    pub control_paused: Option<String>,
    /// What is wrong at the moment, by what it is about: sentences, as the banners are.
    pub conditions: BTreeMap<&'static str, String>,
    /// Kept by the operators' server.
    pub connections: Arc<ConnectionCounterCells>,
}

impl CollectorInfo {
    /// Takes what is wrong at the moment; logs what is new.
    pub(super) fn set_condition(&mut self, about: &'static str, sentence: Option<String>) {
        match sentence {
            Some(sentence) => {
                if self.conditions.get(about) != Some(&sentence) {
                    tracing::warn!("{sentence}");
                    self.conditions.insert(about, sentence);
                }
            }
            None => {
                if self.conditions.remove(about).is_some() {
                    tracing::info!("{about}: all is well again");
                }
            }
        }
    }
}

/// Live beats a second, over the last few seconds.
#[derive(Debug)]
pub(super) struct BeatRate {
    since: MonoTime,
    count: u64,
    per_second: f32,
}

/// How long beats are counted for one figure.
const WINDOW: Duration = Duration::from_secs(5);

impl BeatRate {
    pub(super) fn new(now: MonoTime) -> Self {
        Self { since: now, count: 0, per_second: 0.0 }
    }

    /// Updates the rate by the number of live beats so far.
    pub(super) fn update(&mut self, count: u64, now: MonoTime) {
        let span = now.since(self.since);
        if span >= WINDOW {
            self.per_second = ((count - self.count) as f64 / span.as_secs_f64()) as f32;
            (self.since, self.count) = (now, count);
        }
    }
}

impl Driver {
    /// Says what was shed because the disk did not keep up, if anything was.
    fn shed_banner(&self) -> Option<String> {
        let (work, rows) = (self.fleet.work_shed(), self.store.shed_rows());
        (work + rows > 0).then(|| {
            format!(
                "the disk did not keep up: {work} times an agent was asked to send its work again \
                 (nothing of it is lost), and {rows} details were left out of history"
            )
        })
    }

    /// Names the scopes that register too many agents, and reports that are not believed.
    fn report_banners(&self, now: MonoTime) -> Vec<String> {
        let refused = self.fleet.refused_registrations(now).map(|(scope, count)| {
            format!(
                "the tokens of scope \"{scope}\" bring too many new agents: {count} datagrams of \
                 such were refused ([limits] new_agents_per_minute)"
            )
        });
        let unbelieved = self.fleet.implausible_reports();
        let unbelieved = (unbelieved > 0).then(|| {
            format!(
                "{unbelieved} beats reported commands that are numbered far above this collector's; \
                 they were not believed: a key may be misused"
            )
        });
        refused.chain(unbelieved).collect()
    }

    /// Names the agents that send more than their budget, if any do.
    fn flooding_banner(&self, now: MonoTime) -> Option<String> {
        let names: Vec<&str> = self.fleet.flooding_agents(now).map(Agent::name).collect();
        let (first, rest) = (names.first()?, names.len() - 1);
        let who = match rest {
            0 => format!("{first} sends"),
            _ => format!("{first} and {rest} more agents send"),
        };
        Some(format!(
            "{who} far more beats than the interval allows, and what is beyond is not judged: a loop in \
             the agent, or somebody else with its token"
        ))
    }

    /// Names the budgets that are for no agent, if there are any.
    fn unmatched_budgets_banner(&self) -> Option<String> {
        let names: Vec<&str> = self.fleet.unmatched_budgets().collect();
        let budgets = if names.len() == 1 { "the budget" } else { "the budgets" };
        (!names.is_empty()).then(|| {
            let names = names.join(", ");
            format!("{budgets} {names}: no agent is of this kind, so that nothing is limited")
        })
    }

    /// Says that texts of identities are no longer shared, if that is so.
    fn unshared_banner(&self) -> Option<String> {
        let unshared = self.fleet.unshared_identities();
        (unshared > 0).then(|| {
            format!(
                "agents report so many different labels that {unshared} of their texts are kept more \
                 than once, which takes more memory"
            )
        })
    }

    fn alert_summary(&self) -> AlertSummary {
        let unacknowledged = self.fleet.incidents().filter(|it| it.acknowledged.is_none());
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        AlertSummary {
            open: count(self.fleet.incidents().count()),
            unacknowledged: count(unacknowledged.count()),
            silences: count(self.fleet.silences()),
        }
    }

    /// Says which sinks take no notices, and why.
    fn sink_banners(&self) -> impl Iterator<Item = String> {
        let broken = self.fleet.incidents().filter(|it| it.scope.kind == ScopeKind::Sink);
        broken.map(|incident| {
            let (sink, why) = (&incident.scope.name, incident.remark.as_deref().unwrap_or("?"));
            format!("the sink {sink} takes no alerts: {why}; `heartline alerts` tells more")
        })
    }

    pub(super) fn status(&self, now: MonoTime) -> CollectorStatus {
        let (summary, counters) = (self.fleet.state_counts(), self.fleet.counters());
        let paused = self.info.control_paused.iter();
        let paused = paused.map(|why| format!("new agents can't be stored: {why}"));
        let doubts = self.self_check.doubts.iter().cloned();
        let limits = [
            self.shed_banner(),
            self.flooding_banner(now),
            self.unshared_banner(),
            self.unmatched_budgets_banner(),
            missing_banner(&self.fleet, self.anchor),
        ];
        let limits = limits.into_iter().flatten().chain(self.report_banners(now));
        CollectorStatus {
            at_ms: self.anchor.wall_ms(now),
            started_ms: self.info.started_ms,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: self.info.host.clone(),
            udp: self.ingest.addresses().iter().map(ToString::to_string).collect(),
            token_file: self.info.token_file.clone(),
            summary: *summary,
            datagrams: *counters + self.ingest.counters(),
            beats_per_second: self.rate.per_second,
            history: self.history.clone(),
            last_gap_ms: self.fleet.last_gap().map(|gap| self.anchor.wall_ms(gap)),
            gaps: self.fleet.gaps(),
            banners: self
                .info
                .banners
                .iter()
                .chain(self.info.conditions.values())
                .cloned()
                .chain(paused)
                .chain(doubts)
                .chain(limits)
                .chain(self.sink_banners())
                .collect(),
            connections: self.info.connections.read(),
            alerts: self.alert_summary(),
        }
    }
}
