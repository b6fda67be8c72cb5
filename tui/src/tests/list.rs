//! The lists: selection by id, filters, folds, freezing, and the connection.

use std::time::Duration;

use heartline_operator::client::{AccessMode, LinkEvent};
use heartline_operator::message::{AgentVitals, Event, EventOrder, FleetDelta, RecentWork};
use heartline_operator::sample::{self, fleet};
use heartline_vocabulary::{Reason, State};

use super::harness::AppHarness;
use crate::options::TuiConfig;
use crate::state::{MAX_EVENTS, Screen};
use crate::terminal::CopyOutcome;
use crate::update::{AppEffect, AppEvent, ExportFormat};

fn app() -> AppHarness {
    AppHarness::connected((120, 36))
}

fn unreachable(vitals: &mut AgentVitals) {
    vitals.state = State::Unreachable;
    vitals.reason = Some(Reason::Silent);
    vitals.since_ms = 0;
}

#[test]
fn the_selection_follows_its_agent_when_rows_move() {
    let mut app = app();
    app.keys("v v v j j j j j j j j");
    let selected = app.state.list.selected_agent().unwrap().to_owned();
    let before = app.state.list.at;
    app.change("order-processor.1", unreachable);
    assert_eq!(app.state.list.selected_agent(), Some(selected.as_str()));
    assert_eq!(app.state.list.at, before + 1);
    assert!(app.line(&format!("  {selected} ")).starts_with('>'));
}

#[test]
fn selection_and_marks_survive_the_new_keys_of_a_reconnect() {
    let mut app = app();
    app.keys("j j Space");
    let selected = app.state.list.selected_agent().unwrap().to_owned();
    let marks = app.state.list.marks.clone();
    for entry in &mut app.agents {
        entry.id.0 = 1_000 - entry.id.0;
    }
    app.disconnect();
    app.connect(AccessMode::Control);
    assert_eq!(app.state.list.selected_agent(), Some(selected.as_str()));
    assert_eq!(app.state.list.marks, marks);
    assert!(app.line("report-generator").contains("UNREACH"));
}

#[test]
fn a_filter_applies_as_it_is_typed_and_escape_restores_the_previous_one() {
    let mut app = app();
    app.keys("/");
    app.type_text("host=edge-17");
    assert_eq!(app.state.list.matched, 6);
    app.keys("Esc");
    assert_eq!(app.state.list.matched, 20);
    app.keys("/");
    app.type_text("mail");
    app.keys("Enter");
    assert_eq!(app.state.list.matched, 5);
    app.keys("Esc");
    assert_eq!(app.state.list.matched, 20);
}

#[test]
fn an_invalid_filter_shows_its_error_and_the_last_valid_one_stays_in_force() {
    let mut app = app();
    app.keys("/");
    app.type_text("mail ");
    app.send(AppEvent::Paste("colour:red".to_owned()));
    let screen = app.screen();
    let lines: Vec<&str> = screen.lines().collect();
    let at = lines.iter().position(|line| line.contains("colour:red")).unwrap();
    let column = |line: &str, of: &str| line.find(of).map(|byte| line[..byte].chars().count());
    assert_eq!(column(lines[at], "colour"), column(lines[at + 1], "^"));
    assert!(lines[at + 1].contains("^ column 6") && lines[at + 2].contains("colour"));
    assert_eq!(app.state.list.matched, 5);
    app.keys("Enter");
    assert!(app.state.overlay.is_some(), "an invalid filter was accepted");
}

#[test]
fn problems_only_leaves_out_healthy_agents_and_no_unknown_ones() {
    let mut app = app();
    app.keys("!");
    let screen = app.screen();
    assert!(screen.contains("ticket-triage") && !screen.contains("HEALTHY"));
}

#[test]
fn a_folded_group_shows_its_worst_state_first() {
    let mut app = app();
    app.keys("*");
    let line = app.line("▸ m3-gpu-01");
    assert!(line.contains("✖ 1 ◐ 2 ● 4"), "{line}");
    assert!(!app.screen().contains("order-processor.1"));
}

#[test]
fn the_next_match_is_found_in_a_folded_group() {
    let mut app = app();
    app.keys("* /");
    app.type_text("mail.3");
    app.keys("Enter n");
    assert_eq!(app.state.list.selected_agent(), Some("mail.3"));
}

