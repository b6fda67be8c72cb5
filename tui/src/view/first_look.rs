//! How to connect a first agent: what the fleet screen shows while there is none.

use heartline_operator::message::CollectorStatus;
use ratatui::layout::Rect;

use super::frame::ScreenFrame;
use crate::columns::LEFT_MARGIN;
use crate::text::wrap;
use crate::theme::StyleRole;

/// The least rows for all of it; where there are fewer, only what has no language is shown.
const ALL_ROWS: u16 = 15;

/// A language: its name, three lines of a program, and what installs the package from this repository.
const LANGUAGES: [(&str, [&str; 3], &str); 3] = [
    (
        "Python",
        ["import heartline", "hb = heartline.start(\"my-agent\")", "with hb.task(): work()"],
        "pip install ./python",
    ),
    (
        "Node",
        [
            "import { start } from 'heartline';",
            "const hb = start('my-agent');",
            "await hb.task('work', work);",
        ],
        "npm install ./node",
    ),
    (
        "Rust",
        ["let hb = heartline::start(\"my-agent\");", "let task = hb.task();", "work(); task.ok();"],
        "cargo add --path emitter",
    ),
];

/// Columns of the names of languages, and of the lines of their programs.
const NAME_WIDTH: usize = 8;
const PROGRAM_WIDTH: usize = 39;

/// Draws it, with this collector's own address and token.
pub(super) fn draw(frame: &mut ScreenFrame<'_>, area: Rect) {
    let Some(collector) = frame.state.model().collector() else { return };
    let columns = usize::from(area.width.saturating_sub(2 * LEFT_MARGIN));
    let text = |text: &str| wrap(text, columns).into_iter().map(|it| (StyleRole::Text, it));
    let mut lines: Vec<(StyleRole, String)> = Vec::new();
    lines.extend(text("No agent has ever sent a beat. Any program is an agent with"));
    let run = wrap("heartline run --agent my-agent -- PROGRAM", columns);
    lines.extend(run.into_iter().map(|it| (StyleRole::Key, it)));
    if area.height >= ALL_ROWS {
        lines.extend(text("or with three lines of its own:"));
        lines.extend(LANGUAGES.iter().flat_map(|language| program(*language)));
    }
    lines.extend(elsewhere(collector).iter().flat_map(|it| text(it)));
    for (row, (role, line)) in (0..area.height).zip(lines) {
        if let Some(mut out) = frame.line(area, row) {
            out.gap(LEFT_MARGIN).put(role, &line);
        }
    }
}

/// Returns the lines of a language; the first has its name, and what installs the package.
fn program(
    (name, lines, install): (&str, [&str; 3], &str),
) -> impl Iterator<Item = (StyleRole, String)> {
    let line = move |(at, line): (usize, &str)| {
        let (name, install) = if at == 0 { (name, install) } else { ("", "") };
        let text = format!("{name:<NAME_WIDTH$}{line:<PROGRAM_WIDTH$}{install}");
        (StyleRole::Key, text.trim_end().to_owned())
    };
    lines.into_iter().enumerate().map(line).collect::<Vec<_>>().into_iter()
}

/// Returns what agents of other users and machines need.
fn elsewhere(collector: &CollectorStatus) -> Vec<String> {
    let CollectorStatus { host, udp, token_file, .. } = collector;
    let listens = udp.first().map_or("", String::as_str);
    let port = listens.rsplit(':').next().unwrap_or("4327");
    let reach = match listens {
        it if it.starts_with("127.") || it.starts_with("[::1]") => {
            format!("This collector listens on {listens}, for agents of this machine alone.")
        }
        _ => format!("Elsewhere set HEARTLINE_COLLECTOR={host}:{port}."),
    };
    vec![
        format!("Agents of the same user on {host} need no settings. {reach}"),
        format!(
            "Those of others set HEARTLINE_TOKEN_FILE to a copy of {token_file}, or to what \
             `heartline token --agent NAME` prints."
        ),
    ]
}
