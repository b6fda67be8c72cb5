//! Waiting until a command is obeyed.

use std::collections::BTreeMap;
use std::time::Duration;

use heartline_operator::client::{Client, Subscription};
use heartline_operator::json::CommandProgress;
use heartline_operator::message::{
    AgentDetail, AgentSelector, CommandOutcome, CommandStatus, EventKind, Reply, Request,
};
use heartline_operator::{FleetMirror, SubscriptionUpdate, age_ms};
use heartline_vocabulary::{Action, CommandTarget};
use tokio::time::{sleep, timeout};

use crate::clock;
use crate::error::CliError;
use crate::settings::Settings;

/// Most agents that are subscribed to by name; for more it is the whole fleet.
const NAMED_MAX: usize = 1_000;
/// Most deltas a second: a wait of milliseconds should not be reported a second late.
const PER_SECOND: u8 = 4;
/// Wait before a lost connection is made again.
const RETRY: Duration = Duration::from_millis(250);
/// How long the event with the times of a resume may come after the state that shows it obeyed:
/// events are sent once they are on disk, states before.
const EVENT_TIMEOUT: Duration = Duration::from_secs(1);

/// Pauses before the agents themselves are asked about, in ms: most obey within some of them, and a
/// delta may be a quarter of a second away.
const PAUSES_MS: [u64; 7] = [2, 4, 8, 16, 32, 64, 128];
/// Most agents that are asked about one by one.
const ASKED_MAX: usize = 10;

/// Tracks how far each target has executed a command.
pub(crate) struct CommandTracker {
    action: Action,
    targets: Vec<CommandTarget>,
    /// The place of each agent in `targets`.
    places: BTreeMap<Box<str>, usize>,
    at_ms: i64,
    progress: Vec<CommandProgress>,
    /// Upper bounds of the times of resumes that were obeyed, until their event comes.
    at_most_ms: Vec<Option<u64>>,
}

/// Watches the targets of a command, since before it was sent.
pub(crate) struct CommandWatcher {
    agents: Vec<String>,
    client: Client,
    subscription: Option<Subscription>,
    mirror: FleetMirror,
}

impl CommandTracker {
    pub(crate) fn new(action: Action, outcome: &CommandOutcome) -> Self {
        let names = outcome.targets.iter().map(|target| target.agent.clone());
        Self {
            action,
            targets: outcome.targets.clone(),
            places: names.enumerate().map(|(at, agent)| (agent, at)).collect(),
            at_ms: outcome.at_ms,
            progress: vec![CommandProgress::default(); outcome.targets.len()],
            at_most_ms: vec![None; outcome.targets.len()],
        }
    }

    /// Returns the progress of each target, in their order.
    pub(crate) fn progress(&self) -> &[CommandProgress] {
        &self.progress
    }

