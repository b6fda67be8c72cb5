//! `heartline forget`: removes retired agents; their history stays.

use heartline_operator::client::ClientError;
use heartline_operator::message::{AgentEntry, Reply, Request};
use heartline_operator::text;
use heartline_vocabulary::Reason;

use crate::args::ForgetArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;
use crate::targets::FleetSnapshot;

/// An agent whose last beat is younger than this many intervals still beats.
const BEATING_INTERVALS: u64 = 10;

/// Runs the command.
pub(crate) async fn run(
    args: ForgetArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let client = settings.connect_with_control().await?;
    let (entries, collector) = client.snapshot(Vec::new()).await?;
    let fleet = FleetSnapshot::new(entries, collector);
    for name in &args.names {
        let entry = fleet.entries.iter().find(|entry| entry.agent == *name);
        let entry = entry.ok_or_else(|| CliError::NotDone(fleet.unknown(name)))?;
        if let Some(age_ms) = still_beats(entry, fleet.now_ms()) {
            return Err(CliError::NotDone(format!(
                "nothing was done: {name} still beats (last {} ago) and would be back at once; \
                 stop it first",
                text::age(age_ms)
            )));
        }
    }
    let Reply::Forgotten { agents } =
        client.request(Request::Forget { agents: args.names.clone() }).await?
    else {
        return Err(ClientError::Unexpected { what: "forget" }.into());
    };
    for agent in &agents {
        console.say(&format!("forgotten: {agent} (its history stays)"));
    }
    Ok(CommandExit::negative_if(agents.len() < args.names.len()))
}

/// Returns the age of the last beat of an agent that would come back at once.
fn still_beats(entry: &AgentEntry, now_ms: i64) -> Option<u64> {
    let has_ended = matches!(entry.vitals.reason, Some(Reason::Shutdown | Reason::Crashed));
    let alive_ms = u64::from(entry.vitals.interval_ms) * BEATING_INTERVALS;
    entry.vitals.beat_age_ms(now_ms).filter(|age_ms| !has_ended && *age_ms < alive_ms)
}

#[cfg(test)]
mod tests {
    use heartline_vocabulary::State;

    use super::*;
    use heartline_operator::sample::{self, NOW_MS};

    #[test]
    fn only_agents_that_ended_or_are_silent_can_be_forgotten() {
        assert_eq!(still_beats(&sample::healthy_agent(1, "a"), NOW_MS), Some(3_000));
        assert_eq!(still_beats(&sample::silent_agent(2, "a"), NOW_MS), None);
        let mut stopped = sample::healthy_agent(1, "a");
        stopped.vitals.state = State::Killed;
        stopped.vitals.reason = Some(Reason::Shutdown);
        assert_eq!(still_beats(&stopped, NOW_MS), None);
    }
}
