//! The list: selection by id, filters, folds, freezing, and the link.

use std::time::Duration;

use heartline_operator::client::LinkEvent;
use heartline_operator::message::{AgentVitals, FleetDelta, WorkWindow};
use heartline_vocabulary::{Reason, State};

use crate::event::{Effect, Event, ExportFormat};
use crate::sample::{Driver, Right};
use crate::state::Screen;

fn driver() -> Driver {
    Driver::live((120, 36))
}

fn unreachable(vitals: &mut AgentVitals) {
    vitals.state = State::Unreachable;
    vitals.reason = Some(Reason::Silent);
    vitals.since_ms = 0;
}

#[test]
fn the_selection_follows_its_agent_when_rows_move() {
    let mut driver = driver();
    driver.keys("v v v j j j j j j j j");
    let selected = driver.app.list.selected().unwrap().to_owned();
    let before = driver.app.list.at;
    driver.change("order-processor.1", unreachable);
    assert_eq!(driver.app.list.selected(), Some(selected.as_str()));
    assert_eq!(driver.app.list.at, before + 1);
    assert!(driver.line(&format!("  {selected} ")).starts_with('>'));
}

#[test]
fn new_keys_after_a_reconnect_move_neither_selection_nor_marks() {
    let mut driver = driver();
    driver.keys("j j Space");
    let selected = driver.app.list.selected().unwrap().to_owned();
    let marks = driver.app.list.marks.clone();
    for entry in &mut driver.agents {
        entry.id.0 = 1_000 - entry.id.0;
    }
    driver.lose();
    driver.connect(Right::Act);
    assert_eq!(driver.app.list.selected(), Some(selected.as_str()));
    assert_eq!(driver.app.list.marks, marks);
    assert!(driver.line("report-generator").contains("UNREACH"));
}

#[test]
fn a_filter_narrows_as_it_is_typed_and_escape_takes_it_back() {
    let mut driver = driver();
    driver.keys("/");
    driver.types("host=edge-17");
    assert_eq!(driver.app.list.matched, 6);
    driver.keys("Esc");
    assert_eq!(driver.app.list.matched, 20);
    driver.keys("/");
    driver.types("mail");
    driver.keys("Enter");
    assert_eq!(driver.app.list.matched, 5);
    driver.keys("Esc");
    assert_eq!(driver.app.list.matched, 20);
}

#[test]
fn a_faulty_filter_points_at_its_column_and_keeps_the_last_good_one() {
    let mut driver = driver();
    driver.keys("/");
    driver.types("mail ");
    driver.send(Event::Paste("colour:red".to_owned()));
    let screen = driver.screen();
    let lines: Vec<&str> = screen.lines().collect();
    let at = lines.iter().position(|line| line.contains("colour:red")).unwrap();
    let column = |line: &str, of: &str| line.find(of).map(|byte| line[..byte].chars().count());
    assert_eq!(column(lines[at], "colour"), column(lines[at + 1], "^"));
    assert!(lines[at + 1].contains("^ column 6") && lines[at + 2].contains("colour"));
    assert_eq!(driver.app.list.matched, 5);
    driver.keys("Enter");
    assert!(driver.app.overlay.is_some(), "a faulty filter was kept");
}

#[test]
fn bad_only_leaves_out_the_healthy_and_never_the_unknown() {
    let mut driver = driver();
    driver.keys("!");
    let screen = driver.screen();
    assert!(screen.contains("ticket-triage") && !screen.contains("HEALTHY"));
}

#[test]
fn a_folded_group_shows_its_worst_state_first() {
    let mut driver = driver();
    driver.keys("*");
    let line = driver.line("m3-gpu-01");
    assert!(line.contains("✖ 1 ◐ 2 ● 4"), "{line}");
    assert!(!driver.screen().contains("order-processor.1"));
}

