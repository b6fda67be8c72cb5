//! `heartline kill` and `heartline resume`.

use std::time::Duration;

use heartline_operator::Filter;
use heartline_operator::client::Client;
use heartline_operator::json::{self, CommandProgress, CommandReport};
use heartline_operator::message::{AgentCommand, AgentEntry, CommandOutcome};
use heartline_operator::text::{span, verb};
use heartline_vocabulary::{Action, CommandRefusal, CommandTarget};

use crate::act::{
    CommandPlan, CommandTracker, CommandWatcher, RetryPolicy, confirm, refusal, send, tasks,
};
use crate::args::{ExecutionArgs, KillArgs, ResumeArgs, TargetArgs};
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;
use crate::targets::FleetSnapshot;

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
        let filter = self.targets.filter.as_deref().map(Filter::parse).transpose()?;
        let client = settings.connect_with_control().await?;
        let (entries, collector) = client.snapshot(Vec::new()).await?;
        let fleet = FleetSnapshot::new(entries, collector);
        let request_id = getrandom::u64().map_err(|error| CliError::System {
            what: "draw a random number",
            source: error.into(),
        })?;
        let refuse = |refused| CommandOutcome {
            request_id,
            at_ms: fleet.now_ms(),
            targets: Vec::new(),
            refused: Some(refused),
        };
        let targets = match self.resolve(&fleet, filter.as_ref()) {
            Ok(targets) => targets,
            Err(failure) => {
                // A script reads the reason in the document, a person in the message.
                if let Some(refused) =
                    self.refusal_of(&fleet, &failure).filter(|_| self.execution.json)
                {
                    self.print_json(&[], &refuse(refused), console)?;
                }
                return Err(failure);
            }
        };

        let plan = CommandPlan::new(self.action, &fleet, targets);
        console.say(&plan.describe(console.formatter, console.terminal.columns));
        // Typing the count confirms it; with `--yes` it must be given.
        let mut expect = self.execution.expect;
        if !self.execution.yes && expect.is_none() {
            expect = u32::try_from(plan.targets.len()).ok();
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
            agents: plan.targets.iter().map(|entry| entry.agent.clone()).collect(),
            reason: self.reason.clone(),
            expect,
        };
        self.send(client, command, settings, console).await
    }

    fn resolve(
        &self,
        fleet: &FleetSnapshot,
        filter: Option<&Filter>,
    ) -> Result<Vec<AgentEntry>, CliError> {
        let found = match filter {
            Some(filter) => fleet.matching(filter),
            None => fleet.named(&self.targets.names)?,
        };
        if found.is_empty() {
            return Err(CliError::NotDone("nothing was done: no agent matches".to_owned()));
        }
        Ok(found.into_iter().cloned().collect())
    }

    /// Returns the refusal that the collector would send for missing targets.
    fn refusal_of(&self, fleet: &FleetSnapshot, failure: &CliError) -> Option<CommandRefusal> {
        if !matches!(failure, CliError::NotDone(_)) {
            return None;
        }
        let is_unknown = |name: &&String| fleet.named(std::slice::from_ref(*name)).is_err();
        let unknown: Vec<_> = self.targets.names.iter().filter(is_unknown).cloned().collect();
        Some(match unknown.is_empty() {
            true => CommandRefusal::NoAgents,
            false => CommandRefusal::UnknownAgents(unknown),
        })
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
            Some(_) => Some(CommandWatcher::start(&client, command.agents.clone()).await?),
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

/// Returns a line for each target.
fn lines(action: Action, progress: &CommandTracker, wait: Option<Duration>) -> Vec<String> {
    let line = |(target, so_far): (&CommandTarget, CommandProgress)| {
        let (verb, agent) = (verb(action), &target.agent);
        let what = match (so_far.obeyed_ms, so_far.delivered_ms, wait) {
            _ if so_far.disobeyed => "DISOBEYED: it goes on completing work".to_owned(),
            (Some(ms), _, _) if target.changed => format!("obeyed in {}", span(ms)),
            (Some(_), _, _) => "obeyed before: nothing changed".to_owned(),
            (None, Some(ms), Some(_)) if so_far.draining > 0 => {
                format!("delivered in {}, draining {}", span(ms), tasks(so_far.draining))
            }
            (None, Some(ms), Some(_)) => format!("delivered in {}, NOT OBEYED yet", span(ms)),
            (None, None, Some(_)) => format!("NOT DELIVERED yet; the {verb} stays pending"),
            (None, _, None) if !target.changed => "no change: already in effect".to_owned(),
            (None, _, None) => "accepted and stored".to_owned(),
        };
        format!("{verb} {agent} (#{}): {what}", target.generation)
    };
    progress.targets().map(line).collect()
}
