//! The rules of killing.

use heartline_operator::client::AccessMode;
use heartline_operator::message::*;
use heartline_vocabulary::{Action, CommandRefusal, CommandTarget, Reason, State};

use super::harness::AppHarness;
use crate::options::TuiConfig;
use crate::state::DialogFocus;
use crate::update::{AppEffect, AppEvent};

fn app() -> AppHarness {
    AppHarness::connected((120, 36))
}

fn sent_command(effects: &[AppEffect]) -> Option<&AgentCommand> {
    effects.iter().find_map(|effect| match effect {
        AppEffect::SendCommand(command) => Some(command),
        _ => None,
    })
}

/// Fills both fields in and presses Kill.
fn confirm(app: &mut AppHarness) -> Vec<AppEffect> {
    let phrase = app.phrase();
    app.keys("Tab");
    app.type_text("INC-482");
    app.keys("Tab");
    app.type_text(&phrase);
    app.keys("Tab Tab");
    assert_eq!(app.focus(), Some(DialogFocus::Confirm));
    app.keys("Enter")
}

/// Delivers the collector's acceptance of a command.
fn accept(app: &mut AppHarness, command: &AgentCommand, generation: u64) {
    let target = |agent: &String| CommandTarget {
        agent: agent.as_str().into(),
        generation,
        state: State::Healthy,
        changed: true,
    };
    let outcome = CommandOutcome {
        request_id: command.request_id,
        at_ms: heartline_operator::sample::NOW_MS,
        targets: command.agents.names().iter().map(target).collect(),
        refused: None,
    };
    app.send(AppEvent::CommandAnswered(outcome));
}

#[test]
fn the_focus_starts_on_cancel_and_enter_cancels() {
    let mut app = AppHarness::on("mail.2");
    app.keys("K");
    assert_eq!(app.focus(), Some(DialogFocus::Cancel));
    assert_eq!(app.keys("Enter"), []);
    assert_eq!(app.focus(), None);
}

#[test]
fn enter_never_confirms_from_a_text_field() {
    let mut app = AppHarness::on("mail.2");
    app.keys("K Tab");
    app.type_text("because");
    assert_eq!(app.keys("Enter"), []);
    assert_eq!(app.focus(), Some(DialogFocus::Phrase));
    app.type_text("mail.2");
    assert_eq!(app.keys("Enter"), []);
    assert_eq!(app.focus(), Some(DialogFocus::Cancel));
}

#[test]
fn letters_do_nothing_while_a_button_has_the_focus() {
    let mut app = AppHarness::on("mail.2");
    app.keys("K");
    assert_eq!(app.type_text("yYkKqQ"), []);
    assert_eq!(app.focus(), Some(DialogFocus::Cancel));
}

#[test]
fn kill_is_disabled_until_both_fields_are_right() {
    for (reason, typed) in
        [("", "mail.2"), ("because", "mail.3"), ("  ", "mail.2"), ("because", "")]
    {
        let mut app = AppHarness::on("mail.2");
        app.keys("K Tab");
        app.type_text(reason);
        app.keys("Tab");
        app.type_text(typed);
        app.keys("Tab Tab");
        assert_eq!(app.focus(), Some(DialogFocus::Reason), "{reason:?} {typed:?}");
    }
}

#[test]
fn the_phrase_to_type_depends_on_the_scope() {
    let mut one = AppHarness::on("mail.2");
    one.keys("K");
    assert_eq!(one.phrase(), "mail.2");
    let mut two = app();
    two.keys("Space Space K");
    assert_eq!(two.phrase(), "kill 2");
    let mut host = app();
    host.keys("g g K");
    assert_eq!(host.phrase(), "kill all on m3-gpu-01");
}

#[test]
fn marking_all_agents_of_a_host_kills_the_host() {
    let mut app = app();
    app.keys("/");
    app.type_text("host=edge-17");
    app.keys("Enter A K");
    assert_eq!(app.phrase(), "kill all on edge-17");
}

#[test]
fn a_confirmed_kill_carries_reason_count_and_exact_ids() {
    let mut app = app();
    app.keys("Space Space K");
    let effects = confirm(&mut app);
    let command = sent_command(&effects).unwrap();
    assert_eq!(command.agents.names(), ["email-responder", "report-generator"]);
    assert_eq!((command.action, command.expect), (Action::Kill, Some(2)));
    assert_eq!(command.reason, "INC-482");
    assert_ne!(command.request_id, 0);
    assert_eq!(app.focus(), None);
    assert!(app.state.list.marks.is_empty());
}