#[test]
fn the_next_match_is_found_in_a_folded_group() {
    let mut driver = driver();
    driver.keys("* /");
    driver.types("mail.3");
    driver.keys("Enter n");
    assert_eq!(driver.app.list.selected(), Some("mail.3"));
}

#[test]
fn the_header_of_a_scrolled_group_stays_pinned() {
    let mut driver = Driver::live((80, 24));
    driver.keys("G");
    let screen = driver.screen();
    let first = screen.lines().nth(4).unwrap();
    assert!(first.starts_with("▾ "), "{first:?}");
    driver.keys("g g j");
    assert!(driver.line("report-generator").starts_with('>'));
}

#[test]
fn frozen_screens_stand_still_and_news_is_not_lost() {
    let mut driver = driver();
    driver.keys("f");
    let before = driver.screen();
    driver.wait(5_000);
    driver.change("mail.1", unreachable);
    assert_eq!(driver.screen(), before);
    assert!(before.contains("FROZEN 12:04:31Z"));
    driver.keys("f");
    assert!(driver.line("mail.1").contains("UNREACH"));
}

#[test]
fn nothing_changes_so_nothing_is_drawn() {
    let mut driver = driver();
    driver.keys("f");
    driver.wait(7_000);
    driver.link(LinkEvent::RoundTrip(Duration::from_millis(38)));
    let revision = driver.app.revision;
    driver.wait(1_000);
    assert_eq!(driver.app.revision, revision);
}

#[test]
fn a_lost_link_says_since_when_and_ages_go_on() {
    let mut driver = driver();
    driver.lose();
    driver.wait(20_000);
    driver.lose();
    driver.wait(23_000);
    let screen = driver.screen();
    assert!(screen.contains("LOST 43s"), "a further failed attempt moved the start");
    assert!(screen.contains("the connection to the collector ended: it was cut"));
    assert!(driver.line("approval-bot").contains("55s"));
    driver.connect(Right::Act);
    assert!(driver.screen().contains("LIVE"));
}

#[test]
fn a_link_over_which_nothing_comes_does_not_look_live() {
    let mut driver = driver();
    driver.wait(4_000);
    assert!(driver.screen().contains("LIVE"));
    driver.wait(3_000);
    assert!(driver.screen().contains("SILENT 7s"));
    driver.keys("f");
    assert!(driver.screen().contains("FROZEN, SILENT 7s"));
    driver.keys("f");
    driver.wait(5_000);
    driver.lose();
    assert!(driver.screen().contains("LOST 12s"), "it is not heard any later for being cut");
    driver.connect(Right::Act);
    assert!(driver.screen().contains("LIVE"));
}

#[test]
fn after_a_reconnect_missed_events_are_asked_for() {
    let mut driver = driver();
    driver.lose();
    let effects = driver.connect(Right::Act);
    let asked = effects.iter().find_map(|effect| match effect {
        Effect::AskEvents(query) => Some(query.after),
        _ => None,
    });
    assert_eq!(asked, Some(Some(10)));
}

#[test]
fn q_goes_back_and_quits_only_at_the_top() {
    let mut driver = driver();
    driver.keys("3");
    assert_eq!(driver.keys("q"), []);
    assert_eq!(driver.app.screen, Screen::Fleet);
    assert_eq!(driver.keys("q"), [Effect::Exit]);
}

#[test]
fn an_event_leads_to_its_agent() {
    let mut driver = driver();
    driver.keys("3 k");
    let effects = driver.keys("Enter");
    assert_eq!(effects, [Effect::AskAgent("inventory-sync".to_owned())]);
    assert_eq!(driver.app.screen, Screen::Agent);
    driver.keys("l");
    assert_eq!(driver.app.transitions.filter_text, "agent=inventory-sync");
}

#[test]
fn a_key_without_a_command_does_nothing() {
    let mut driver = driver();
    let before = driver.screen();
    assert_eq!(driver.keys("4 t x Z ctrl-k"), []);
    assert_eq!(driver.screen(), before);
}