    /// Returns each target with its progress.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (&CommandTarget, CommandProgress)> {
        self.targets.iter().zip(self.progress.iter().copied())
    }

    /// Returns whether each target has obeyed, or finishes the tasks that it has in flight.
    pub(crate) fn is_on_its_way(&self) -> bool {
        self.progress.iter().all(CommandProgress::is_on_its_way)
    }

    fn is_complete(&self) -> bool {
        self.progress.iter().all(|progress| progress.obeyed_ms.is_some())
    }

    /// Returns true when all have obeyed, though not all exact times may be known.
    fn is_obeyed(&self) -> bool {
        let mut both = self.progress.iter().zip(&self.at_most_ms);
        both.all(|(so_far, at_most_ms)| so_far.obeyed_ms.is_some() || at_most_ms.is_some())
    }

    /// Replaces unknown times by their upper bounds.
    fn use_upper_bounds(&mut self) {
        for (so_far, at_most_ms) in self.progress.iter_mut().zip(&self.at_most_ms) {
            if let (None, Some(at_most_ms)) = (so_far.obeyed_ms, *at_most_ms) {
                *so_far = CommandProgress::obeyed(at_most_ms, at_most_ms);
            }
        }
    }

    /// Applies the event of an agent that obeyed.
    fn on_event(&mut self, agent: Option<&str>, kind: &EventKind) {
        let EventKind::Obeyed { generation, delivered_ms, obeyed_ms, .. } = kind else { return };
        let place = agent.and_then(|agent| self.places.get(agent)).copied();
        let found = place.filter(|&at| *generation >= self.targets[at].generation);
        if let Some(at) = found {
            self.progress[at] = CommandProgress::obeyed(*delivered_ms, *obeyed_ms);
        }
    }

    /// Returns the agents that have not obeyed yet.
    fn waited_for(&self) -> Vec<String> {
        let waited_for = self.targets().filter(|(_, progress)| progress.obeyed_ms.is_none());
        waited_for.map(|(target, _)| target.agent.to_string()).collect()
    }

    /// Applies what is known of one agent.
    fn on_detail(&mut self, detail: &AgentDetail) {
        if let Some(&place) = self.places.get(detail.entry.agent.as_str())
            && let Some(command) = &detail.entry.vitals.command
            && command.generation >= self.targets[place].generation
        {
            self.progress[place] = progress_of(command);
        }
        for event in &detail.events {
            self.on_event(event.agent.as_deref(), &event.kind);
        }
    }

    /// Applies the states of the agents.
    fn on_states(&mut self, mirror: &FleetMirror) {
        let both = self.progress.iter_mut().zip(&mut self.at_most_ms);
        for (target, (so_far, at_most_ms)) in self.targets.iter().zip(both) {
            if so_far.obeyed_ms.is_some() || at_most_ms.is_some() {
                continue;
            }
            let Some(entry) = mirror.by_name(&target.agent) else { continue };
            match &entry.vitals.command {
                Some(command) if command.generation >= target.generation => {
                    *so_far = progress_of(command);
                }
                // A resume that is obeyed is no longer shown. What it took is in its event, which
                // may be on its way; if it was missed, it took no longer than until now.
                None if self.action == Action::Resume && mirror.is_whole() => {
                    let now_ms = mirror.now_ms(clock::now()).unwrap_or(self.at_ms);
                    let passed_ms = age_ms(self.at_ms, now_ms);
                    *at_most_ms = Some(passed_ms);
                    if !target.changed {
                        // Nothing was ordered, so there is no event to wait for.
                        *so_far = CommandProgress::obeyed(passed_ms, passed_ms);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Returns how far an agent has executed its newest command.
fn progress_of(command: &CommandStatus) -> CommandProgress {
    let is_draining = command.delivered_ms.is_some() && command.obeyed_ms.is_none();
    CommandProgress {
        delivered_ms: command.delivered_ms,
        obeyed_ms: command.obeyed_ms,
        draining: if is_draining { command.draining } else { 0 },
        disobeyed: command.disobeyed,
    }
}

impl CommandWatcher {
    /// Subscribes to the agents of a command, as far as it names few, else to the whole fleet.
    ///
    /// # Errors
    /// [`CliError::Client`].
    pub(crate) async fn start(client: &Client, selector: &AgentSelector) -> Result<Self, CliError> {
        let is_few = selector.is_exact() && selector.names().len() <= NAMED_MAX;
        let agents = if is_few { selector.names().to_vec() } else { Vec::new() };
        let subscription = client.subscribe(agents.clone(), PER_SECOND).await?;
        let mut mirror = FleetMirror::default();
        mirror.begin();
        Ok(Self { agents, client: client.clone(), subscription: Some(subscription), mirror })
    }

    /// Waits until all have obeyed, or the time is over; reconnects.
    pub(crate) async fn wait(
        mut self,
        progress: &mut CommandTracker,
        limit: Duration,
        settings: &Settings,
    ) {
        let until_complete = async {
            self.ask_at_once(progress).await;
            while !progress.is_obeyed() {
                let update = self.next_update(settings).await;
                self.apply(update, progress);
            }
            let until_exact = async {
                while !progress.is_complete() {
                    let update = self.next_update(settings).await;
                    self.apply(update, progress);
                }
            };
            let _over = timeout(EVENT_TIMEOUT, until_exact).await;
        };
        // That the time is over shows in the progress.
        let _over = timeout(limit, until_complete).await;
        progress.use_upper_bounds();
    }

    /// Asks about few agents at short intervals, until all have obeyed or deltas come as fast.
    async fn ask_at_once(&self, progress: &mut CommandTracker) {
        if progress.targets.len() > ASKED_MAX {
            return;
        }
        for pause_ms in PAUSES_MS {
            sleep(Duration::from_millis(pause_ms)).await;
            for agent in progress.waited_for() {
                let asked = Request::Agent { agent };
                // A lost connection is made anew with the next update.
                let Ok(Reply::Agent(detail)) = self.client.request(asked).await else { return };
                progress.on_detail(&detail);
            }
            if progress.is_complete() {
                return;
            }
        }
    }

    fn apply(&mut self, update: SubscriptionUpdate, progress: &mut CommandTracker) {
        // The snapshot from before the command shows how it was then.
        let is_after = matches!(&update, SubscriptionUpdate::Delta(delta) if delta.collector.at_ms >= progress.at_ms)
            || matches!(&update, SubscriptionUpdate::Page { collector, .. } if collector.at_ms >= progress.at_ms);
        let effect = self.mirror.apply(update, clock::now());
        for event in &effect.events {
            progress.on_event(event.agent.as_deref(), &event.kind);
        }
        if is_after {
            progress.on_states(&self.mirror);
        }
    }

    /// Waits for the next update, over a new connection if need be.
    async fn next_update(&mut self, settings: &Settings) -> SubscriptionUpdate {
        loop {
            if let Some(subscription) = &mut self.subscription {
                if let Ok(update) = subscription.next().await {
                    return update;
                }
                self.subscription = None;
            }
            if let Ok(client) = settings.connect().await
                && let Ok(again) = client.subscribe(self.agents.clone(), PER_SECOND).await
            {
                self.mirror.begin();
                self.subscription = Some(again);
            } else {
                sleep(RETRY).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use heartline_operator::message::{AgentEntry, Event};
    use heartline_vocabulary::State;

    use super::*;
    use heartline_operator::sample::{self, NOW_MS};

    fn progress(action: Action) -> CommandTracker {
        let target = |agent: &str| CommandTarget {
            agent: agent.into(),
            generation: 4,
            state: State::Healthy,
            changed: true,
        };
        let targets = vec![target("mail.7"), target("web")];
        let at_ms = NOW_MS - 500;
        CommandTracker::new(
            action,
            &CommandOutcome { request_id: 1, at_ms, targets, refused: None },
        )
    }

    fn mirror(entries: Vec<AgentEntry>) -> FleetMirror {
        let mut mirror = FleetMirror::default();
        mirror.begin();
        let collector = Box::new(sample::collector(&entries));
        mirror.apply(SubscriptionUpdate::Page { entries, collector, last: true }, clock::now());
        mirror
    }

    #[test]
    fn a_kill_is_obeyed_when_its_own_generation_is() {
        let mut progress = progress(Action::Kill);
        let mut entry = sample::killed_agent(3, "mail.7");
        let command = entry.vitals.command.as_mut().unwrap();
        (command.delivered_ms, command.obeyed_ms) = (Some(3), Some(8));
        command.generation = 3;
        progress.on_states(&mirror(vec![entry.clone(), sample::healthy_agent(9, "web")]));
        assert_eq!(progress.progress()[0], CommandProgress::default());
        entry.vitals.command.as_mut().unwrap().generation = 4;
        progress.on_states(&mirror(vec![entry]));
        assert_eq!(progress.progress()[0].obeyed_ms, Some(8));
        assert!(!progress.is_complete());
        let obeyed = EventKind::Obeyed {
            action: Action::Kill,
            generation: 4,
            delivered_ms: 2,
            obeyed_ms: 5,
        };
        progress.on_event(Some("web"), &obeyed);
        assert!(progress.is_complete());
        assert_eq!(progress.targets().last().unwrap().1.obeyed_ms, Some(5));
    }

    #[test]
    fn a_kill_with_tasks_in_flight_is_on_its_way_once_it_is_applied() {
        let mut progress = progress(Action::Kill);
        progress.on_event(
            Some("web"),
            &EventKind::Obeyed {
                action: Action::Kill,
                generation: 4,
                delivered_ms: 2,
                obeyed_ms: 5,
            },
        );
        let mut entry = sample::killed_agent(3, "mail.7");
        let mut is_on_its_way = |delivered_ms, draining, disobeyed| {
            let command = entry.vitals.command.as_mut().unwrap();
            (command.generation, command.delivered_ms, command.obeyed_ms) = (4, delivered_ms, None);
            (command.draining, command.disobeyed) = (draining, disobeyed);
            progress.on_states(&mirror(vec![entry.clone()]));
            (progress.is_on_its_way(), progress.is_complete())
        };
        assert_eq!(is_on_its_way(None, 1, false), (false, false), "not even delivered");
        assert_eq!(is_on_its_way(Some(2), 1, false), (true, false));
        assert_eq!(is_on_its_way(Some(2), 0, false), (false, false), "nothing to finish");
        assert_eq!(is_on_its_way(Some(2), 1, true), (false, false), "it does not obey");
    }

    #[test]
    fn an_agent_that_is_asked_about_tells_of_kill_and_resume() {
        let mut kill = progress(Action::Kill);
        let mut entry = sample::killed_agent(3, "mail.7");
        let command = entry.vitals.command.as_mut().unwrap();
        (command.generation, command.delivered_ms, command.obeyed_ms) = (4, Some(3), Some(8));
        let mut detail = AgentDetail { entry, ..sample::agent_detail("scraper-eu") };
        detail.events.clear();
        kill.on_detail(&detail);
        assert_eq!(kill.waited_for(), ["web"]);

        let mut resume = progress(Action::Resume);
        detail.entry.vitals.command = None;
        resume.on_detail(&detail);
        assert_eq!(resume.waited_for(), ["mail.7", "web"], "its event is not there yet");
        let obeyed = EventKind::Obeyed {
            action: Action::Resume,
            generation: 4,
            delivered_ms: 1,
            obeyed_ms: 2,
        };
        let (cursor, at_ms, agent) = (1, NOW_MS, Some("mail.7".to_owned()));
        detail.events = vec![Event { cursor, at_ms, agent, kind: obeyed }];
        resume.on_detail(&detail);
        assert_eq!(resume.waited_for(), ["web"]);
    }

    #[test]
    fn a_resume_that_is_no_longer_shown_was_obeyed() {
        let mut progress = progress(Action::Resume);
        progress.on_states(&mirror(vec![
            sample::healthy_agent(1, "mail.7"),
            sample::healthy_agent(2, "web"),
        ]));
        assert!(progress.is_obeyed() && !progress.is_complete());
        let obeyed = EventKind::Obeyed {
            action: Action::Resume,
            generation: 4,
            delivered_ms: 1,
            obeyed_ms: 2,
        };
        progress.on_event(Some("web"), &obeyed);
        progress.use_upper_bounds();
        assert!(progress.is_complete());
        assert!(progress.progress()[0].obeyed_ms.unwrap() >= 500);
        assert_eq!(progress.progress()[1].obeyed_ms, Some(2));
    }
}
