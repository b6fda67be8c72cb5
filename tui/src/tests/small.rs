//! Small terminals: what is not drawn takes no key, and what matters most is drawn first.

use heartline_operator::sample::agent_detail;
use insta::assert_snapshot;

use super::harness::AppHarness;
use crate::commands::REGISTRY;
use crate::state::{AppState, DialogCommand, DialogFocus, Overlay, Screen};
use crate::update::{AppEffect, AppEvent, MouseInput};
use crate::view::view;

/// Sizes around every limit.
fn sizes() -> impl Iterator<Item = (u16, u16)> {
    let widths = [0, 1, 12, 29, 30, 31, 40, 59, 60, 61, 80, 120, 200];
    let heights = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 20, 24, 40];
    widths.into_iter().flat_map(move |width| heights.map(|height| (width, height)))
}

/// Returns everything that an operator can change.
fn choices(state: &AppState) -> String {
    let list = &state.list;
    let overlay = state.overlay.as_ref().map(|overlay| format!("{overlay:?}"));
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {overlay:?}",
        state.screen,
        state.travel.is_past(),
        state.zone,
        state.mouse,
        state.is_expanded,
        (list.sort, list.is_inverted, list.chosen_groups, &list.folded),
        (&list.hidden, &list.marks, &list.cursor),
        (list.filter.text(), list.filter.problems_only),
        state.transitions.filter.text(),
        state.transitions.selected,
        state.agent.as_ref().map(|agent| {
            let charts = (agent.charts.window, agent.charts.kind);
            (agent.focus, agent.scroll, agent.is_expanded, charts)
        }),
    )
}

#[test]
fn where_only_counts_are_drawn_every_key_but_those_that_leave_does_nothing() {
    for size in [(29, 30), (120, 3), (59, 1), (12, 2)] {
        for overlay in ["", "K Tab", "F Tab", "/", ":", "s", "?", "2", "3"] {
            let mut app = AppHarness::connected((120, 36));
            app.keys(overlay);
            app.send(AppEvent::Resize(size.0, size.1));
            let before = choices(&app.state);
            for spec in REGISTRY {
                for keys in spec.keys {
                    let effects = app.keys(keys);
                    let leaves = [AppEffect::Exit, AppEffect::Suspend];
                    assert!(effects.iter().all(|it| leaves.contains(it)), "{keys} at {size:?}");
                    assert_eq!(choices(&app.state), before, "{keys} at {size:?} on {overlay:?}");
                }
            }
            app.type_text("abc");
            app.send(AppEvent::Paste("K\nq".to_owned()));
            app.send(AppEvent::Mouse(MouseInput::ScrollDown));
            assert_eq!(choices(&app.state), before, "at {size:?} on {overlay:?}");
        }
    }
}

#[test]
fn where_only_counts_are_drawn_the_program_can_be_left_and_says_how() {
    let mut app = AppHarness::connected((40, 2));
    app.keys("?");
    assert!(app.screen().contains("q quits"), "{}", app.screen());
    assert_eq!(app.keys("ctrl-z"), [AppEffect::Suspend]);
    assert_eq!(app.keys("ctrl-c"), [AppEffect::Exit]);
    assert_eq!(app.keys("q"), [AppEffect::Exit]);
}

#[test]
fn a_key_that_changes_something_changes_the_screen() {
    for size in [(30, 4), (30, 24), (40, 10), (59, 14), (60, 15), (80, 24), (120, 11), (170, 40)] {
        for screen in ["", "2", "2 loaded", "3"] {
            for spec in REGISTRY {
                let keys = spec.keys[0];
                let mut app = AppHarness::connected(size);
                app.keys(screen.trim_end_matches(" loaded"));
                if screen.ends_with("loaded") {
                    let id = "report-generator".to_owned();
                    let result = Ok(Box::new(agent_detail(&id)));
                    app.send(AppEvent::AgentReceived { id, result });
                }
                let (before, shown) = (choices(&app.state), view(&app.state));
                app.keys(keys);
                let is_blind = choices(&app.state) != before && view(&app.state) == shown;
                assert!(!is_blind, "{keys} at {size:?} on {screen:?}:\n{}", app.screen());
            }
        }
    }
}

#[test]
fn a_dialog_has_its_fields_and_buttons_on_the_screen_or_says_what_it_needs() {
    for size in sizes() {
        for keys in ["K", "A K", "g g K", "A R", "F", "A F"] {
            let mut app = AppHarness::connected(size);
            app.keys(keys);
            let screen = app.screen();
            let Some(Overlay::Dialog(dialog)) = &app.state.overlay else {
                let message = app.state.status_message.as_ref().map(|it| it.text.clone());
                let says = message.unwrap_or_default();
                let is_said = says.contains("needs") || says.contains("nothing here");
                assert!(is_said, "{keys} at {size:?} says {says:?}");
                assert!(size.0 < 30 || size.1 < 12, "there is room at {size:?}");
                continue;
            };
            let parts: &[&str] = match dialog.command {
                DialogCommand::Kill => &["Kill", "Reason", "Type exactly", &dialog.phrase],
                DialogCommand::Forget => &["Forget", "Type exactly", &dialog.phrase],
                DialogCommand::Resume => &["Resume", "killed by"],
            };
            for part in parts.iter().chain(&["[ Cancel ]"]) {
                assert!(screen.contains(part), "{keys} at {size:?} lacks {part}:\n{screen}");
            }
        }
    }
}