#[test]
fn a_range_is_marked_from_the_last_mark() {
    let mut driver = driver();
    driver.keys("Space j ctrl-Space");
    assert_eq!(driver.app.list.marks.len(), 3);
    driver.keys("ctrl-\\");
    assert!(driver.app.list.marks.is_empty());
}

#[test]
fn an_export_is_one_document_of_agents_or_a_line_an_event() {
    let mut driver = driver();
    let exported = |effects: Vec<Effect>| match effects.as_slice() {
        [Effect::Export(export)] => export.clone(),
        other => panic!("{other:?}"),
    };
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    driver.keys("/");
    driver.types("host=edge-17");
    driver.keys("Enter");
    let fleet = exported(driver.keys("E"));
    assert_eq!((fleet.format, fleet.what.as_str()), (ExportFormat::Json, "6 agents"));
    let document = parsed(&fleet.text);
    assert_eq!((&document["schema"], document["agents"].as_array().unwrap().len()), (&1.into(), 6));
    driver.keys("3");
    let events = exported(driver.keys("E"));
    assert_eq!((events.format, events.what.as_str()), (ExportFormat::JsonLines, "10 events"));
    assert!(events.text.lines().all(|line| parsed(line)["kind"].is_string()));
    driver.keys("/");
    driver.types("agent=nobody");
    driver.keys("Enter");
    assert_eq!(driver.keys("E"), []);
    assert!(driver.screen().contains("nothing to write"));
}

#[test]
fn what_a_group_adds_up_to_follows_its_agents() {
    let mut driver = driver();
    for entry in &mut driver.agents {
        entry.work.cost_today_nano_usd = 0;
        entry.vitals.last_beat_ms = Some(heartline_operator::sample::NOW_MS);
    }
    driver.connect(Right::Act);
    assert!(driver.line("edge-17  6 agents").contains("$0.00 today  oldest beat 0s"));
    let keys: Vec<_> = driver.agents.iter().map(|entry| entry.id).collect();
    let spent = WorkWindow { cost_today_nano_usd: 2_000_000_000, ..WorkWindow::default() };
    let work = keys.iter().map(|id| (*id, spent.clone())).collect();
    driver.news(FleetDelta { work, ..driver.no_changes() });
    driver.wait(1_000);
    driver.send(Event::Settle);
    let line = driver.line("edge-17  6 agents");
    assert!(line.contains("$12.00 today  oldest beat 1s"), "{line}");
}

#[test]
fn a_filter_that_is_taken_back_gives_the_selection_back() {
    let mut driver = driver();
    driver.keys("j j j j");
    let selected = driver.app.list.selected().unwrap().to_owned();
    driver.keys("/");
    driver.types("nothing-has-this-name");
    assert_eq!(driver.app.list.matched, 0);
    driver.keys("Esc");
    assert_eq!(driver.app.list.selected(), Some(selected.as_str()));
}

#[test]
fn help_says_that_there_is_more_only_while_there_is() {
    let mut driver = Driver::live((80, 24));
    driver.keys("?");
    assert!(driver.screen().contains("j: more"));
    driver.keys("G");
    assert!(!driver.screen().contains("more"), "{}", driver.screen());
}

#[test]
fn the_pane_of_a_group_says_how_it_is_and_what_can_be_done() {
    let mut driver = driver();
    driver.keys("g g");
    let screen = driver.screen();
    assert!(screen.contains("─ host m3-gpu-01 ─"), "{screen}");
    assert!(driver.line("marks all its agents").contains("folds or opens it"));
}

#[test]
fn what_was_lost_is_read_whole_at_every_width() {
    for columns in 60..130 {
        let mut driver = Driver::live((columns, 24));
        for screen in ["1", "2", "3"] {
            driver.keys(screen);
            let line = driver.line("badsig 3");
            assert!(line.contains("gaps 1"), "{columns}: {line}");
            assert!(line.contains(&format!("[{screen}")), "{columns}: {line}");
        }
    }
}
