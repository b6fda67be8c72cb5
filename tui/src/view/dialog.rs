//! The kill and resume dialogs: the targets, the effect and its deadline, and two buttons.

use heartline_operator::message::AgentEntry;
use heartline_operator::session_text;
use heartline_vocabulary::{Action, Reason, State};
use ratatui::layout::{Position, Rect};

use super::frame::ScreenFrame;
use super::{centred, zoned_time};
use crate::state::{AppState, ConfirmDialog, DialogFocus, TextInput, host_of};
use crate::text::{TextAlign, age, span, width};
use crate::theme::{StyleRole, vitals_label};

const WIDTH: u16 = 100;
/// Lines besides the targets and the effect: border, heading, blanks, buttons.
const FRAME_LINES: u16 = 6;
/// Further lines of a kill: the two text fields, what to type, and a blank.
const FIELD_LINES: u16 = 4;
/// The most targets shown at once.
const MAX_TARGETS: u16 = 12;
/// Columns of a text field.
const FIELD_WIDTH: u16 = 40;
/// Intervals without a beat after which a command may not reach an agent.
const MAX_BEAT_INTERVALS: u64 = 3;
/// The most agents whose kill a resume dialog shows.
const MAX_NAMED: usize = 3;

/// Draws a dialog. Returns the position of the text cursor.
pub(super) fn draw(frame: &mut ScreenFrame<'_>, dialog: &ConfirmDialog) -> Option<Position> {
    let state = frame.state;
    let effects = effect_lines(state, dialog);
    let field_lines = if dialog.action == Action::Kill { FIELD_LINES } else { 0 };
    let fixed =
        FRAME_LINES + field_lines + u16::from(dialog.hidden > 0) + saturating_u16(effects.len());
    let room = state.size.1.saturating_sub(1 + fixed).clamp(1, MAX_TARGETS);
    let shown = room.min(saturating_u16(dialog.targets.len()));
    let area = centred(state, WIDTH, (fixed + shown).min(state.size.1 - 1));
    let title = match dialog.action {
        Action::Kill => "Kill",
        Action::Resume => "Resume",
    };
    let inner = frame.draw_box(area, title);
    let mut row = draw_heading(frame, dialog, inner);
    row = draw_targets(frame, dialog, inner, row, shown);
    for (role, text) in &effects {
        if let Some(mut out) = frame.line(inner, row) {
            out.gap(1).put(*role, text);
        }
        row += 1;
    }
    row += 1;
    let mut cursor = None;
    if dialog.action == Action::Kill {
        cursor = draw_fields(frame, dialog, inner, row);
        row += field_lines;
    }
    draw_buttons(frame, dialog, inner, row);
    cursor
}

