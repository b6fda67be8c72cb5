//! Confirmation of commands.

use heartline_vocabulary::{Action, CommandRefusal};

use super::plan::{CommandPlan, agents};
use crate::console::Console;
use crate::error::CliError;

/// More agents than this need their count confirmed.
const UNCONFIRMED_MAX: usize = 10;
/// So does more than one in this many of the fleet, if it is more than one agent.
const UNCONFIRMED_SHARE: usize = 5;

/// Checks that the count of a large command is confirmed, and that a given count is right. The
/// collector checks the same.
pub(crate) fn refusal(plan: &CommandPlan, expected: Option<u32>) -> Option<CommandRefusal> {
    let hits = plan.targets.len();
    let is_large = hits > UNCONFIRMED_MAX
        || (hits > 1 && hits.saturating_mul(UNCONFIRMED_SHARE) > plan.fleet_size);
    let hits = u32::try_from(hits).unwrap_or(u32::MAX);
    let is_wrong = expected.is_some_and(|expected| expected != hits);
    (is_wrong || (is_large && expected.is_none()))
        .then_some(CommandRefusal::CountNotConfirmed { hits, expected })
}

/// Asks at the terminal. The words to type change with the targets, so that no habit confirms them.
///
/// # Errors
/// [`CliError::Usage`] without a terminal, [`CliError::NotDone`] when it is not confirmed.
pub(crate) fn confirm(plan: &CommandPlan, console: &mut Console) -> Result<(), CliError> {
    if !console.terminal.is_interactive {
        return Err(CliError::Usage("there is no terminal to ask at: pass --yes".to_owned()));
    }
    let words = confirmation(plan);
    let answer = console.ask(&format!("To confirm, type: {words}\n> "))?;
    if answer.as_deref() == Some(words.as_str()) {
        return Ok(());
    }
    Err(CliError::NotDone(format!(
        "nothing was done: {} left as they were",
        agents(plan.targets.len())
    )))
}

fn confirmation(plan: &CommandPlan) -> String {
    match (plan.action, plan.targets.as_slice(), &plan.whole_host) {
        (Action::Kill, [one], _) => one.agent.clone(),
        (Action::Kill, _, Some(host)) => format!("kill all on {host}"),
        (Action::Kill, several, None) => format!("kill {}", several.len()),
        (Action::Resume, [_], _) => "resume".to_owned(),
        (Action::Resume, several, _) => format!("resume {}", several.len()),
    }
}

#[cfg(test)]
mod tests {
    use heartline_operator::message::AgentEntry;

    use super::*;
    use crate::console::tests::console;
    use crate::targets::FleetSnapshot;
    use heartline_operator::sample;

    fn plan(action: Action, hits: u32, total: u32) -> CommandPlan {
        let mut all: Vec<AgentEntry> =
            (0..total).map(|at| sample::healthy_agent(at, &format!("a.{at:03}"))).collect();
        std::sync::Arc::make_mut(&mut all[0].identity.shared).host = Some("m4".into());
        let targets = all[..hits as usize].to_vec();
        let collector = sample::collector(&all);
        CommandPlan::new(action, &FleetSnapshot::new(all, collector), targets)
    }

    #[test]
    fn many_agents_need_their_count_and_a_wrong_count_is_refused() {
        let ask = |hits, total, expected| refusal(&plan(Action::Kill, hits, total), expected);
        assert_eq!(ask(1, 1, None), None);
        assert_eq!(ask(2, 10, None), None);
        assert!(ask(3, 10, None).is_some());
        assert!(ask(11, 100, None).is_some());
        assert_eq!(ask(11, 100, Some(11)), None);
        assert!(ask(1, 100, Some(2)).is_some());
    }

    #[test]
    fn what_must_be_typed_changes_with_the_scope() {
        assert_eq!(confirmation(&plan(Action::Kill, 1, 9)), "a.000");
        assert_eq!(confirmation(&plan(Action::Kill, 3, 9)), "kill 3");
        assert_eq!(confirmation(&plan(Action::Resume, 3, 9)), "resume 3");
        let mut whole = plan(Action::Kill, 3, 9);
        whole.whole_host = Some("m4".into());
        assert_eq!(confirmation(&whole), "kill all on m4");
    }

    #[test]
    fn a_wrong_confirmation_is_refused() {
        let answers = [("kill 3\n", true), ("kill 2\n", false), ("y\n", false), ("", false)];
        for (typed, confirmed) in answers {
            let (mut console, out, _) = console(Some(typed));
            let done = confirm(&plan(Action::Kill, 3, 9), &mut console);
            assert_eq!(done.is_ok(), confirmed, "{typed:?}");
            assert_eq!(out.text(), "");
        }
        let (mut console, ..) = console(None);
        let error = confirm(&plan(Action::Kill, 3, 9), &mut console).unwrap_err();
        assert!(error.to_string().contains("--yes"));
    }
}
