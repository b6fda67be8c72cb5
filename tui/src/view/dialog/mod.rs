//! The dialogs that ask before a command is sent: the targets, the effect, and two buttons.

mod effect;
mod fields;
mod plan;

use heartline_operator::message::AgentEntry;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::{Clear, Widget as _};

use super::frame::ScreenFrame;
use super::{centred, zoned_time};
use crate::state::{ConfirmDialog, DialogCommand, DialogFocus, host_of};
use crate::text::{TextAlign, age, width, wrap};
use crate::theme::{StyleRole, vitals_label};
use fields::draw_fields;
use plan::DialogPlan;

pub(crate) use plan::dialog_size_needed;

/// Columns of both buttons and what is between them.
const BUTTONS_WIDTH: u16 = 22;

/// Draws a dialog, or that it has no room. Returns the position of the text cursor.
pub(super) fn draw(frame: &mut ScreenFrame<'_>, dialog: &ConfirmDialog) -> Option<Position> {
    let state = frame.state;
    let Ok(plan) = DialogPlan::new(state, dialog) else {
        draw_size_needed(frame, dialog);
        return None;
    };
    let title = dialog.command.title();
    let inner = frame.draw_box(centred(state, plan.size.0, plan.size.1), title);
    let mut row = draw_heading(frame, dialog, inner);
    row = draw_targets(frame, dialog, inner, row, &plan);
    row += u16::from(plan.blanks > 2);
    for (role, text) in &plan.effect {
        if let Some(mut out) = frame.line(inner, row) {
            out.gap(1).put(*role, text);
        }
        row += 1;
    }
    row += u16::from(plan.blanks > 1);
    let cursor = draw_fields(frame, dialog, &plan.phrase, inner, row);
    draw_buttons(frame, dialog, inner, inner.height.saturating_sub(1));
    cursor
}

/// Draws why the dialog is not there, over what is.
fn draw_size_needed(frame: &mut ScreenFrame<'_>, dialog: &ConfirmDialog) {
    let Some(needed) = dialog_size_needed(frame.state, dialog) else { return };
    let area = frame.buffer.area;
    Clear.render(area, frame.buffer);
    let text = format!("{needed}. Esc cancels it.");
    for (row, line) in (0..).zip(wrap(&text, usize::from(area.width.saturating_sub(2)))) {
        if let Some(mut out) = frame.line(area, row) {
            out.gap(1).put(StyleRole::Warning, &line);
        }
    }
}

fn saturating_u16(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

/// Draws the heading. Returns the next row.
fn draw_heading(frame: &mut ScreenFrame<'_>, dialog: &ConfirmDialog, area: Rect) -> u16 {
    let state = frame.state;
    let n = dialog.targets.agents.len();
    let verb = dialog.command.name().to_uppercase();
    let agents = if n == 1 { "1 agent".to_owned() } else { format!("{n} agents") };
    if let Some(mut out) = frame.line(area, 0) {
        out.gap(1).put(StyleRole::Strong, &format!("{verb} {agents}"));
        let fixed = zoned_time(state, dialog.opened_at_ms);
        let text = format!("list fixed at {fixed}");
        if width(&text) <= usize::from(out.gap(2).remaining()) {
            out.put(StyleRole::Dim, &text);
        }
    }
    let hidden = dialog.targets.hidden;
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
    plan: &DialogPlan,
) -> u16 {
    let shown = plan.targets;
    let all = dialog.targets.agents.len();
    let scroll = dialog.scroll.min(all.saturating_sub(usize::from(shown)));
    let visible = all - dialog.targets.hidden;
    for (row, (at, target)) in
        (first..first + shown).zip(dialog.targets.agents.iter().enumerate().skip(scroll))
    {
        draw_target(frame, target, at >= visible, area, row);
    }
    let left = all - usize::from(shown).min(all);
    let row = first + shown;
    if !plan.has_more_line {
        return row;
    }
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
    let session = target.session_text().unwrap_or_else(|| "-".to_owned());
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

fn draw_buttons(frame: &mut ScreenFrame<'_>, dialog: &ConfirmDialog, area: Rect, row: u16) {
    let state = frame.state;
    let Some(mut out) = frame.line(area, row) else { return };
    let is_ready = dialog.is_ready();
    let word = dialog.command.title();
    let off = match dialog.command {
        DialogCommand::Kill => "disabled until both are filled",
        DialogCommand::Forget => "disabled until it is typed",
        DialogCommand::Resume => "",
    };
    out.gap(area.width.saturating_sub(BUTTONS_WIDTH + 10) / 2);
    let button = |focus: DialogFocus, enabled: bool| match (dialog.focus == focus, enabled) {
        (true, _) => state.theme.selection(),
        (false, true) => state.theme.style(StyleRole::Strong),
        (false, false) => state.theme.style(StyleRole::Dim),
    };
    out.put_styled(button(DialogFocus::Cancel, true), "[ Cancel ]").gap(4);
    let text = if is_ready { format!("[ {word} ]") } else { format!("< {word} >") };
    out.put_styled(button(DialogFocus::Confirm, is_ready), &text).gap(2);
    if !state.connection.is_live() {
        out.put(StyleRole::Alert, "the connection is lost");
    } else if !is_ready && width(off) <= usize::from(out.remaining()) {
        out.put(StyleRole::Dim, off);
    }
}
