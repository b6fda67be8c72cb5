//! `heartline doctor`: why an agent on this machine would not be seen.

use crate::console::Console;
use crate::doctor::{Finding, examine};
use crate::failure::{Failure, Verdict};
use crate::settings::Settings;

/// Carries out the command.
pub(crate) async fn run(settings: &Settings, console: &mut Console) -> Result<Verdict, Failure> {
    let paint = console.facts.paint;
    let findings = examine(settings).await;
    for finding in &findings {
        let line = match finding {
            Finding::Right(what) => format!("{} {what}", paint.tick()),
            Finding::Note(what) => format!("{} {what}", paint.alert("!")),
            Finding::Wrong { what, advice } => {
                format!("{} {what}\n    {advice}", paint.cross())
            }
        };
        console.print(&line)?;
    }
    let wrong = findings.iter().filter(|finding| matches!(finding, Finding::Wrong { .. })).count();
    match wrong {
        0 => console.say("An agent started here would be seen."),
        wrong => console.say(&format!("{wrong} wrong; the first one is the one to begin with.")),
    }
    Ok(Verdict::bad_if(wrong > 0))
}