fn saturating_u16(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

/// Draws the heading. Returns the next row.
fn draw_heading(frame: &mut ScreenFrame<'_>, dialog: &ConfirmDialog, area: Rect) -> u16 {
    let state = frame.state;
    let n = dialog.targets.len();
    let verb = dialog.action.name().to_uppercase();
    let agents = if n == 1 { "1 agent".to_owned() } else { format!("{n} agents") };
    if let Some(mut out) = frame.line(area, 0) {
        out.gap(1).put(StyleRole::Strong, &format!("{verb} {agents}"));
        let fixed = zoned_time(state, dialog.opened_at_ms);
        out.gap(2).put(StyleRole::Dim, &format!("list fixed at {fixed}"));
    }
    let hidden = dialog.hidden;
    if hidden == 0 {
        return 1;
    }
    if let Some(mut out) = frame.line(area, 1) {
        let text = format!(" {hidden} of them hidden by the filter, marked (hidden) ");
        out.gap(1).put(StyleRole::Warning, &text);
    }
    2
}

/// Draws as many targets as fit. Returns the next row.
fn draw_targets(
    frame: &mut ScreenFrame<'_>,
    dialog: &ConfirmDialog,
    area: Rect,
    first: u16,
    shown: u16,
) -> u16 {
    let all = dialog.targets.len();
    let scroll = dialog.scroll.min(all.saturating_sub(usize::from(shown)));
    let visible = all - dialog.hidden;
    for (row, (at, target)) in
        (first..first + shown).zip(dialog.targets.iter().enumerate().skip(scroll))
    {
        draw_target(frame, target, at >= visible, area, row);
    }
    let left = all - usize::from(shown).min(all);
    let row = first + shown;
    if left > 0
        && let Some(mut out) = frame.line(area, row)
    {
        let text = format!(
            "{left} more: PgDn and PgUp scroll ({} to {} of {all})",
            scroll + 1,
            scroll + usize::from(shown)
        );
        out.gap(3).put(StyleRole::Dim, &text);
    }
    row + 1
}

/// Draws an agent: its identity when the dialog opened, and its state now.
fn draw_target(
    frame: &mut ScreenFrame<'_>,
    target: &AgentEntry,
    is_hidden: bool,
    area: Rect,
    row: u16,
) {
    let state = frame.state;
    let Some(mut out) = frame.line(area, row) else { return };
    out.gap(1);
    let Some(entry) = state.live.agent(&target.agent) else {
        out.gap(2)
            .put(StyleRole::Strong, &target.agent)
            .gap(2)
            .put(StyleRole::Dim, "no longer in the fleet");
        return;
    };
    let now = vitals_label(&entry.vitals, state.glyphs.glyph_set);
    if is_hidden {
        out.put_right(&[(StyleRole::Warning, "hidden"), (StyleRole::Text, " ")]);
    }
    let pid = target.identity.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    let session = session_text(target.vitals.session);
    let lasted = age(entry.vitals.state_age_ms(state.live.now_ms(state.now)));
    out.put(now.role, now.glyph)
        .gap(1)
        .cell(StyleRole::Strong, &target.agent, 22, TextAlign::Left)
        .gap(1)
        .cell(StyleRole::Text, host_of(target).unwrap_or("-"), 12, TextAlign::Left)
        .gap(1)
        .put_labelled("pid", StyleRole::Text, &pid)
        .put_labelled("boot", StyleRole::Text, session.get(..4).unwrap_or(&session))
        .put(now.role, now.word)
        .gap(1)
        .put(StyleRole::Text, &lasted);
}

/// Draws the two text fields of a kill. Returns the position of the text cursor.
fn draw_fields(
    frame: &mut ScreenFrame<'_>,
    dialog: &ConfirmDialog,
    area: Rect,
    row: u16,
) -> Option<Position> {
    let missing = dialog.reason.text().trim().is_empty();
    let reason_role = if missing { StyleRole::Warning } else { StyleRole::Dim };
    let reason = TextField {
        label: "Reason",
        input: &dialog.reason,
        is_focused: dialog.focus == DialogFocus::Reason,
    };
    let at_reason = reason.draw(frame, area, row, (reason_role, "required"));
    let typed_role = if dialog.is_phrase_typed() { StyleRole::Healthy } else { StyleRole::Strong };
    // On a line of its own, where the longest id fits at 80 columns.
    if let Some(mut out) = frame.line(area, row + 1) {
        out.gap(1).put(StyleRole::Text, "Type exactly ").put(typed_role, &dialog.phrase);
    }
    let typed = TextField {
        label: "",
        input: &dialog.typed,
        is_focused: dialog.focus == DialogFocus::Phrase,
    };
    let at_typed = typed.draw(frame, area, row + 2, (typed_role, ""));
    at_reason.or(at_typed)
}

/// A labelled text field.
struct TextField<'a> {
    label: &'a str,
    input: &'a TextInput,
    is_focused: bool,
}

impl TextField<'_> {
    /// Draws the field and a remark behind it. Returns the position of the text cursor, if the field
    /// has the focus.
    fn draw(
        &self,
        frame: &mut ScreenFrame<'_>,
        area: Rect,
        row: u16,
        remark: (StyleRole, &str),
    ) -> Option<Position> {
        let mut out = frame.line(area, row)?;
        let label_role = if self.is_focused { StyleRole::Key } else { StyleRole::Text };
        out.gap(1).cell(label_role, self.label, 7, TextAlign::Left).gap(1);
        let columns = FIELD_WIDTH.min(out.remaining().saturating_sub(26)).max(10);
        // The end of a long text is what is being typed.
        let before = width(self.input.before_cursor());
        let skipped = (before + 1).saturating_sub(usize::from(columns));
        let text: String = self.input.text().chars().skip(skipped).collect();
        out.put(StyleRole::Text, "[");
        let start = out.column();
        let pad = usize::from(columns).saturating_sub(width(&text));
        out.cell(
            StyleRole::Strong,
            &format!("{text}{}", "_".repeat(pad)),
            columns,
            TextAlign::Left,
        );
        out.put(StyleRole::Text, "]").gap(2);
        out.put(remark.0, remark.1);
        let at = start + u16::try_from(before - skipped.min(before)).unwrap_or(0);
        self.is_focused.then(|| Position::new(at, area.y + row))
    }
}

