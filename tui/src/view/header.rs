//! The two lines at the top: the fleet in counts, the link, and what the collector lost.

use heartline_vocabulary::DatagramLoss;
use heartline_vocabulary::State as AgentState;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::pen::Pen;
use crate::look::{Role, age, clock, count, of_state, rate, width};
use crate::state::{LinkState, Screen, State, ZoneChoice};

/// From this width on there is room for who and where.
const WIDE: u16 = 108;
/// Columns of the screens' names: of all, and of the longest one between the keys of the others.
const ALL_NAMES: usize = 35;
const ONE_NAME: usize = 23;

pub(super) fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    first(state, area, buffer);
    second(state, area, buffer);
}

fn first(state: &State, area: Rect, buffer: &mut Buffer) {
    let separator = format!(" {} ", state.glyphs.separator);
    let Some(mut pen) = Pen::on(state, area, 0, buffer) else { return };
    let (link_role, link) = link_words(state);
    let trip = state.link.round_trip_ms.map_or_else(|| "-ms".to_owned(), |ms| format!("{ms}ms"));
    pen.at_end(&[
        (Role::Dim, &trip),
        (Role::Border, &separator),
        (link_role, &link),
        (Role::Text, " "),
        (Role::Strong, &time(state)),
        (Role::Text, " "),
    ]);
    pen.gap(1).put(Role::Title, "HEARTLINE").gap(1);
    if area.width >= WIDE {
        let host = state.world().collector().map_or("", |collector| collector.host.as_str());
        let who = state.link.operator.as_deref().unwrap_or("nobody yet");
        let who = if who.contains('@') { who.to_owned() } else { format!("{who}@{host}") };
        pen.put(Role::Text, &who).put(Role::Border, &separator);
    }
    counts(state, &mut pen, area.width >= WIDE);
}

/// Agents by state. Every state is there even when nobody is in it.
pub(super) fn counts(state: &State, pen: &mut Pen<'_>, wide: bool) {
    let summary = state.world().fleet.summary();
    pen.put(Role::Strong, &count(summary.total.into()));
    pen.put(
        Role::Text,
        match (wide, summary.total) {
            (false, _) => "",
            (true, 1) => " agent",
            (true, _) => " agents",
        },
    );
    for each in AgentState::ALL {
        let n = summary.of(each);
        let status = of_state(each, None, state.charset);
        let role = if n == 0 { Role::Dim } else { status.role };
        pen.gap(if wide { 2 } else { 1 });
        pen.put(role, &format!("{} {}", status.glyph, count(n.into())));
    }
}

fn second(state: &State, area: Rect, buffer: &mut Buffer) {
    let Some(mut pen) = Pen::on(state, area, 1, buffer) else { return };
    pen.gap(1);
    let wide = area.width >= WIDE;
    let losses = losses(state);
    let needed = losses.iter().map(|(text, _)| width(text) + 1).sum::<usize>();
    // What was lost must be read whole: names of other screens give way.
    let room = usize::from(area.width).saturating_sub(needed);
    for (screen, key, name) in [
        (Screen::Fleet, "1", "1 Fleet"),
        (Screen::Agent, "2", "2 Agent"),
        (Screen::Transitions, "3", "3 Transitions"),
    ] {
        if screen == state.screen {
            pen.put(Role::Title, &format!("[{}]", if room < ONE_NAME { key } else { name }));
        } else {
            pen.put(Role::Dim, &format!(" {} ", if room < ALL_NAMES { key } else { name }));
        }
    }
    pen.gap(if wide { 3 } else { 1 });
    for (text, role) in losses {
        pen.put(role, &text).gap(if wide { 2 } else { 1 });
    }
    if let (true, Some(collector)) = (wide, state.world().collector()) {
        let beats = rate(f64::from(collector.beats_per_second));
        pen.put(Role::Dim, &format!("{beats} beats/s"));
    }
}

/// What the collector dropped, refused, or did not observe: always there, and loud when not zero.
fn losses(state: &State) -> Vec<(String, Role)> {
    let Some(collector) = state.world().collector() else { return Vec::new() };
    let lost = |loss| collector.datagrams.lost(loss);
    let all = [
        ("drop", lost(DatagramLoss::Dropped)),
        ("badsig", lost(DatagramLoss::BadSignature)),
        ("replay", lost(DatagramLoss::Replayed)),
        ("kernel", lost(DatagramLoss::Kernel)),
        ("gaps", u64::from(collector.gaps)),
    ];
    let role = |n| if n == 0 { Role::Dim } else { Role::Alert };
    all.map(|(label, n)| (format!("{label} {}", count(n)), role(n))).into()
}

fn link_words(state: &State) -> (Role, String) {
    let lost = match &state.link.state {
        LinkState::Live => state.link.silent_ms(state.now).map(|ms| format!("SILENT {}", age(ms))),
        LinkState::Connecting { .. } => Some("CONNECTING".to_owned()),
        LinkState::Lost { since, .. } => Some(format!("LOST {}", age(state.now.since(*since)))),
    };
    match (&state.frozen, lost) {
        (None, None) => (Role::Healthy, "LIVE".to_owned()),
        (None, Some(lost)) => (Role::Alert, lost),
        (Some(_), None) => (Role::Warning, "FROZEN".to_owned()),
        (Some(_), Some(lost)) => (Role::Alert, format!("FROZEN, {lost}")),
    }
}

/// The collector's time; on a frozen screen the time at which it froze.
fn time(state: &State) -> String {
    if state.world().collector().is_none() {
        return "--:--:--".to_owned();
    }
    let zulu = if state.zone == ZoneChoice::Utc { "Z" } else { "" };
    format!("{}{zulu}", clock(state.now_ms(), &state.zone()))
}
