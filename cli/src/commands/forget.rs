//! `heartline forget`: removes retired agents; their history stays.

use heartline_operator::client::ClientError;
use heartline_operator::message::{ErrorCode, ForgetCommand, Reply, Request};

use crate::act::{CommandPlan, PlannedCommand, agents, confirm, refusal};
use crate::args::ForgetArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;
use crate::targets::{self, LISTED, missing_targets};

/// Runs the command.
pub(crate) async fn run(
    args: &ForgetArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let asked = args.targets.selector()?;
    let client = settings.connect_with_control().await?;
    let preview = targets::preview(&client, &asked).await?;
    if let Some((_, message)) = missing_targets(&preview) {
        return Err(message);
    }
    let plan = CommandPlan::new(PlannedCommand::Forget, preview);
    // Whoever writes names in full has confirmed them; a count is confirmed by typing it, or given.
    let (is_named, hits) = (asked.is_exact(), plan.preview.hits);
    let is_asked = !is_named && !args.yes;
    let expect = args.expect.or_else(|| (is_named || is_asked).then_some(hits));
    if !is_named {
        console.say(&plan.describe(console.formatter, console.terminal.columns));
    }
    if let Some(refused) = refusal(&plan, expect) {
        console.say(&refused.to_string());
        return Ok(CommandExit::Negative);
    }
    if is_asked {
        confirm(&plan, console)?;
    }
    let fingerprint = Some(plan.preview.fingerprint);
    let command = ForgetCommand { agents: plan.selector(asked), expect, fingerprint };
    let forgotten = match client.request(Request::Forget(command)).await {
        Ok(Reply::Forgotten { agents }) => agents,
        Ok(_) => return Err(ClientError::Unexpected { what: "forget" }.into()),
        Err(ClientError::Refused { code: ErrorCode::BadRequest, message }) => {
            return Err(CliError::NotDone(message));
        }
        Err(error) => return Err(error.into()),
    };
    if forgotten.len() <= LISTED {
        for agent in &forgotten {
            console.say(&format!("forgotten: {agent} (its history stays)"));
        }
    } else {
        console.say(&format!("forgotten: {} (their history stays)", agents(forgotten.len())));
    }
    Ok(CommandExit::negative_if(forgotten.len() < hits as usize))
}
