//! What reaches the terminal, byte by byte.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::options::TuiConfig;
use crate::sample::Driver;
use crate::state::State;
use crate::terminal::Canvas;
use crate::view::view;
use heartline_operator::sample::fleet;

/// Text that would drive a terminal, turn it round, or hide itself.
const HOSTILE: &str =
    "x\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}evil\u{200b}\u{9b}31m\r\n\u{2066}\u{ad}\u{2028}\u{e0041}";

fn frame(canvas: &mut Canvas, state: &State) -> Vec<u8> {
    let mut buffer = Buffer::empty(Rect::new(0, 0, state.size.0, state.size.1));
    let cursor = view(state, &mut buffer);
    canvas.frame(buffer, cursor)
}

/// The bytes without the escape sequences that this program writes itself.
fn without_own_sequences(bytes: &[u8]) -> String {
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
fn hostile_names_and_labels_never_reach_the_terminal_raw() {
    let config = TuiConfig::default();
    let mut driver = Driver::unconnected((160, 50), &config);
    for entry in &mut driver.agents {
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
    driver.connect(crate::sample::Right::Act);
    let mut canvas = Canvas::new();
    for keys in ["j", "K", "Esc", "2", "q", "3", "?"] {
        driver.keys(keys);
        let plain = without_own_sequences(&frame(&mut canvas, &driver.app));
        let bad = plain.chars().find(|c| crate::look::is_unprintable(*c));
        assert_eq!(bad, None, "after {keys}");
    }
}

#[test]
fn a_calm_second_costs_few_bytes() {
    let mut driver = Driver::live((80, 24));
    let mut canvas = Canvas::new();
    frame(&mut canvas, &driver.app);
    driver.wait(1_000);
    let bytes = frame(&mut canvas, &driver.app);
    assert!(!bytes.is_empty() && bytes.len() < 500, "{} bytes", bytes.len());
}

#[test]
fn every_size_is_drawn_without_a_panic() {
    for width in [1, 59, 60, 61, 79, 80, 99, 100, 119, 120, 160, 220] {
        for height in [1, 14, 15, 16, 24, 29, 30, 36, 70] {
            let mut driver = Driver::live((width, height));
            for keys in
                ["", "K", "Esc", "s", "Esc", ":", "Esc", "/", "x", "Esc", "2", "q", "3", "?"]
            {
                driver.keys(keys);
                driver.screen();
            }
        }
    }
}

#[test]
fn a_hundred_thousand_agents_are_drawn_from_the_visible_rows() {
    let mut driver = Driver::unconnected((120, 36), &TuiConfig::default());
    let model = fleet().remove(4);
    driver.agents = (0..100_000)
        .map(|key| {
            let mut entry = model.clone();
            entry.id = heartline_vocabulary::AgentRowId(key.into());
            entry.agent = format!("worker.{key}");
            std::sync::Arc::make_mut(&mut entry.identity.shared).host =
                Some(format!("host-{}", key % 400).into());
            entry
        })
        .collect();
    driver.connect(crate::sample::Right::Act);
    driver.keys("G");
    assert!(driver.screen().contains("100.0k agents"));
    assert!(driver.app.list.selected().is_some());
}
