//! The bytes that reach the terminal.

use heartline_operator::client::AccessMode;
use heartline_operator::sample::fleet;

use super::harness::AppHarness;
use crate::options::TuiConfig;
use crate::state::AppState;
use crate::terminal::DiffRenderer;
use crate::view::view;

/// Text that would control a terminal, reverse the reading direction, or be invisible.
const HOSTILE: &str =
    "x\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}evil\u{200b}\u{9b}31m\r\n\u{2066}\u{ad}\u{2028}\u{e0041}";

fn frame(renderer: &mut DiffRenderer, state: &AppState) -> Vec<u8> {
    let (buffer, cursor) = view(state);
    renderer.render(buffer, cursor)
}

/// Removes the escape sequences that this program writes itself.
fn remove_own_sequences(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let mut rest = text.as_str();
    let mut plain = String::new();
    while let Some(at) = rest.find("\x1b[") {
        plain.push_str(&rest[..at]);
        let parameters = rest[at + 2..].trim_start_matches(|c: char| "?;0123456789".contains(c));
        assert!(parameters.starts_with(['m', 'H', 'G', 'J', 'h', 'l']), "{:?}", &rest[at..at + 9]);
        rest = &parameters[1..];
    }
    plain + rest
}

#[test]
fn unsafe_characters_in_names_and_labels_do_not_reach_the_terminal() {
    let config = TuiConfig::default();
    let mut app = AppHarness::unconnected((160, 50), &config);
    for entry in &mut app.agents {
        entry.agent.push_str(HOSTILE);
        std::sync::Arc::make_mut(&mut entry.identity.shared).host = Some(
            format!("{}{HOSTILE}", entry.identity.shared.host.as_deref().unwrap_or("")).into(),
        );
        std::sync::Arc::make_mut(&mut entry.identity.shared).version =
            Some(HOSTILE.repeat(500).into());
        std::sync::Arc::make_mut(&mut entry.identity.shared).labels =
            vec![(HOSTILE.into(), HOSTILE.into())];
        entry.vitals.step = Some(HOSTILE.to_owned());
    }
    app.connect(AccessMode::Control);
    let mut renderer = DiffRenderer::new();
    for keys in ["j", "K", "Esc", "2", "q", "3", "?"] {
        app.keys(keys);
        let plain = remove_own_sequences(&frame(&mut renderer, &app.state));
        let bad = plain.chars().find(|c| crate::text::is_unprintable(*c));
        assert_eq!(bad, None, "after {keys}");
    }
}

#[test]
fn a_second_without_updates_costs_few_bytes() {
    let mut app = AppHarness::connected((80, 24));
    let mut renderer = DiffRenderer::new();
    frame(&mut renderer, &app.state);
    app.wait(1_000);
    let bytes = frame(&mut renderer, &app.state);
    assert!(!bytes.is_empty() && bytes.len() < 500, "{} bytes", bytes.len());
}

#[test]
fn every_size_is_drawn_without_a_panic() {
    for width in [1, 59, 60, 61, 79, 80, 99, 100, 119, 120, 160, 220] {
        for height in [1, 14, 15, 16, 24, 29, 30, 36, 70] {
            let mut app = AppHarness::connected((width, height));
            for keys in
                ["", "K", "Esc", "s", "Esc", ":", "Esc", "/", "x", "Esc", "2", "q", "3", "?"]
            {
                app.keys(keys);
                app.screen();
            }
        }
    }
}

#[test]
fn a_fleet_of_100_000_agents_is_drawn() {
    let mut app = AppHarness::unconnected((120, 36), &TuiConfig::default());
    let model = fleet().remove(4);
    app.agents = (0..100_000)
        .map(|key| {
            let mut entry = model.clone();
            entry.id = heartline_vocabulary::AgentRowId(key.into());
            entry.agent = format!("worker.{key}");
            std::sync::Arc::make_mut(&mut entry.identity.shared).host =
                Some(format!("host-{}", key % 400).into());
            entry
        })
        .collect();
    app.connect(AccessMode::Control);
    app.keys("G");
    assert!(app.screen().contains("100.0k agents"));
    assert!(app.state.list.selected_agent().is_some());
}