#[test]
fn a_dialog_that_no_longer_fits_takes_no_key_but_escape() {
    let mut app = AppHarness::connected((80, 24));
    app.keys("K Tab");
    app.type_text("INC-1");
    app.send(AppEvent::Resize(80, 6));
    assert!(app.screen().contains("kill needs a screen of 30x8"), "{}", app.screen());
    app.type_text("x");
    app.keys("Tab Tab Enter");
    app.send(AppEvent::Resize(80, 24));
    match &app.state.overlay {
        Some(Overlay::Dialog(dialog)) => {
            assert_eq!((dialog.reason.text(), dialog.focus), ("INC-1", DialogFocus::Reason));
        }
        other => panic!("{other:?}"),
    }
    app.send(AppEvent::Resize(80, 6));
    app.keys("Esc");
    assert!(app.state.overlay.is_none());
}

#[test]
fn a_large_dialog_shrinks_its_list_first() {
    let mut app = AppHarness::connected((60, 15));
    app.keys("g g G A K Tab");
    let screen = app.screen();
    assert!(screen.contains("KILL 20 agents") && screen.contains("not beating"), "{screen}");
    assert_snapshot!("kill_60x15", screen);
}

#[test]
fn a_compact_list_has_the_worst_first_with_age_and_reason() {
    let mut app = AppHarness::connected((30, 4));
    let lines: Vec<String> = app.screen().lines().map(str::to_owned).collect();
    assert_eq!(lines[1], ">✖ report-gen…  6m12s silent");
    assert!(lines[0].starts_with("HL ✖1 ◐3"), "{lines:?}");
    app.keys("j");
    assert!(app.state.list.selected_agent().is_some_and(|agent| agent != "report-generator"));
    // Whatever was chosen for the whole screen comes back with it.
    app.send(AppEvent::Resize(80, 24));
    app.keys("v s j Enter");
    let chosen = (app.state.list.sort, app.state.list.chosen_groups);
    app.send(AppEvent::Resize(59, 24));
    assert!(app.screen().lines().nth(1).unwrap().contains("report-generator"), "{}", app.screen());
    app.send(AppEvent::Resize(80, 24));
    assert_eq!((app.state.list.sort, app.state.list.chosen_groups), chosen);
}

#[test]
fn compact_screens() {
    for (name, size) in [
        ("compact_30x4", (30, 4)),
        ("compact_40x10", (40, 10)),
        ("compact_59x14", (59, 14)),
        ("compact_120x11", (120, 11)),
    ] {
        assert_snapshot!(name, AppHarness::connected(size).screen());
    }
    let mut app = AppHarness::connected((40, 10));
    app.keys("2");
    assert_eq!(app.state.screen, Screen::Agent);
    assert_snapshot!("compact_agent_40x10", app.screen());
    app.keys("q 3");
    assert_snapshot!("compact_transitions_40x10", app.screen());
    app.disconnect();
    app.keys("1");
    assert_snapshot!("compact_lost_40x10", app.screen());
}

#[test]
fn overlays_of_a_compact_screen_show_what_is_selected() {
    for size in [(30, 4), (40, 10), (59, 14), (60, 15)] {
        let mut app = AppHarness::connected(size);
        app.keys(":");
        app.type_text("transitions");
        assert!(app.screen().contains("transitions"), "{}", app.screen());
        app.keys("Esc ? j");
        assert!(app.screen().contains("Keys on the Fleet"), "{}", app.screen());
    }
    let mut app = AppHarness::connected((60, 15));
    app.keys("s G");
    assert!(app.screen().contains("15 MIN"), "{}", app.screen());
}

#[test]
fn a_key_in_an_overlay_that_changes_something_changes_the_screen() {
    for size in [(30, 4), (40, 10), (60, 15), (80, 24), (120, 36)] {
        for opened in ["?", "? G", "s", "s G", "o", ":", "/"] {
            for key in ["j", "k", "G", "ctrl-d", "PgDn", "Down", "Up", "a", "Backspace"] {
                let mut app = AppHarness::connected(size);
                app.keys(opened);
                let (before, shown) = (choices(&app.state), view(&app.state));
                app.keys(key);
                let is_blind = choices(&app.state) != before && view(&app.state) == shown;
                assert!(!is_blind, "{key} at {size:?} on {opened:?}:\n{}", app.screen());
            }
        }
    }
}

#[test]
fn the_hint_of_an_overlay_says_how_to_leave_it_at_every_width() {
    for columns in 30..130 {
        for opened in ["?", "s", "o", ":", "/", "K", "F"] {
            let mut app = AppHarness::connected((columns, 24));
            app.keys(opened);
            // On a compact screen the help takes the line of hints, and there are no pickers.
            if app.state.overlay.is_none() || (columns < 60 && opened == "?") {
                continue;
            }
            let hint = app.line("esc ");
            assert!(!hint.contains('…'), "{opened} at {columns}: {hint}");
        }
    }
}

#[test]
fn what_is_typed_is_seen_at_every_length() {
    for size in [(30, 4), (40, 10), (60, 15), (80, 24)] {
        for opened in ["/", ":", "K Tab", "F Tab"] {
            let mut app = AppHarness::connected(size);
            app.keys(opened);
            if app.state.overlay.is_none() {
                continue;
            }
            for n in 0..70_u32 {
                app.type_text(&char::from_digit(n % 10, 10).unwrap().to_string());
                let typed = format!("{}{}", (n + 9) % 10, n % 10);
                let is_seen = n == 0 || app.screen().contains(&typed);
                assert!(is_seen, "{typed} at {size:?} in {opened:?}:\n{}", app.screen());
                assert!(view(&app.state).1.is_some(), "there is a cursor");
            }
        }
    }
}
