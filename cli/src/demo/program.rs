//! `heartline demo`, from the first process to the last.

use std::path::Path;
use std::time::Duration;

use heartline_operator::client::Endpoint;

use super::cast;
use super::director::{Director, Told};
use super::headless;
use super::stage::Stage;
use crate::args::DemoRunArgs;
use crate::console::Console;
use crate::failure::{Failure, Verdict};
use crate::settings::Settings;

/// How long it lasts without a terminal, unless said otherwise.
const HEADLESS: Duration = Duration::from_secs(60);
/// Deeds that may wait to be told: more than happen while somebody reads a screen.
const UNTOLD: usize = 1_024;

const AFTERWARDS: &str = "\
Do it for real, each in a shell of its own:
  heartlined                           the collector; no key, port or file to set up
  cargo run --example minimal_agent    an agent
  heartline                            the terminal app
Then: heartline status, heartline kill NAME --reason TEXT, heartline watch --plain, heartline doctor.";

/// Carries out the command.
pub(crate) async fn run(
    args: &DemoRunArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<Verdict, Failure> {
    if !args.headless && !console.facts.is_screen {
        return Err(Failure::Usage(
            "there is no terminal to open the app on; try `heartline demo --headless`".to_owned(),
        ));
    }
    let stage = Stage::open()?;
    let endpoint = Endpoint::Unix(stage.directories());
    console.say(&introduction(args.agents, stage.path()));
    let (told, mut deeds) = tokio::sync::mpsc::channel(UNTOLD);
    let director = Director::start(stage, cast::fleet(args.agents), told)?;
    let ended = if args.headless {
        let lasting = args.lasting.unwrap_or(HEADLESS);
        headless::print(endpoint, lasting, &mut deeds, console).await
    } else {
        let shown = crate::commands::open_app(endpoint, args.lasting, settings).await;
        shown.map(|()| std::iter::from_fn(|| deeds.try_recv().ok()).collect())
    };
    drop(director);
    let deeds = ended?;
    console.say(&closing(&deeds));
    Ok(Verdict::Good)
}

fn introduction(agents: u16, dir: &Path) -> String {
    format!(
        "A collector and {agents} agents on 4 pretend hosts, all real processes, in {dir}.\n\
         Look at it from another terminal too: heartline --data-dir {dir} status\n",
        dir = dir.display()
    )
}

/// What was done, and what to do next.
fn closing(deeds: &[Told]) -> String {
    let mut text = String::from("\nWhat happened:\n");
    for (at, cue) in deeds {
        text.push_str(&format!("  {:>3} s  {} {}\n", at.as_secs(), cue.agent, cue.story));
    }
    if deeds.is_empty() {
        text.push_str("  nothing yet: the first agent dies after 15 s\n");
    }
    text.push_str("Everything was stopped and its directory removed.\n\n");
    text.push_str(AFTERWARDS);
    text
}

#[cfg(test)]
mod tests {
    use super::super::script::cues;
    use super::*;

    #[test]
    fn the_closing_says_what_happened_and_what_to_do() {
        let deeds: Vec<_> = cues().take(5).collect();
        insta::assert_snapshot!(closing(&deeds));
        assert!(closing(&[]).contains("nothing yet"));
    }
}
