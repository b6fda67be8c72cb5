//! The rules of killing: each from an accident in a well-known tool.

use heartline_operator::message::*;
use heartline_vocabulary::{Action, CommandRefusal, CommandTarget, Reason, State};

use crate::event::{Answer, Effect, Event as Input};
use crate::options::TuiConfig;
use crate::sample::{Driver, Right};
use crate::state::{Focus, Overlay};

fn driver() -> Driver {
    Driver::live((120, 36))
}

/// The cursor on one agent.
fn on(agent: &str) -> Driver {
    let mut driver = driver();
    driver.keys("/");
    driver.types(&format!("agent={agent}"));
    driver.keys("Enter");
    driver
}

fn focus(driver: &Driver) -> Option<Focus> {
    match &driver.app.overlay {
        Some(Overlay::Dialog(dialog)) => Some(dialog.focus),
        _ => None,
    }
}

fn phrase(driver: &Driver) -> String {
    match &driver.app.overlay {
        Some(Overlay::Dialog(dialog)) => dialog.scope.phrase(),
        _ => panic!("no dialog is open"),
    }
}

fn order(effects: &[Effect]) -> Option<&AgentCommand> {
    effects.iter().find_map(|effect| match effect {
        Effect::Order(command) => Some(command),
        _ => None,
    })
}

/// Fills both fields and presses Kill.
fn confirm(driver: &mut Driver) -> Vec<Effect> {
    let phrase = phrase(driver);
    driver.keys("Tab");
    driver.types("INC-482");
    driver.keys("Tab");
    driver.types(&phrase);
    driver.keys("Tab Tab");
    assert_eq!(focus(driver), Some(Focus::Confirm));
    driver.keys("Enter")
}

/// The collector's answer to a command.
fn taken(driver: &mut Driver, command: &AgentCommand, generation: u64) {
    let target = |agent: &String| CommandTarget {
        agent: agent.as_str().into(),
        generation,
        state: State::Healthy,
        changed: true,
    };
    let outcome = CommandOutcome {
        request_id: command.request_id,
        at_ms: heartline_operator::sample::NOW_MS,
        targets: command.agents.iter().map(target).collect(),
        refused: None,
    };
    driver.send(Input::Answer(Answer::Command(outcome)));
}

#[test]
fn the_focus_starts_on_cancel_and_enter_cancels() {
    let mut driver = on("mail.2");
    driver.keys("K");
    assert_eq!(focus(&driver), Some(Focus::Cancel));
    assert_eq!(driver.keys("Enter"), []);
    assert_eq!(focus(&driver), None);
}

#[test]
fn enter_never_confirms_from_a_text_field() {
    let mut driver = on("mail.2");
    driver.keys("K Tab");
    driver.types("because");
    assert_eq!(driver.keys("Enter"), []);
    assert_eq!(focus(&driver), Some(Focus::Typed));
    driver.types("mail.2");
    assert_eq!(driver.keys("Enter"), []);
    assert_eq!(focus(&driver), Some(Focus::Cancel));
}

#[test]
fn letters_do_nothing_while_a_button_has_the_focus() {
    let mut driver = on("mail.2");
    driver.keys("K");
    assert_eq!(driver.types("yYkKqQ"), []);
    assert_eq!(focus(&driver), Some(Focus::Cancel));
}

#[test]
fn kill_is_off_until_both_fields_are_right() {
    for (reason, typed) in
        [("", "mail.2"), ("because", "mail.3"), ("  ", "mail.2"), ("because", "")]
    {
        let mut driver = on("mail.2");
        driver.keys("K Tab");
        driver.types(reason);
        driver.keys("Tab");
        driver.types(typed);
        driver.keys("Tab Tab");
        assert_eq!(focus(&driver), Some(Focus::Reason), "{reason:?} {typed:?}");
    }
}

#[test]
fn what_must_be_typed_grows_with_the_scope() {
    let mut one = on("mail.2");
    one.keys("K");
    assert_eq!(phrase(&one), "mail.2");
    let mut two = driver();
    two.keys("Space Space K");
    assert_eq!(phrase(&two), "kill 2");
    let mut host = driver();
    host.keys("g g K");
    assert_eq!(phrase(&host), "kill all on m3-gpu-01");
}

#[test]
fn marking_all_that_runs_on_a_host_is_killing_the_host() {
    let mut driver = driver();
    driver.keys("/");
    driver.types("host=edge-17");
    driver.keys("Enter A K");
    assert_eq!(phrase(&driver), "kill all on edge-17");
}

#[test]
fn a_confirmed_kill_carries_reason_count_and_exact_ids() {
    let mut driver = driver();
    driver.keys("Space Space K");
    let effects = confirm(&mut driver);
    let command = order(&effects).unwrap();
    assert_eq!(command.agents, ["inventory-sync", "report-generator"]);
    assert_eq!((command.action, command.expect), (Action::Kill, Some(2)));
    assert_eq!(command.reason, "INC-482");
    assert_ne!(command.request_id, 0);
    assert_eq!(focus(&driver), None);
    assert!(driver.app.list.marks.is_empty());
}

#[test]
fn targets_are_fixed_by_id_when_the_dialog_opens() {
    let mut driver = on("mail.2");
    driver.keys("K");
    // The rows move, and the agent under the cursor's old place is another one.
    driver.change("mail.3", |vitals| {
        vitals.state = State::Unreachable;
        vitals.reason = Some(Reason::Silent);
    });
    let effects = confirm(&mut driver);
    assert_eq!(order(&effects).unwrap().agents, ["mail.2"]);
}