#[test]
fn targets_are_fixed_by_id_when_the_dialog_opens() {
    let mut app = AppHarness::on("mail.2");
    app.keys("K");
    // The rows move: another agent is now where the cursor was.
    app.change("mail.3", |vitals| {
        vitals.state = State::Unreachable;
        vitals.reason = Some(Reason::Silent);
    });
    let effects = confirm(&mut app);
    assert_eq!(sent_command(&effects).unwrap().agents.names(), ["mail.2"]);
}

#[test]
fn marked_agents_that_the_filter_hides_are_listed_and_counted() {
    let mut app = app();
    app.keys("Space Space /");
    app.type_text("edge");
    app.keys("Enter j Space K");
    assert!(app.screen().contains("KILL 3 agents"));
    assert!(app.line("of them hidden by the filter").contains("2 of them"));
    assert!(app.line("email-responder").contains("hidden"));
    assert_eq!(app.phrase(), "kill 3");
}

#[test]
fn a_kill_is_pending_until_it_is_obeyed() {
    let mut app = AppHarness::on("mail.2");
    app.keys("K");
    let effects = confirm(&mut app);
    let command = sent_command(&effects).unwrap().clone();
    assert!(app.line("KILL mail.2").contains("sent, waiting"));
    accept(&mut app, &command, 9);
    app.wait(2_000);
    assert!(app.line("KILL mail.2").contains("PENDING 2s"));
    app.change("mail.2", |vitals| {
        let view = CommandStatus {
            obeyed_ms: None,
            delivered_ms: Some(3),
            draining: 1,
            ..heartline_operator::sample::kill_command(9)
        };
        vitals.state = State::Killed;
        vitals.reason = Some(Reason::Operator);
        vitals.command = Some(view.into());
    });
    assert!(app.line("■ DRAINING").contains("mail.2"));
    let line = app.line("KILL mail.2");
    assert!(line.contains("delivered in 3ms, DRAINING 2s: 1 task in flight"), "{line}");
    app.change("mail.2", |vitals| {
        vitals.command = Some(heartline_operator::sample::kill_command(9).into());
    });
    assert!(app.line("KILL mail.2").contains("obeyed in 1.2s"));
    app.wait(11_000);
    assert!(!app.screen().contains("obeyed in 1.2s\n"));
}

#[test]
fn an_earlier_kill_does_not_count_as_obeyed() {
    let mut app = AppHarness::on("scraper-eu");
    app.keys("K");
    let effects = confirm(&mut app);
    accept(&mut app, &sent_command(&effects).unwrap().clone(), 5);
    assert!(app.line("KILL scraper-eu").contains("PENDING"));
}

#[test]
fn a_killed_agent_that_still_works_is_flagged() {
    let mut app = app();
    app.change("scraper-eu", |vitals| vitals.command.as_mut().unwrap().disobeyed = true);
    assert!(app.line("scraper-eu").contains("DISOBEYS"));
}

#[test]
fn a_command_without_an_answer_is_sent_again_with_its_request_id() {
    let mut app = AppHarness::on("mail.2");
    app.keys("K");
    let effects = confirm(&mut app);
    let command = sent_command(&effects).unwrap().clone();
    app.disconnect();
    app.send(AppEvent::CommandUnanswered);
    assert!(app.line("KILL mail.2").contains("sent again after reconnecting"));
    assert_eq!(sent_command(&app.connect(AccessMode::Control)), Some(&command));
    accept(&mut app, &command, 9);
    assert_eq!(sent_command(&app.connect(AccessMode::Control)), None);
}

#[test]
fn a_refused_command_is_shown_as_not_carried_out() {
    let mut app = AppHarness::on("mail.2");
    app.keys("K");
    let effects = confirm(&mut app);
    let request_id = sent_command(&effects).unwrap().request_id;
    let refused = Some(CommandRefusal::CountNotConfirmed { hits: 12, expected: Some(1) });
    let outcome = CommandOutcome { request_id, at_ms: 0, targets: Vec::new(), refused };
    app.send(AppEvent::CommandAnswered(outcome));
    assert!(app.line("KILL mail.2").contains("REFUSED, nothing was done"));
}

