//! `heartline kill` and `heartline resume`.

use std::collections::BTreeMap;
use std::time::Duration;

use heartline_operator::client::Client;
use heartline_operator::json::{self, CommandProgress, CommandReport};
use heartline_operator::message::{AgentCommand, CommandOutcome};
use heartline_operator::text::{span, verb};
use heartline_vocabulary::{Action, CommandTarget};

use crate::act::{
    CommandPlan, CommandTracker, CommandWatcher, RetryPolicy, agents, confirm, refusal, send, tasks,
};
use crate::args::{ExecutionArgs, KillArgs, ResumeArgs, TargetArgs};
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;
use crate::targets::{self, LISTED, missing_targets};

/// Longest reason, in bytes.
const REASON_MAX: usize = 512;

/// Runs `kill`.
pub(crate) async fn kill(
    args: KillArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    if args.reason.trim().is_empty() {
        return Err(CliError::Usage("--reason: a kill needs a reason".to_owned()));
    }
    let invocation = CommandInvocation {
        action: Action::Kill,
        targets: args.targets,
        reason: args.reason,
        execution: args.execution,
    };
    invocation.run(settings, console).await
}

/// Runs `resume`.
pub(crate) async fn resume(
    args: ResumeArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let invocation = CommandInvocation {
        action: Action::Resume,
        targets: args.targets,
        reason: args.reason,
        execution: args.execution,
    };
    invocation.run(settings, console).await
}

/// The arguments of `kill` and `resume`.
struct CommandInvocation {
    action: Action,
    targets: TargetArgs,
    reason: String,
    execution: ExecutionArgs,
}

impl CommandInvocation {
    async fn run(
        self,
        settings: &Settings,
        console: &mut Console,
    ) -> Result<CommandExit, CliError> {
        if self.reason.len() > REASON_MAX {
            return Err(CliError::Usage(format!("--reason: at most {REASON_MAX} bytes")));
        }
        let asked = self.targets.selector()?;
        let client = settings.connect_with_control().await?;
        let preview = targets::preview(&client, &asked).await?;
        let request_id = getrandom::u64().map_err(|error| CliError::System {
            what: "draw a random number",
            source: error.into(),
        })?;
        let at_ms = preview.collector.at_ms;
        let refuse = |refused| CommandOutcome {
            request_id,
            at_ms,
            targets: Vec::new(),
            refused: Some(refused),
        };
        if let Some((refused, message)) = missing_targets(&preview) {
            // A script reads the reason in the document, a person in the message.
            if self.execution.json {
                self.print_json(&[], &refuse(refused), console)?;
            }
            return Err(message);
        }

        let plan = CommandPlan::new(self.action, preview);
        console.say(&plan.describe(console.formatter, console.terminal.columns));
        // Typing the count confirms it; with `--yes` it must be given.
        let mut expect = self.execution.expect;
        if !self.execution.yes && expect.is_none() {
            expect = Some(plan.preview.hits);
        }
        if let Some(refused) = refusal(&plan, expect) {
            let outcome = refuse(refused);
            return self.report(&CommandTracker::new(self.action, &outcome), &outcome, console);
        }
        if !self.execution.yes {
            confirm(&plan, console)?;
        }
        let command = AgentCommand {
            request_id,
            action: self.action,
            agents: plan.selector(asked),
            reason: self.reason.clone(),
            expect,
            fingerprint: Some(plan.preview.fingerprint),
        };
        self.send(client, command, settings, console).await
    }

    fn print_json(
        &self,
        progress: &[CommandProgress],
        outcome: &CommandOutcome,
        console: &mut Console,
    ) -> Result<(), CliError> {
        let report = CommandReport { action: self.action, outcome, progress };
        console.print(&json::pretty(&json::command_outcome(report)))
    }

    async fn send(
        &self,
        client: Client,
        command: AgentCommand,
        settings: &Settings,
        console: &mut Console,
    ) -> Result<CommandExit, CliError> {
        // Subscribed before, so that not even the fastest agent is missed.
        let watcher = match self.execution.wait {
            Some(_) => Some(CommandWatcher::start(&client, &command.agents).await?),
            None => None,
        };
        let (outcome, _client) = send(client, &command, settings, RetryPolicy::default()).await?;
        let mut progress = CommandTracker::new(self.action, &outcome);
        if outcome.refused.is_none()
            && let (Some(watcher), Some(limit)) = (watcher, self.execution.wait)
        {
            watcher.wait(&mut progress, limit, settings).await;
        }
        self.report(&progress, &outcome, console)
    }

