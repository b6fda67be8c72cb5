//! Waiting until a command is obeyed.

use std::time::Duration;

use heartline_operator::age_ms;
use heartline_operator::client::{Client, Subscription};
use heartline_operator::json::CommandProgress;
use heartline_operator::message::{CommandOutcome, EventKind};
use heartline_operator::{FleetMirror, SubscriptionUpdate};
use heartline_vocabulary::{Action, CommandTarget};
use tokio::time::{sleep, timeout};

use crate::clock;
use crate::failure::CliError;
use crate::settings::Settings;

/// Most news a second: a wait of milliseconds should not be told a second late.
const PER_SECOND: u8 = 4;
/// Wait before a lost connection is made anew.
const RETRY: Duration = Duration::from_millis(250);
/// How long the event that says what a resume took may come after the agent is seen to have obeyed:
/// events are told once they are on disk, states before.
const EVENT_PATIENCE: Duration = Duration::from_secs(1);

/// How far each target has come.
pub(crate) struct CommandTracker {
    action: Action,
    targets: Vec<CommandTarget>,
    at_ms: i64,
    so_far: Vec<CommandProgress>,
    /// For resumes that were obeyed by all signs: what they took at most, in ms.
    at_most_ms: Vec<Option<u64>>,
}

/// Subscribed to the targets of a command, since before it was sent.
pub(crate) struct CommandWatcher {
    agents: Vec<String>,
    subscription: Option<Subscription>,
    mirror: FleetMirror,
}

impl CommandTracker {
    pub(crate) fn new(action: Action, outcome: &CommandOutcome) -> Self {
        Self {
            action,
            targets: outcome.targets.clone(),
            at_ms: outcome.at_ms,
            so_far: vec![CommandProgress::default(); outcome.targets.len()],
            at_most_ms: vec![None; outcome.targets.len()],
        }
    }

    /// In the order of the command's targets.
    pub(crate) fn so_far(&self) -> &[CommandProgress] {
        &self.so_far
    }

    /// The targets, and how far each has come.
    pub(crate) fn targets(&self) -> impl Iterator<Item = (&CommandTarget, CommandProgress)> {
        self.targets.iter().zip(self.so_far.iter().copied())
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.so_far.iter().all(|progress| progress.obeyed_ms.is_some())
    }

    /// Whether all have obeyed, though what it took may not be known to the millisecond.
    fn is_settled(&self) -> bool {
        let mut both = self.so_far.iter().zip(&self.at_most_ms);
        both.all(|(so_far, at_most_ms)| so_far.obeyed_ms.is_some() || at_most_ms.is_some())
    }

    /// Takes the upper bounds for what is not known better.
    fn settle(&mut self) {
        for (so_far, at_most_ms) in self.so_far.iter_mut().zip(&self.at_most_ms) {
            if so_far.obeyed_ms.is_none() && at_most_ms.is_some() {
                *so_far = CommandProgress { delivered_ms: *at_most_ms, obeyed_ms: *at_most_ms };
            }
        }
    }

    /// Takes in that an agent obeyed.
    fn on_event(&mut self, agent: Option<&str>, kind: &EventKind) {
        let EventKind::Obeyed { generation, delivered_ms, obeyed_ms, .. } = kind else { return };
        let found = self
            .targets
            .iter()
            .position(|target| Some(&*target.agent) == agent && *generation >= target.generation);
        if let Some(at) = found {
            let (delivered_ms, obeyed_ms) = (Some(*delivered_ms), Some(*obeyed_ms));
            self.so_far[at] = CommandProgress { delivered_ms, obeyed_ms };
        }
    }

