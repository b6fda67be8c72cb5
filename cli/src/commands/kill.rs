//! `heartline kill` and `heartline resume`.

use std::time::Duration;

use heartline_operator::Filter;
use heartline_operator::client::Client;
use heartline_operator::json::{self, CommandReport, Obedience};
use heartline_operator::message::{AgentEntry, Command, CommandOutcome};
use heartline_operator::text::{span, verb};
use heartline_vocabulary::{Action, CommandRefusal, CommandTarget};

use crate::act::{Patience, Plan, Progress, Watcher, confirm, refusal, send};
use crate::args::{HowArgs, KillArgs, ResumeArgs, TargetArgs};
use crate::console::Console;
use crate::failure::{Failure, Verdict};
use crate::random;
use crate::settings::Settings;
use crate::targets::Fleet;

/// Longest reason, in bytes.
const REASON_MAX: usize = 512;

/// Carries out `kill`.
pub(crate) async fn kill(
    args: KillArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<Verdict, Failure> {
    if args.reason.trim().is_empty() {
        return Err(Failure::Usage("--reason: a kill needs a reason".to_owned()));
    }
    let order =
        Order { action: Action::Kill, whom: args.targets, reason: args.reason, how: args.how };
    order.carry_out(settings, console).await
}

/// Carries out `resume`.
pub(crate) async fn resume(
    args: ResumeArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<Verdict, Failure> {
    let order =
        Order { action: Action::Resume, whom: args.targets, reason: args.reason, how: args.how };
    order.carry_out(settings, console).await
}

/// What was asked for.
struct Order {
    action: Action,
    whom: TargetArgs,
    reason: String,
    how: HowArgs,
}

impl Order {
    async fn carry_out(
        self,
        settings: &Settings,
        console: &mut Console,
    ) -> Result<Verdict, Failure> {
        if self.reason.len() > REASON_MAX {
            return Err(Failure::Usage(format!("--reason: at most {REASON_MAX} bytes")));
        }
        let filter = self.whom.filter.as_deref().map(Filter::parse).transpose()?;
        let client = settings.connect_to_act().await?;
        let (entries, collector) = client.snapshot(Vec::new()).await?;
        let fleet = Fleet::new(entries, collector);
        let request_id = random::number()
            .map_err(|source| Failure::System { what: "read /dev/urandom", source })?;
        let refuse = |refused| CommandOutcome {
            request_id,
            at_ms: fleet.now_ms(),
            targets: Vec::new(),
            refused: Some(refused),
        };
        let targets = match self.targets(&fleet, filter.as_ref()) {
            Ok(targets) => targets,
            Err(failure) => {
                // A script reads why from the document, a person from the words.
                if let Some(refused) = self.nobody(&fleet, &failure).filter(|_| self.how.json) {
                    self.print_json(&[], &refuse(refused), console)?;
                }
                return Err(failure);
            }
        };

        let plan = Plan::new(self.action, &fleet, targets);
        console.say(&plan.describe(console.formatter));
        // Who types the count confirms it; who does not must have said it.
        let mut expect = self.how.expect;
        if !self.how.yes && expect.is_none() {
            expect = u32::try_from(plan.targets.len()).ok();
        }
        if let Some(refused) = refusal(&plan, expect) {
            let outcome = refuse(refused);
            return self.report(&Progress::new(self.action, &outcome), &outcome, console);
        }
        if !self.how.yes {
            confirm(&plan, console)?;
        }
        let command = Command {
            request_id,
            action: self.action,
            agents: plan.targets.iter().map(|entry| entry.agent.clone()).collect(),
            reason: self.reason.clone(),
            expect,
        };
        self.send(client, command, settings, console).await
    }

    fn targets(&self, fleet: &Fleet, filter: Option<&Filter>) -> Result<Vec<AgentEntry>, Failure> {
        let found = match filter {
            Some(filter) => fleet.matching(filter),
            None => fleet.named(&self.whom.names)?,
        };
        if found.is_empty() {
            return Err(Failure::NotDone("nothing was done: no agent matches".to_owned()));
        }
        Ok(found.into_iter().cloned().collect())
    }

    /// That there is nobody to act on, as the collector would say it.
    fn nobody(&self, fleet: &Fleet, failure: &Failure) -> Option<CommandRefusal> {
        if !matches!(failure, Failure::NotDone(_)) {
            return None;
        }
        let is_unknown = |name: &&String| fleet.named(std::slice::from_ref(*name)).is_err();
        let unknown: Vec<_> = self.whom.names.iter().filter(is_unknown).cloned().collect();
        Some(match unknown.is_empty() {
            true => CommandRefusal::NoAgents,
            false => CommandRefusal::UnknownAgents(unknown),
        })
    }

    fn print_json(
        &self,
        obedience: &[Obedience],
        outcome: &CommandOutcome,
        console: &mut Console,
    ) -> Result<(), Failure> {
        let report = CommandReport { action: self.action, outcome, obedience };
        console.print(&json::pretty(&json::command_outcome(report)))
    }

    async fn send(
        &self,
        client: Client,
        command: Command,
        settings: &Settings,
        console: &mut Console,
    ) -> Result<Verdict, Failure> {
        // Subscribed before, so that not even the fastest obedience is missed.
        let watcher = match self.how.wait {
            Some(_) => Some(Watcher::start(&client, command.agents.clone()).await?),
            None => None,
        };
        let (outcome, _client) = send(client, &command, settings, Patience::default()).await?;
        let mut progress = Progress::new(self.action, &outcome);
        if outcome.refused.is_none()
            && let (Some(watcher), Some(limit)) = (watcher, self.how.wait)
        {
            watcher.wait(&mut progress, limit, settings).await;
        }
        self.report(&progress, &outcome, console)
    }

    fn report(
        &self,
        progress: &Progress,
        outcome: &CommandOutcome,
        console: &mut Console,
    ) -> Result<Verdict, Failure> {
        if self.how.json {
            self.print_json(progress.so_far(), outcome, console)?;
        }
        if let Some(refused) = &outcome.refused {
            console.say(&refused.to_string());
            return Ok(Verdict::Bad);
        }
        if !self.how.json {
            for line in lines(self.action, progress, self.how.wait) {
                console.print(&line)?;
            }
        }
        Ok(Verdict::bad_if(self.how.wait.is_some() && !progress.is_complete()))
    }
}

/// A line for each target.
fn lines(action: Action, progress: &Progress, wait: Option<Duration>) -> Vec<String> {
    let line = |(target, so_far): (&CommandTarget, Obedience)| {
        let (verb, agent) = (verb(action), &target.agent);
        let what = match (so_far.obeyed_ms, so_far.delivered_ms, wait) {
            (Some(ms), _, _) if target.changed => format!("obeyed in {}", span(ms)),
            (Some(_), _, _) => "obeyed before: nothing changed".to_owned(),
            (None, Some(ms), Some(_)) => format!("delivered in {}, NOT OBEYED yet", span(ms)),
            (None, None, Some(_)) => "NOT DELIVERED yet; the order stays".to_owned(),
            (None, _, None) if !target.changed => "nothing changed: it was so before".to_owned(),
            (None, _, None) => "ordered, and durable".to_owned(),
        };
        format!("{verb} {agent} (#{}): {what}", target.generation)
    };
    progress.targets().map(line).collect()
}