#[test]
fn marked_agents_that_the_filter_hides_are_listed_and_counted() {
    let mut driver = driver();
    driver.keys("Space Space /");
    driver.types("edge");
    driver.keys("Enter j Space K");
    assert!(driver.screen().contains("KILL 3 agents"));
    assert!(driver.line("of them not on your screen").contains("2 of them"));
    assert!(driver.line("inventory-sync").contains("hidden"));
    assert_eq!(phrase(&driver), "kill 3");
}

#[test]
fn a_kill_is_pending_until_it_is_obeyed() {
    let mut driver = on("mail.2");
    driver.keys("K");
    let effects = confirm(&mut driver);
    let command = order(&effects).unwrap().clone();
    assert!(driver.line("KILL mail.2").contains("sent, waiting"));
    taken(&mut driver, &command, 9);
    driver.wait(2_000);
    assert!(driver.line("KILL mail.2").contains("PENDING 2s"));
    driver.change("mail.2", |vitals| {
        let view = CommandStatus {
            obeyed_ms: None,
            delivered_ms: Some(3),
            draining: 1,
            ..heartline_operator::sample::kill_command(9)
        };
        vitals.state = State::Killed;
        vitals.reason = Some(Reason::Operator);
        vitals.command = Some(view);
    });
    assert!(driver.line("■ DRAINING").contains("mail.2"));
    let said = driver.line("KILL mail.2");
    assert!(said.contains("delivered in 3ms, DRAINING 2s: 1 task in flight"), "{said}");
    driver.change("mail.2", |vitals| {
        vitals.command = Some(heartline_operator::sample::kill_command(9));
    });
    assert!(driver.line("KILL mail.2").contains("obeyed in 1.2s"));
    driver.wait(11_000);
    assert!(!driver.screen().contains("obeyed in 1.2s\n"));
}

#[test]
fn an_earlier_kill_does_not_count_as_obeyed() {
    let mut driver = on("scraper-eu");
    driver.keys("K");
    let effects = confirm(&mut driver);
    taken(&mut driver, &order(&effects).unwrap().clone(), 5);
    assert!(driver.line("KILL scraper-eu").contains("PENDING"));
}

#[test]
fn a_killed_agent_that_still_works_is_flagged() {
    let mut driver = driver();
    driver.change("scraper-eu", |vitals| vitals.command.as_mut().unwrap().disobeyed = true);
    assert!(driver.line("scraper-eu").contains("DISOBEYS"));
}

#[test]
fn an_order_without_an_answer_is_given_again_under_its_number() {
    let mut driver = on("mail.2");
    driver.keys("K");
    let effects = confirm(&mut driver);
    let command = order(&effects).unwrap().clone();
    driver.lose();
    driver.send(Input::Answer(Answer::CommandUnanswered));
    assert!(driver.line("KILL mail.2").contains("sent again when it is back"));
    assert_eq!(order(&driver.connect(Right::Act)), Some(&command));
    taken(&mut driver, &command, 9);
    assert_eq!(order(&driver.connect(Right::Act)), None);
}

#[test]
fn a_refusal_says_that_nothing_was_done() {
    let mut driver = on("mail.2");
    driver.keys("K");
    let effects = confirm(&mut driver);
    let request_id = order(&effects).unwrap().request_id;
    let refused = Some(CommandRefusal::CountNotConfirmed { hits: 12, expected: Some(1) });
    let outcome = CommandOutcome { request_id, at_ms: 0, targets: Vec::new(), refused };
    driver.send(Input::Answer(Answer::Command(outcome)));
    assert!(driver.line("KILL mail.2").contains("REFUSED, nothing was done"));
}

#[test]
fn nothing_is_ordered_over_a_lost_link() {
    let mut driver = on("mail.2");
    driver.keys("K");
    driver.lose();
    let effects = confirm(&mut driver);
    assert_eq!(effects, []);
    assert!(driver.screen().contains("nothing was ordered"));
}

#[test]
fn who_may_only_look_gets_no_dialog() {
    let mut driver = Driver::unconnected((120, 36), &TuiConfig::default());
    driver.connect(Right::Look);
    driver.keys("K");
    assert_eq!(focus(&driver), None);
    assert!(driver.screen().contains("may look, but not act"));
}

#[test]
fn resuming_asks_once_and_shows_who_killed_when_and_why() {
    let mut driver = on("scraper-eu");
    driver.keys("R");
    assert!(driver.line("killed by ops@bastion").contains("\"cost loop, INC-482\""));
    assert_eq!(focus(&driver), Some(Focus::Cancel));
    let effects = driver.keys("Tab Enter");
    let command = order(&effects).unwrap();
    assert_eq!(
        (command.action, command.agents.as_slice()),
        (Action::Resume, &["scraper-eu".to_owned()][..])
    );
}

#[test]
fn what_stopped_by_itself_is_not_resumed() {
    let mut driver = on("cron-digest");
    driver.keys("R");
    assert_eq!(focus(&driver), None);
}

#[test]
fn the_effect_says_who_hears_of_it_and_by_when() {
    let mut driver = driver();
    driver.keys("Space Space K");
    assert!(driver.line("inventory-sync: told").contains("in 15s at the latest"));
    assert!(driver.line("report-generator: not beating").contains("PENDING"));
}

#[test]
fn pasted_text_never_presses_a_key() {
    let mut driver = on("mail.2");
    driver.send(Input::Paste("K\nmail.2\nq".to_owned()));
    assert_eq!(focus(&driver), None);
    driver.keys("K Tab");
    driver.send(Input::Paste("INC-1\r\n".to_owned()));
    assert_eq!(focus(&driver), Some(Focus::Reason));
}