    /// Takes in how the agents are.
    fn look(&mut self, mirror: &FleetMirror) {
        let both = self.so_far.iter_mut().zip(&mut self.at_most_ms);
        for (target, (so_far, at_most_ms)) in self.targets.iter().zip(both) {
            if so_far.obeyed_ms.is_some() || at_most_ms.is_some() {
                continue;
            }
            let Some(entry) = mirror.by_name(&target.agent) else { continue };
            match &entry.vitals.command {
                Some(command) if command.generation >= target.generation => {
                    so_far.delivered_ms = command.delivered_ms;
                    so_far.obeyed_ms = command.obeyed_ms;
                }
                // A resume that is obeyed is no longer shown. What it took is in its event, which
                // may be on its way; if it was missed, it took no longer than until now.
                None if self.action == Action::Resume && mirror.is_whole() => {
                    let now_ms = mirror.now_ms(clock::now()).unwrap_or(self.at_ms);
                    *at_most_ms = Some(age_ms(self.at_ms, now_ms));
                    if !target.changed {
                        // Nothing was ordered, so there is no event to wait for.
                        *so_far =
                            CommandProgress { delivered_ms: *at_most_ms, obeyed_ms: *at_most_ms };
                    }
                }
                _ => {}
            }
        }
    }
}

impl CommandWatcher {
    /// Subscribes to the agents.
    ///
    /// # Errors
    /// [`CliError::Client`].
    pub(crate) async fn start(client: &Client, agents: Vec<String>) -> Result<Self, CliError> {
        let subscription = client.subscribe(agents.clone(), PER_SECOND).await?;
        let mut mirror = FleetMirror::default();
        mirror.begin();
        Ok(Self { agents, subscription: Some(subscription), mirror })
    }

    /// Waits until all have obeyed, or the time is over; makes lost connections anew.
    pub(crate) async fn wait(
        mut self,
        progress: &mut CommandTracker,
        limit: Duration,
        settings: &Settings,
    ) {
        let until_complete = async {
            while !progress.is_settled() {
                let update = self.news(settings).await;
                self.take(update, progress);
            }
            let until_exact = async {
                while !progress.is_complete() {
                    let update = self.news(settings).await;
                    self.take(update, progress);
                }
            };
            let _over = timeout(EVENT_PATIENCE, until_exact).await;
        };
        // That the time is over shows in the progress.
        let _over = timeout(limit, until_complete).await;
        progress.settle();
    }

    fn take(&mut self, update: SubscriptionUpdate, progress: &mut CommandTracker) {
        // The snapshot from before the command shows how it was then.
        let is_after = matches!(&update, SubscriptionUpdate::Delta(news) if news.collector.at_ms >= progress.at_ms)
            || matches!(&update, SubscriptionUpdate::Page { collector, .. } if collector.at_ms >= progress.at_ms);
        let applied = self.mirror.apply(update, clock::now());
        for event in &applied.events {
            progress.on_event(event.agent.as_deref(), &event.kind);
        }
        if is_after {
            progress.look(&self.mirror);
        }
    }

    /// The next piece of news, over a new connection if need be.
    async fn news(&mut self, settings: &Settings) -> SubscriptionUpdate {
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
    use heartline_operator::message::AgentEntry;
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
        progress.look(&mirror(vec![entry.clone(), sample::healthy_agent(9, "web")]));
        assert_eq!(progress.so_far()[0], CommandProgress::default());
        entry.vitals.command.as_mut().unwrap().generation = 4;
        progress.look(&mirror(vec![entry]));
        assert_eq!(progress.so_far()[0].obeyed_ms, Some(8));
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
    fn a_resume_that_is_no_longer_shown_was_obeyed() {
        let mut progress = progress(Action::Resume);
        progress.look(&mirror(vec![
            sample::healthy_agent(1, "mail.7"),
            sample::healthy_agent(2, "web"),
        ]));
        assert!(progress.is_settled() && !progress.is_complete());
        let obeyed = EventKind::Obeyed {
            action: Action::Resume,
            generation: 4,
            delivered_ms: 1,
            obeyed_ms: 2,
        };
        progress.on_event(Some("web"), &obeyed);
        progress.settle();
        assert!(progress.is_complete());
        assert!(progress.so_far()[0].obeyed_ms.unwrap() >= 500);
        assert_eq!(progress.so_far()[1].obeyed_ms, Some(2));
    }
}
