//! Confirmation of commands.

use heartline_vocabulary::CommandRefusal;

use super::plan::{CommandPlan, PlannedCommand, agents};
use crate::console::Console;
use crate::error::CliError;

/// Checks that the count of a large command is confirmed, and that a given count is right, as the
/// collector does.
pub(crate) fn refusal(plan: &CommandPlan, expected: Option<u32>) -> Option<CommandRefusal> {
    CommandRefusal::check_count(plan.hits(), plan.fleet_size(), expected).err()
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
    Err(CliError::NotDone(format!("nothing was done: {} left as they were", agents(plan.hits()))))
}

fn confirmation(plan: &CommandPlan) -> String {
    let hits = plan.hits();
    match (plan.command, plan.preview.first.as_slice(), &plan.preview.whole_host) {
        (PlannedCommand::Kill, [one], _) if hits == 1 => one.agent.clone(),
        (PlannedCommand::Kill, _, Some(host)) => format!("kill all on {host}"),
        (PlannedCommand::Resume, ..) if hits == 1 => "resume".to_owned(),
        (command, ..) => format!("{} {hits}", command.name()),
    }
}

#[cfg(test)]
mod tests {
    use heartline_operator::message::AgentEntry;

    use super::*;
    use crate::console::tests::console;
    use heartline_operator::sample;

    fn plan(command: PlannedCommand, hits: u32, total: u32) -> CommandPlan {
        let mut all: Vec<AgentEntry> =
            (0..total).map(|at| sample::healthy_agent(at, &format!("a.{at:03}"))).collect();
        std::sync::Arc::make_mut(&mut all[0].identity.shared).host = Some("m4".into());
        let mut preview = sample::preview(&all[..hits as usize]);
        preview.collector = sample::collector(&all);
        CommandPlan::new(command, preview)
    }

    #[test]
    fn many_agents_need_their_count_and_a_wrong_count_is_refused() {
        let ask =
            |hits, total, expected| refusal(&plan(PlannedCommand::Kill, hits, total), expected);
        assert_eq!(ask(1, 1, None), None);
        assert_eq!(ask(2, 10, None), None);
        assert!(ask(3, 10, None).is_some());
        assert!(ask(11, 100, None).is_some());
        assert_eq!(ask(11, 100, Some(11)), None);
        assert!(ask(1, 100, Some(2)).is_some());
    }

    #[test]
    fn what_must_be_typed_changes_with_the_scope() {
        assert_eq!(confirmation(&plan(PlannedCommand::Kill, 1, 9)), "a.000");
        assert_eq!(confirmation(&plan(PlannedCommand::Kill, 3, 9)), "kill 3");
        assert_eq!(confirmation(&plan(PlannedCommand::Resume, 3, 9)), "resume 3");
        let mut whole = plan(PlannedCommand::Kill, 3, 9);
        whole.preview.whole_host = Some("m4".into());
        assert_eq!(confirmation(&whole), "kill all on m4");
        assert_eq!(confirmation(&plan(PlannedCommand::Forget, 1, 9)), "forget 1");
        assert_eq!(confirmation(&plan(PlannedCommand::Kill, 60, 90)), "kill 60");
    }

    #[test]
    fn a_wrong_confirmation_is_refused() {
        let answers = [("kill 3\n", true), ("kill 2\n", false), ("y\n", false), ("", false)];
        for (typed, confirmed) in answers {
            let (mut console, out, _) = console(Some(typed));
            let done = confirm(&plan(PlannedCommand::Kill, 3, 9), &mut console);
            assert_eq!(done.is_ok(), confirmed, "{typed:?}");
            assert_eq!(out.text(), "");
        }
        let (mut console, ..) = console(None);
        let error = confirm(&plan(PlannedCommand::Kill, 3, 9), &mut console).unwrap_err();
        assert!(error.to_string().contains("--yes"));
    }
}
