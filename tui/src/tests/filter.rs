//! The filter line completes, and Esc goes back by one thing at a time.

use super::harness::AppHarness;
use crate::state::{Overlay, Screen};

fn app() -> AppHarness {
    AppHarness::connected((120, 36))
}

#[test]
fn tab_completes_fields_and_values_of_a_filter() {
    let mut app = app();
    app.keys("/");
    app.type_text("hos");
    app.keys("Tab");
    assert_eq!(filter_text(&app), "host:");
    app.type_text("ed");
    app.keys("Tab");
    assert_eq!(filter_text(&app), "host:edge-17");
    app.type_text(" agent:order");
    app.keys("Tab");
    assert_eq!(filter_text(&app), "host:edge-17 agent:order-processor.");
    app.keys("Tab");
    assert!(app.line("order-processor.1, order-processor.2").contains("order-processor.3"));
    app.type_text("x");
    app.keys("Tab");
    assert!(app.screen().contains("nothing begins so"));
}

fn filter_text(app: &AppHarness) -> &str {
    match &app.state.overlay {
        Some(Overlay::Filter(editor)) => editor.input.text(),
        other => panic!("no filter is typed: {other:?}"),
    }
}

#[test]
fn escape_goes_back_by_one_thing_at_a_time_in_the_order_in_which_it_was_entered() {
    let mut app = app();
    app.keys("/");
    app.type_text("mail");
    app.keys("Enter 3 !");
    assert_eq!(app.state.screen, Screen::Transitions);
    app.keys("Esc");
    assert!(!app.state.transitions.filter.is_active());
    app.keys("Esc");
    assert_eq!((app.state.screen, app.state.list.filter.text()), (Screen::Fleet, "mail"));
    // The pane was expanded after the filter was set.
    app.keys("e Esc");
    assert!(!app.state.is_expanded && app.state.list.filter.is_active());
    app.keys("Esc");
    assert!(!app.state.list.filter.is_active());
    // One key leads to the events of an agent, and one leads back; the filter there is as it was.
    app.keys("3 / ");
    app.type_text("edge");
    app.keys("Enter 1 l");
    assert_ne!(app.state.transitions.filter.text(), "edge");
    app.keys("Esc");
    assert_eq!((app.state.screen, app.state.transitions.filter.text()), (Screen::Fleet, "edge"));
    // From wherever it is: the filter of the fleet stays as it is.
    app.keys("/");
    app.type_text("mail");
    app.keys("Enter l 4 3 Esc");
    assert_eq!(app.state.screen, Screen::Timeline);
    app.keys("Esc");
    assert_eq!((app.state.screen, app.state.transitions.filter.text()), (Screen::Fleet, "edge"));
    assert_eq!(app.state.list.filter.text(), "mail");
}
