//! What the collector knows, asked at a Tab: quickly, and silently if it does not answer.

use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _};
use heartline_operator::SubscriptionUpdate;
use heartline_operator::client::{AccessMode, Client, ClientOptions, Endpoint};
use heartline_operator::message::{AgentEntry, AlertQuery, AlertReport, Reply, Request};

use super::typed_words;
use crate::args::{Arguments, GlobalArgs};
use crate::settings::{Settings, environment};

/// How long a person is let wait for the names of agents; those that came by then are offered.
const PATIENCE: Duration = Duration::from_millis(700);

/// Returns the agents of the collector that the command line so far names; of one that is far away,
/// or does not answer, none.
pub(super) fn agents() -> Vec<AgentEntry> {
    let mut agents = Vec::new();
    ask(async |client| add_agents(&client, &mut agents).await);
    agents
}

/// Returns the incidents that go on, the sinks and the silences of that collector, or none.
pub(super) fn alerts() -> AlertReport {
    let mut report = AlertReport::default();
    ask(async |client| {
        if let Ok(Reply::Alerts(found)) = client.request(Request::Alerts(AlertQuery::Open)).await {
            report = *found;
        }
    });
    report
}

/// Asks the collector, as long as a person waits.
fn ask(question: impl AsyncFnOnce(Client)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (Some(settings), Ok(runtime)) = (settings(), runtime) else { return };
    let Ok(endpoint @ Endpoint::Unix(_)) = settings.endpoint(&environment) else { return };
    let options =
        ClientOptions { access: AccessMode::View, ..settings.client_options(&environment) };
    let asked = async {
        let Ok(client) = Client::connect(&endpoint, &options).await else { return };
        question(client).await;
    };
    let _late = runtime.block_on(async { tokio::time::timeout(PATIENCE, asked).await });
    runtime.shutdown_background();
}

/// Adds the agents, each page as it comes.
async fn add_agents(client: &Client, agents: &mut Vec<AgentEntry>) {
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