#[test]
fn the_header_of_a_scrolled_group_stays_pinned() {
    let mut app = AppHarness::connected((80, 24));
    app.keys("G");
    let screen = app.screen();
    let first = screen.lines().nth(4).unwrap();
    assert!(first.starts_with("▾ "), "{first:?}");
    app.keys("g g j");
    assert!(app.line("report-generator").starts_with('>'));
}

#[test]
fn a_frozen_screen_does_not_change_and_updates_are_not_lost() {
    let mut app = app();
    app.keys("f");
    let before = app.screen();
    app.wait(5_000);
    app.change("mail.1", unreachable);
    assert_eq!(app.screen(), before);
    assert!(before.contains("HISTORY 12:04:31Z"));
    app.keys("f");
    assert!(app.line("mail.1").contains("UNREACH"));
}

#[test]
fn without_a_visible_change_there_is_no_new_revision() {
    let mut app = app();
    app.keys("f");
    app.wait(7_000);
    app.link(LinkEvent::RoundTrip(Duration::from_millis(38)));
    let revision = app.state.revision;
    app.wait(1_000);
    assert_eq!(app.state.revision, revision);
}

#[test]
fn a_lost_connection_shows_its_duration_and_ages_go_on() {
    let mut app = app();
    app.disconnect();
    app.wait(20_000);
    app.disconnect();
    app.wait(23_000);
    let screen = app.screen();
    assert!(screen.contains("LOST 43s"), "a further failed attempt moved the start");
    assert!(screen.contains("the connection to the collector ended: it broke off"));
    assert!(app.line("approval-bot").contains("55s"));
    app.connect(AccessMode::Control);
    assert!(app.screen().contains("LIVE"));
}

#[test]
fn a_connection_without_updates_is_shown_as_silent() {
    let mut app = app();
    app.wait(4_000);
    assert!(app.screen().contains("LIVE"));
    app.wait(3_000);
    assert!(app.screen().contains("SILENT 7s"));
    app.keys("f");
    assert!(app.screen().contains("HISTORY, SILENT 7s"));
    app.keys("f");
    app.wait(5_000);
    app.disconnect();
    assert!(app.screen().contains("LOST 12s"), "the lost connection counts from the last update");
    app.connect(AccessMode::Control);
    assert!(app.screen().contains("LIVE"));
}

#[test]
fn the_newest_missed_events_are_requested_once_after_a_reconnect() {
    let mut app = app();
    app.disconnect();
    let effects = app.connect(AccessMode::Control);
    let query = effects.iter().find_map(|effect| match effect {
        AppEffect::RequestEvents(query) => Some(query.clone()),
        _ => None,
    });
    let query = query.expect("it was away");
    assert_eq!((query.after, query.order), (Some(10), EventOrder::NewestFirst));
    assert_eq!(query.limit as usize, MAX_EVENTS, "no more than it shows");

    // A million were missed: what it shows is the newest, and nothing from before the hole.
    let missed: Vec<_> = sample::events()
        .into_iter()
        .map(|event| Event { cursor: event.cursor + 1_000_000, ..event })
        .collect();
    let newest = missed.last().map(|event| event.cursor);
    let first = missed.first().map(|event| event.cursor);
    let effects = app.send(AppEvent::EventsReceived { events: missed, next: first });
    assert_eq!(effects, [], "earlier events are not asked for");
    let shown = &app.state.live.events;
    assert_eq!(shown.back().map(|event| event.cursor), newest);
    assert_eq!(shown.front().map(|event| event.cursor), first);
}

#[test]
fn q_goes_back_and_quits_only_at_the_top() {
    let mut app = app();
    app.keys("3");
    assert_eq!(app.keys("q"), []);
    assert_eq!(app.state.screen, Screen::Fleet);
    assert_eq!(app.keys("q"), [AppEffect::Exit]);
}

#[test]
fn enter_on_an_event_opens_its_agent() {
    let mut app = app();
    app.keys("3 k");
    let effects = app.keys("Enter");
    assert_eq!(effects[0], AppEffect::RequestAgent("inventory-sync".to_owned()));
    assert!(matches!(&effects[1..], [AppEffect::RequestHistory(_)]), "{effects:?}");
    assert_eq!(app.state.screen, Screen::Agent);
    app.keys("l");
    assert_eq!(app.state.transitions.filter.text(), "agent=inventory-sync");
}

#[test]
fn a_key_without_a_command_does_nothing() {
    let mut app = app();
    let before = app.screen();
    assert_eq!(app.keys("9 x Z ctrl-k"), []);
    assert_eq!(app.screen(), before);
}

