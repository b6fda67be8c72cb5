//! The rules of forgetting.

use heartline_operator::client::AccessMode;
use heartline_operator::message::ForgetCommand;
use heartline_operator::sample;

use super::harness::AppHarness;
use crate::options::TuiConfig;
use crate::state::DialogFocus;
use crate::update::{AppEffect, AppEvent};

fn sent_forget(effects: &[AppEffect]) -> Option<&ForgetCommand> {
    effects.iter().find_map(|effect| match effect {
        AppEffect::SendForget(command) => Some(command),
        _ => None,
    })
}

/// Types the phrase and presses Forget.
fn confirm(app: &mut AppHarness) -> ForgetCommand {
    let phrase = app.phrase();
    app.keys("Tab");
    app.type_text(&phrase);
    app.keys("Tab Tab");
    assert_eq!(app.focus(), Some(DialogFocus::Confirm));
    let effects = app.keys("Enter");
    assert_eq!(app.focus(), None);
    sent_forget(&effects).expect("it is sent").clone()
}

fn message(app: &AppHarness) -> &str {
    app.state.status_message.as_ref().map_or("", |message| &message.text)
}

#[test]
fn forget_asks_for_the_name_of_one_agent_and_begins_on_cancel() {
    let mut app = AppHarness::on("cron-digest");
    app.keys("F");
    assert_eq!(app.focus(), Some(DialogFocus::Cancel));
    assert_eq!(app.phrase(), "cron-digest");
    let screen = app.screen();
    assert!(screen.contains("FORGET 1 agent") && screen.contains("its history stays"), "{screen}");
    assert!(!screen.contains("Reason"), "a forget has none: {screen}");
    assert_eq!(app.keys("Enter"), []);
    assert_eq!(app.focus(), None);
}

#[test]
fn forget_is_disabled_until_the_phrase_is_typed_and_enter_never_confirms_from_the_field() {
    let mut app = AppHarness::on("cron-digest");
    app.keys("F Tab");
    assert_eq!(app.focus(), Some(DialogFocus::Phrase));
    app.type_text("cron-diges");
    app.keys("Tab");
    assert_eq!(app.focus(), Some(DialogFocus::Cancel));
    app.keys("Tab");
    assert_eq!(app.focus(), Some(DialogFocus::Phrase), "past the disabled button");
    app.type_text("t");
    assert_eq!(app.keys("Enter"), []);
    assert_eq!(app.focus(), Some(DialogFocus::Cancel));
}

#[test]
fn a_confirmed_forget_carries_the_count_and_exact_ids() {
    let mut app = AppHarness::connected((120, 36));
    app.keys("A F");
    assert_eq!(app.phrase(), "forget 3");
    let command = confirm(&mut app);
    assert_eq!(command.agents.names(), ["cron-digest", "report-generator", "ticket-triage"]);
    assert_eq!((command.expect, command.fingerprint), (Some(3), None));
    assert!(message(&app).contains("forget 3 agents"), "{}", message(&app));
}

#[test]
fn agents_that_beat_or_are_killed_are_left_out_and_counted() {
    let mut app = AppHarness::connected((120, 36));
    app.keys("A F");
    assert!(app.line("left out").contains("17 others"), "{}", app.screen());
    for (agent, said) in [("scraper-eu", "resume it, then forget it"), ("mail.2", "stop it, then")]
    {
        let mut app = AppHarness::on(agent);
        app.keys("F");
        assert_eq!(app.focus(), None);
        assert!(message(&app).contains(said) && message(&app).contains(agent), "{}", message(&app));
    }
    let mut app = AppHarness::connected((120, 36));
    app.keys("/");
    app.type_text("mail");
    app.keys("Enter A F");
    assert!(message(&app).contains("nothing here can be forgotten"), "{}", message(&app));
}

#[test]
fn marked_agents_that_the_filter_hides_are_counted_and_forgotten_with_the_others() {
    let mut app = AppHarness::on("report-generator");
    app.keys("Space Esc /");
    app.type_text("agent=cron-digest");
    app.keys("Enter Space F");
    assert!(app.line("of them hidden by the filter").contains("1 of them"));
    assert_eq!(confirm(&mut app).agents.names(), ["cron-digest", "report-generator"]);
}