fn draw_buttons(frame: &mut ScreenFrame<'_>, dialog: &ConfirmDialog, area: Rect, row: u16) {
    let state = frame.state;
    let Some(mut out) = frame.line(area, row) else { return };
    let is_ready = dialog.is_ready();
    let (word, off) = match dialog.action {
        Action::Kill => (" Kill ", "disabled until both are filled"),
        Action::Resume => (" Resume ", ""),
    };
    out.gap(area.width / 2 - 16);
    let button = |focus: DialogFocus, enabled: bool| match (dialog.focus == focus, enabled) {
        (true, _) => state.theme.selection(),
        (false, true) => state.theme.style(StyleRole::Strong),
        (false, false) => state.theme.style(StyleRole::Dim),
    };
    out.put_styled(button(DialogFocus::Cancel, true), "[ Cancel ]").gap(4);
    let text = if is_ready { format!("[{word}]") } else { format!("<{word}>") };
    out.put_styled(button(DialogFocus::Confirm, is_ready), &text).gap(2);
    if !state.connection.is_live() {
        out.put(StyleRole::Alert, "the connection is lost");
    } else if !is_ready {
        out.put(StyleRole::Dim, off);
    }
}

/// Returns what a command will do and by when, each line with its style.
fn effect_lines(state: &AppState, dialog: &ConfirmDialog) -> Vec<(StyleRole, String)> {
    match dialog.action {
        Action::Kill => kill_effect(state, dialog),
        Action::Resume => resume_effect(state, dialog),
    }
}

fn kill_effect(state: &AppState, dialog: &ConfirmDialog) -> Vec<(StyleRole, String)> {
    let mut lines = Vec::new();
    let mut push = |role, text: String| lines.push((role, text));
    push(
        StyleRole::Text,
        "Effect  No new task starts; those in flight may finish. It lasts until".to_owned(),
    );
    push(
        StyleRole::Text,
        "        resumed, also when the agent or the collector starts again.".to_owned(),
    );
    let entries = dialog.targets.iter().filter_map(|target| state.live.agent(&target.agent));
    let (killed, rest): (Vec<_>, Vec<_>) = entries.partition(|entry| is_killed(entry));
    let (reachable, unreachable): (Vec<_>, Vec<_>) =
        rest.into_iter().partition(|entry| is_reachable(state, entry));
    if let Some(slowest) = reachable.iter().map(|entry| entry.vitals.interval_ms).max() {
        let (whom, by) = (names(&reachable), span(slowest.into()));
        let text = format!("        {whom}: delivered now, or with the next beat within {by}.");
        push(StyleRole::Text, text);
        let busy: u64 = reachable.iter().map(|entry| u64::from(entry.vitals.in_flight)).sum();
        // Always a line, so that the buttons below do not move.
        let drains = match busy {
            0 => "no task is in flight".to_owned(),
            1 => "1 task in flight drains first".to_owned(),
            _ => format!("{busy} tasks in flight drain first"),
        };
        push(StyleRole::Text, format!("        Now {drains}."));
    }
    if !unreachable.is_empty() {
        let whom = names(&unreachable);
        let text = format!("        {whom}: not beating, PENDING until its next beat.");
        push(StyleRole::Degraded, text);
    }
    if !killed.is_empty() {
        let whom = names(&killed);
        push(StyleRole::Dim, format!("        {whom}: already killed, no change."));
    }
    lines
}

fn resume_effect(state: &AppState, dialog: &ConfirmDialog) -> Vec<(StyleRole, String)> {
    let mut lines = Vec::new();
    for target in dialog.targets.iter().take(MAX_NAMED) {
        if let Some(kill) = &target.vitals.command {
            let by = if kill.cause == Reason::Policy { "policy" } else { "killed by" };
            let at = zoned_time(state, kill.at_ms);
            lines.push((
                StyleRole::Text,
                format!("{}: {by} {} at {at}, \"{}\"", target.agent, kill.by, kill.reason),
            ));
        }
    }
    let more = dialog.targets.len().saturating_sub(MAX_NAMED);
    if more > 0 {
        lines.push((StyleRole::Dim, format!("and {more} more")));
    }
    lines.push((
        StyleRole::Text,
        "Effect  New tasks may start again, as soon as the agent has received it.".to_owned(),
    ));
    lines
}

fn is_killed(entry: &AgentEntry) -> bool {
    entry.vitals.state == State::Killed && entry.vitals.reason != Some(Reason::Shutdown)
}

/// Returns whether a live beat came lately, so that a command reaches the agent.
fn is_reachable(state: &AppState, entry: &AgentEntry) -> bool {
    let vitals = &entry.vitals;
    let limit = MAX_BEAT_INTERVALS * u64::from(vitals.interval_ms);
    let age = vitals.beat_age_ms(state.live.exact_now_ms(state.now));
    age.is_some_and(|age| age < limit)
        && !matches!(vitals.state, State::Unreachable | State::Killed)
}

fn names(entries: &[&AgentEntry]) -> String {
    match entries {
        [only] => only.agent.clone(),
        several => format!("{} agents", several.len()),
    }
}