#[test]
fn a_range_is_marked_from_the_last_mark() {
    let mut app = app();
    app.keys("Space j ctrl-Space");
    assert_eq!(app.state.list.marks.len(), 3);
    app.keys("ctrl-\\");
    assert!(app.state.list.marks.is_empty());
}

#[test]
fn agents_are_exported_as_a_document_and_events_as_lines() {
    let mut app = app();
    let exported = |effects: Vec<AppEffect>| match effects.as_slice() {
        [AppEffect::Export(export)] => export.clone(),
        other => panic!("{other:?}"),
    };
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    app.keys("/");
    app.type_text("host=edge-17");
    app.keys("Enter");
    let fleet = exported(app.keys("E"));
    assert_eq!((fleet.format, fleet.summary.as_str()), (ExportFormat::Json, "6 agents"));
    let document = parsed(&fleet.text);
    assert_eq!((&document["schema"], document["agents"].as_array().unwrap().len()), (&1.into(), 6));
    app.keys("3");
    let events = exported(app.keys("E"));
    assert_eq!((events.format, events.summary.as_str()), (ExportFormat::JsonLines, "10 events"));
    assert!(events.text.lines().all(|line| parsed(line)["kind"].is_string()));
    app.keys("/");
    app.type_text("agent=nobody");
    app.keys("Enter");
    assert_eq!(app.keys("E"), []);
    assert!(app.screen().contains("nothing to write"));
}

#[test]
fn the_sums_of_a_group_follow_its_agents() {
    let mut app = app();
    for entry in &mut app.agents {
        entry.work.cost_today_nano_usd = 0;
        entry.vitals.last_beat_ms = Some(heartline_operator::sample::NOW_MS);
    }
    app.connect(AccessMode::Control);
    assert!(app.line("edge-17  6 agents").contains("$0.00 today  oldest beat 0s"));
    let ids: Vec<_> = app.agents.iter().map(|entry| entry.id).collect();
    let spent = RecentWork { cost_today_nano_usd: 2_000_000_000, ..RecentWork::default() };
    let work = ids.iter().map(|id| (*id, spent.clone())).collect();
    app.update_fleet(FleetDelta { work, ..app.no_changes() });
    app.wait(1_000);
    app.send(AppEvent::RebuildList);
    let line = app.line("edge-17  6 agents");
    assert!(line.contains("$12.00 today  oldest beat 1s"), "{line}");
}

#[test]
fn escape_in_the_filter_line_restores_the_selection() {
    let mut app = app();
    app.keys("j j j j");
    let selected = app.state.list.selected_agent().unwrap().to_owned();
    app.keys("/");
    app.type_text("nothing-has-this-name");
    assert_eq!(app.state.list.matched, 0);
    app.keys("Esc");
    assert_eq!(app.state.list.selected_agent(), Some(selected.as_str()));
}

#[test]
fn help_shows_that_there_is_more_only_while_there_is() {
    let mut app = AppHarness::connected((80, 24));
    app.keys("?");
    assert!(app.screen().contains("j: more"));
    app.keys("G");
    assert!(!app.screen().contains("more"), "{}", app.screen());
}

#[test]
fn the_pane_of_a_group_shows_its_summary_and_keys() {
    let mut app = app();
    app.keys("g g");
    let screen = app.screen();
    assert!(screen.contains("─ host m3-gpu-01 ─"), "{screen}");
    assert!(app.line("marks all its agents").contains("folds or opens it"));
}

#[test]
fn losses_are_never_truncated() {
    for columns in 60..130 {
        let mut app = AppHarness::connected((columns, 24));
        for screen in ["1", "2", "3", "4"] {
            app.keys(screen);
            let line = app.line("badsig 3");
            assert!(line.contains("gaps 1"), "{columns}: {line}");
            assert!(line.contains(&format!("[{screen}")), "{columns}: {line}");
        }
    }
}

#[test]
fn the_number_of_marks_is_that_of_now() {
    let mut app = app();
    app.keys("A");
    assert!(app.screen().contains("20 marked"));
    app.keys("ctrl-\\");
    assert!(!app.screen().contains("marked"), "{}", app.screen());
    app.keys("A");
    // One of them is forgotten.
    let gone = app.agents.remove(0).agent;
    app.connect(AccessMode::Control);
    assert!(!app.state.list.marks.contains(&gone));
    assert!(app.screen().contains("19 marked"), "{}", app.screen());
}