#[test]
fn the_reason_of_a_refusal_is_shown_to_its_end() {
    for size in [(60, 15), (80, 24)] {
        let mut app = AppHarness::connected(size);
        app.keys("K");
        let effects = confirm(&mut app);
        let request_id = sent_command(&effects).unwrap().request_id;
        let why =
            "the collector can't write control.db, which is full; free space on its disk, and \
                   ask again"
                .to_owned();
        app.send(AppEvent::CommandRefused { request_id, why });
        let shown = app.screen().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(shown.contains("nothing was done") && shown.contains("and ask again"), "{shown}");
    }
}

#[test]
fn no_command_is_sent_without_a_connection() {
    let mut app = AppHarness::on("mail.2");
    app.keys("K");
    app.disconnect();
    let effects = confirm(&mut app);
    assert_eq!(effects, []);
    assert!(app.screen().contains("nothing was sent"));
}

#[test]
fn a_read_only_connection_opens_no_dialog() {
    let mut app = AppHarness::unconnected((120, 36), &TuiConfig::default());
    app.connect(AccessMode::View);
    app.keys("K");
    assert_eq!(app.focus(), None);
    assert!(app.screen().contains("read-only connection"));
}

#[test]
fn a_resume_dialog_shows_who_killed_when_and_why() {
    let mut app = AppHarness::on("scraper-eu");
    app.keys("R");
    assert!(app.line("killed by ops@bastion").contains("\"cost loop, INC-482\""));
    assert_eq!(app.focus(), Some(DialogFocus::Cancel));
    let effects = app.keys("Tab Enter");
    let command = sent_command(&effects).unwrap();
    assert_eq!(
        (command.action, command.agents.names()),
        (Action::Resume, &["scraper-eu".to_owned()][..])
    );
}

#[test]
fn an_agent_that_stopped_by_itself_can_not_be_resumed() {
    let mut app = AppHarness::on("cron-digest");
    app.keys("R");
    assert_eq!(app.focus(), None);
}

#[test]
fn the_effect_of_a_kill_says_which_agents_it_reaches_and_when() {
    let mut app = app();
    app.keys("Space j Space K");
    assert!(app.line("inventory-sync: delivered now").contains("within 15s"));
    assert!(app.line("report-generator: not beating").contains("PENDING"));
}

#[test]
fn a_silent_collector_is_not_mistaken_for_silent_agents() {
    let mut app = AppHarness::on("mail.2");
    app.wait(45_000);
    app.keys("K");
    let line = app.line("the collector has been silent for 45s");
    assert!(line.contains("mail.2") && !app.screen().contains("not beating"), "{}", app.screen());
}

#[test]
fn without_a_connection_kill_says_that_there_is_none() {
    let mut app = AppHarness::unconnected((80, 24), &TuiConfig::default());
    app.keys("K");
    assert!(app.screen().contains("no connection to a collector"), "{}", app.screen());
    assert_eq!(app.focus(), None);
}

#[test]
fn a_read_only_connection_is_shown_and_offers_no_kill_and_no_resume() {
    for size in [(60, 15), (80, 24), (120, 36), (40, 10)] {
        let mut app = AppHarness::unconnected(size, &TuiConfig::default());
        assert!(!app.screen().contains("READ-ONLY"), "before it is known");
        app.connect(AccessMode::View);
        for keys in ["", "2", "?", "q :"] {
            app.keys(keys);
            let screen = app.screen();
            assert!(!screen.contains("K kill") && !screen.contains("R resume"), "{screen}");
            assert!(!screen.contains("kill this agent"), "{screen}");
        }
        app.keys("Esc Esc");
        assert!(app.screen().contains("READ-ONLY"), "{}", app.screen());
        app.connect(AccessMode::Control);
        assert!(!app.screen().contains("READ-ONLY"));
        app.keys("?");
        assert!(app.screen().contains("kill this agent") || size.1 < 15, "{}", app.screen());
    }
}

#[test]
fn pasted_text_is_never_read_as_keys() {
    let mut app = AppHarness::on("mail.2");
    app.send(AppEvent::Paste("K\nmail.2\nq".to_owned()));
    assert_eq!(app.focus(), None);
    app.keys("K Tab");
    app.send(AppEvent::Paste("INC-1\r\n".to_owned()));
    assert_eq!(app.focus(), Some(DialogFocus::Reason));
}