    fn report(
        &self,
        progress: &CommandTracker,
        outcome: &CommandOutcome,
        console: &mut Console,
    ) -> Result<CommandExit, CliError> {
        if self.execution.json {
            self.print_json(progress.progress(), outcome, console)?;
        }
        if let Some(refused) = &outcome.refused {
            console.say(&refused.to_string());
            return Ok(CommandExit::Negative);
        }
        if !self.execution.json {
            for line in lines(self.action, progress, self.execution.wait) {
                console.print(&line)?;
            }
        }
        Ok(CommandExit::negative_if(self.execution.wait.is_some() && !progress.is_on_its_way()))
    }
}

/// Returns a line for each target, or for each outcome where there are many.
fn lines(action: Action, progress: &CommandTracker, wait: Option<Duration>) -> Vec<String> {
    let waited = wait.is_some();
    let verb = verb(action);
    let targets: Vec<_> = progress.targets().collect();
    if targets.len() <= LISTED {
        let line = |(target, so_far): &(&CommandTarget, CommandProgress)| {
            let outcome = TargetOutcome::of(target, *so_far, waited);
            let CommandTarget { agent, generation, .. } = target;
            let what = outcome.describe(so_far.longest_ms(), so_far.draining, verb);
            format!("{verb} {agent} (#{generation}): {what}")
        };
        return targets.iter().map(line).collect();
    }
    let mut sums: BTreeMap<TargetOutcome, OutcomeSum> = BTreeMap::new();
    for (target, so_far) in &targets {
        let sum = sums.entry(TargetOutcome::of(target, *so_far, waited)).or_default();
        sum.count += 1;
        sum.slowest_ms = sum.slowest_ms.max(so_far.longest_ms());
        sum.draining = sum.draining.saturating_add(so_far.draining);
    }
    let line = |(outcome, sum): (&TargetOutcome, &OutcomeSum)| {
        let what = outcome.describe(sum.slowest_ms, sum.draining, verb);
        format!("{verb} {}: {what}", agents(sum.count))
    };
    sums.iter().map(line).collect()
}

/// The agents with one outcome of a command.
#[derive(Default)]
struct OutcomeSum {
    count: usize,
    slowest_ms: Option<u64>,
    draining: u32,
}

/// What became of a command at one agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TargetOutcome {
    Disobeyed,
    NotDelivered,
    Delivered,
    Draining,
    Obeyed,
    ObeyedBefore,
    Accepted,
    Unchanged,
}

impl TargetOutcome {
    fn of(target: &CommandTarget, progress: CommandProgress, waited: bool) -> Self {
        match (progress.obeyed_ms, progress.delivered_ms) {
            _ if progress.disobeyed => Self::Disobeyed,
            (Some(_), _) if target.changed => Self::Obeyed,
            (Some(_), _) => Self::ObeyedBefore,
            (None, Some(_)) if waited && progress.draining > 0 => Self::Draining,
            (None, Some(_)) if waited => Self::Delivered,
            (None, None) if waited => Self::NotDelivered,
            (None, _) if target.changed => Self::Accepted,
            (None, _) => Self::Unchanged,
        }
    }

    /// Describes it, with the longest time that it took, and the tasks that are still to end.
    fn describe(self, slowest_ms: Option<u64>, draining: u32, verb: &str) -> String {
        let within = span(slowest_ms.unwrap_or(0));
        match self {
            Self::Obeyed => format!("obeyed in {within}"),
            Self::ObeyedBefore => "obeyed before: nothing changed".to_owned(),
            Self::Disobeyed => "DISOBEYED: it goes on completing work".to_owned(),
            Self::Draining => format!("delivered in {within}, draining {}", tasks(draining)),
            Self::Delivered => format!("delivered in {within}, NOT OBEYED yet"),
            Self::NotDelivered => format!("NOT DELIVERED yet; the {verb} stays pending"),
            Self::Accepted => "accepted and stored".to_owned(),
            Self::Unchanged => "no change: already in effect".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heartline_vocabulary::State;

    fn printed(count: u64) -> Vec<String> {
        let target = |at| CommandTarget {
            agent: format!("mail.{at}").into(),
            generation: at,
            state: State::Healthy,
            changed: at > 0,
        };
        let targets = (0..count).map(target).collect();
        let outcome = CommandOutcome { request_id: 1, at_ms: 0, targets, refused: None };
        lines(Action::Kill, &CommandTracker::new(Action::Kill, &outcome), None)
    }

    #[test]
    fn few_targets_have_a_line_each_and_many_are_counted() {
        assert_eq!(
            printed(2),
            [
                "kill mail.0 (#0): no change: already in effect",
                "kill mail.1 (#1): accepted and stored"
            ]
        );
        assert_eq!(
            printed(100_000),
            [
                "kill 99999 agents: accepted and stored",
                "kill 1 agent: no change: already in effect"
            ]
        );
    }
}