#[test]
fn all_agents_of_a_host_are_forgotten_by_its_name() {
    let mut app = AppHarness::connected((120, 36));
    for entry in &mut app.agents {
        *entry = match entry.identity.shared.host.as_deref() {
            Some("m3-gpu-01") => sample::silent_agent(entry.id.0.try_into().unwrap(), &entry.agent),
            _ => entry.clone(),
        };
    }
    app.connect(AccessMode::Control);
    app.keys("g g F");
    assert_eq!(app.phrase(), "forget all on m3-gpu-01");
}

#[test]
fn marks_stay_until_their_agents_are_forgotten() {
    let mut app = AppHarness::on("cron-digest");
    app.keys("Space F");
    confirm(&mut app);
    assert_eq!(app.state.list.marks.len(), 1);
    let why = "REFUSED, nothing was done: cron-digest is killed: resume it, then forget it";
    app.send(AppEvent::ForgetAnswered(Err(why.to_owned())));
    assert!(app.line("REFUSED").contains("resume it, then forget it"));
    assert_eq!(app.state.list.marks.len(), 1);

    app.keys("F");
    let command = confirm(&mut app);
    app.send(AppEvent::ForgetAnswered(Ok(command.agents.names().to_vec())));
    assert!(app.line("forgotten: cron-digest").contains("its history stays"));
    assert!(app.state.list.marks.is_empty());
    app.remove("cron-digest");
    app.keys("Esc");
    app.wait(7_000);
    assert!(!app.screen().contains("cron-digest"), "{}", app.screen());
}

#[test]
fn no_forget_is_sent_without_a_connection() {
    let mut app = AppHarness::on("cron-digest");
    app.keys("F Tab");
    app.type_text("cron-digest");
    app.disconnect();
    assert_eq!(app.keys("Tab Tab Enter"), []);
    assert!(app.screen().contains("nothing was sent"));
    app.keys("Esc F");
    assert!(app.screen().contains("nobody can be asked to forget"), "{}", app.screen());
}

#[test]
fn a_read_only_connection_neither_offers_nor_takes_forget() {
    for size in [(60, 15), (80, 24), (120, 36), (200, 60)] {
        let mut app = AppHarness::unconnected(size, &TuiConfig::default());
        app.connect(AccessMode::View);
        app.keys("F");
        assert_eq!(app.focus(), None);
        assert!(message(&app).contains("read-only connection"), "{}", message(&app));
        app.wait(7_000);
        for keys in ["", "2", "?", "q :"] {
            app.keys(keys);
            assert!(!app.screen().contains("forget"), "{}", app.screen());
        }
        app.keys("Esc Esc");
        app.connect(AccessMode::Control);
        app.keys(":");
        app.type_text("forg");
        assert!(app.screen().contains("forget agents that are gone"), "{}", app.screen());
    }
}

#[test]
fn forget_of_the_agent_screen_is_about_its_agent() {
    let mut app = AppHarness::on("cron-digest");
    app.keys("2 F");
    assert_eq!(confirm(&mut app).agents.names(), ["cron-digest"]);
}

#[test]
fn the_screen_of_an_agent_that_was_forgotten_says_so() {
    for size in [(120, 36), (40, 10)] {
        let mut app = AppHarness::connected(size);
        app.keys("2");
        let id = "report-generator".to_owned();
        let detail = Box::new(sample::agent_detail(&id));
        app.send(AppEvent::AgentReceived { id: id.clone(), result: Ok(detail) });
        assert!(app.screen().contains("silent"), "{}", app.screen());
        app.remove(&id);
        let why = format!("no agent \"{id}\"; `heartline status` lists them");
        app.send(AppEvent::AgentReceived { id, result: Err(why) });
        assert!(app.screen().contains("report-generator: no agent"), "{}", app.screen());
        assert!(!app.screen().contains("silent"), "{}", app.screen());
        app.keys("F");
        assert!(message(&app).contains("no agent is selected"), "{}", message(&app));
    }
}
