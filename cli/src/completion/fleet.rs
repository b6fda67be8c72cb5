//! What the collector knows, asked at a Tab: quickly, and silently if it does not answer.

use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _};
use heartline_operator::SubscriptionUpdate;
use heartline_operator::client::{AccessMode, Client, ClientOptions, Endpoint};
use heartline_operator::message::AgentEntry;

use super::typed_words;
use crate::args::{Arguments, GlobalArgs};
use crate::settings::{Settings, environment};

/// How long a person is let wait for the names of agents; those that came by then are offered.
const PATIENCE: Duration = Duration::from_millis(700);

/// Returns the agents of the collector that the command line so far names; of one that is far away,
/// or does not answer, none.
pub(super) fn agents() -> Vec<AgentEntry> {
    let mut agents = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (Some(settings), Ok(runtime)) = (settings(), runtime) else { return agents };
    let Ok(endpoint @ Endpoint::Unix(_)) = settings.endpoint(&environment) else { return agents };
    let options =
        ClientOptions { access: AccessMode::View, ..settings.client_options(&environment) };
    let asked =
        async { tokio::time::timeout(PATIENCE, ask(&endpoint, &options, &mut agents)).await };
    let _late = runtime.block_on(asked);
    runtime.shutdown_background();
    agents
}

/// Asks for the agents, and adds each page as it comes.
async fn ask(endpoint: &Endpoint, options: &ClientOptions, agents: &mut Vec<AgentEntry>) {
    let Ok(client) = Client::connect(endpoint, options).await else { return };
    let Ok(mut subscription) = client.subscribe(Vec::new(), 1).await else { return };
    while let Ok(SubscriptionUpdate::Page { entries, last, .. }) = subscription.next().await {
        agents.extend(entries);
        if last {
            return;
        }
    }
}

/// Returns the settings by the flags that were typed, whatever else is missing or wrong.
fn settings() -> Option<Settings> {
    let command = Arguments::command().ignore_errors(true);
    let matches = command.try_get_matches_from(typed_words()).ok()?;
    let global = GlobalArgs::from_arg_matches(&matches).ok()?;
    Settings::resolve(&global, &environment).ok()
}