#[test]
fn names_are_listed_as_people_count() {
    let mut app = AppHarness::unconnected((80, 24), &TuiConfig::default());
    let model = fleet().remove(4);
    app.agents = [11, 2, 10, 1, 12]
        .into_iter()
        .map(|n| {
            let mut entry = model.clone();
            entry.id = heartline_vocabulary::AgentRowId(n);
            entry.agent = format!("mail.{n}");
            // Whoever came first stands not before the others.
            entry.vitals.since_ms -= n % 7;
            entry
        })
        .collect();
    app.connect(AccessMode::Control);
    for keys in ["", ">", "v v v"] {
        app.keys(keys);
        let screen = app.screen();
        let names = screen
            .lines()
            .filter_map(|line| line.split_whitespace().find(|word| word.starts_with("mail.")));
        let names: Vec<_> = names.collect();
        assert_eq!(names, ["mail.1", "mail.2", "mail.10", "mail.11", "mail.12"], "{keys}");
    }
}

#[test]
fn a_wider_screen_shows_no_fewer_columns() {
    for keys in ["", "v v v"] {
        for height in [24, 36] {
            let mut titles = Vec::new();
            for width in 60..240 {
                let mut app = AppHarness::connected((width, height));
                app.keys(keys);
                let line = app.line("STATE   ");
                let shown: Vec<String> =
                    line.replace("$ DAY", "DAY").split_whitespace().map(str::to_owned).collect();
                let lost = titles.iter().find(|title| !shown.contains(title));
                assert_eq!(lost, None, "at {width}x{height}: {line}");
                titles = shown.into_iter().filter(|it| !it.contains(['─', '┌', '@'])).collect();
                titles.retain(|title| title != "report-generator" && title != "m3-gpu-01");
            }
        }
    }
}

#[test]
fn an_error_is_shown_to_its_end() {
    let why = "no collector answers on /run/user/1000/heartline/ctl.sock: start `heartlined`, or \
               pass --data-dir with the directory of the one that runs";
    for size in [(80, 24), (120, 36), (40, 16), (60, 15)] {
        let mut app = AppHarness::unconnected(size, &TuiConfig::default());
        app.lose(why);
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(&app.screen()).replace("- ", "-").contains("of the one that runs"));
        app.connect(AccessMode::Control);
        app.lose(why);
        assert!(words(&app.screen()).contains("of the one that runs"), "{}", app.screen());
        app.send(AppEvent::RequestFailed(format!("can't be asked: {why}")));
        assert!(words(&app.screen()).contains("can't be asked: no collector"), "{}", app.screen());
    }
}

#[test]
fn a_copied_text_is_said_to_be_where_it_is() {
    let mut app = app();
    let copied = app.keys("y");
    let text = "report-generator".to_owned();
    assert_eq!(copied, [AppEffect::CopyToClipboard(text.clone())]);
    assert!(!app.screen().contains("copied"), "nothing was copied yet");
    let mut outcome = |outcome| app.send(AppEvent::Copied { text: text.clone(), outcome });
    assert_eq!(outcome(CopyOutcome::InTmux), []);
    let sent = [AppEffect::SendToClipboard(text.clone())];
    assert_eq!(outcome(CopyOutcome::ForTerminal), sent);
    assert_eq!(outcome(CopyOutcome::Refused("no server running".to_owned())), sent);
    let line = app.line("sent to the terminal's clipboard");
    assert!(line.contains("no server running") && !line.contains("copied"), "{line}");
}

#[test]
fn local_times_name_their_zone_and_an_unknown_zone_is_said() {
    let mut app = app();
    app.state.local_zone = Some(jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
    app.keys("U");
    assert!(app.screen().contains("LIVE 14:04:31 CEST"), "{}", app.screen());
    assert!(app.line("since 13:58:19").contains("13:58:19 CEST"));
    app.keys("3");
    assert!(app.screen().contains("TIME (CEST)"));
    app.keys("1 U");
    assert!(app.screen().contains("LIVE 12:04:31Z"));
    app.state.local_zone = None;
    app.keys("U");
    assert!(app.screen().contains("LIVE 12:04:31Z"));
    assert!(app.screen().contains("the local time zone is not known"), "{}", app.screen());
}

#[test]
fn who_stopped_by_itself_is_not_counted_among_the_killed() {
    let mut app = app();
    assert!(app.line("HEARTLINE").contains("■ 1  □ 1  ○ 1"), "{}", app.screen());
    assert!(app.line("▾ m3-cpu-04").contains("■ 1 □ 1"), "{}", app.screen());
    app.send(AppEvent::Resize(40, 10));
    assert!(app.line("HL ").contains("■1 □1"), "{}", app.screen());
}
