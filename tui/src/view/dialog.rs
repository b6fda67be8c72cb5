//! The kill and resume dialogs: whom it hits, what it does and by when, and two buttons.

mod effect;

use heartline_operator::session_text;
use heartline_vocabulary::Action;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::centred;
use super::facts::when;
use super::pen::{Pen, boxed};
use crate::look::{Align, Role, age, status, width};
use crate::state::{Dialog, Focus, Input, State, Target};

const WIDTH: u16 = 100;
/// Lines besides the targets and the effect: border, heading, blanks, buttons; for a kill also the
/// two text fields, what is to be typed, and a blank.
const FRAME: u16 = 6;
const FIELDS: u16 = 4;
/// Most targets shown at once.
const MOST_TARGETS: u16 = 12;
/// Columns of the text fields.
const FIELD: u16 = 40;

/// Returns where the text cursor stands.
pub(super) fn draw(state: &State, dialog: &Dialog, buffer: &mut Buffer) -> Option<Position> {
    let effects = effect::lines(state, dialog);
    let fields_high = if dialog.action == Action::Kill { FIELDS } else { 0 };
    let fixed = FRAME + fields_high + u16::from(dialog.hidden() > 0) + count(effects.len());
    let room = state.size.1.saturating_sub(1 + fixed).clamp(1, MOST_TARGETS);
    let shown = room.min(count(dialog.targets.len()));
    let area = centred(state, WIDTH, (fixed + shown).min(state.size.1 - 1));
    let title = match dialog.action {
        Action::Kill => "Kill",
        Action::Resume => "Resume",
    };
    let inner = boxed(state, area, title, buffer);
    let mut row = head(state, dialog, inner, buffer);
    row = targets(state, dialog, inner, row, shown, buffer);
    for (role, text) in &effects {
        if let Some(mut pen) = Pen::on(state, inner, row, buffer) {
            pen.gap(1).put(*role, text);
        }
        row += 1;
    }
    row += 1;
    let mut cursor = None;
    if dialog.action == Action::Kill {
        cursor = fields(state, dialog, inner, row, buffer);
        row += fields_high;
    }
    buttons(state, dialog, inner, row, buffer);
    cursor
}

fn count(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

fn head(state: &State, dialog: &Dialog, area: Rect, buffer: &mut Buffer) -> u16 {
    let n = dialog.targets.len();
    let verb = match dialog.action {
        Action::Kill => "KILL",
        Action::Resume => "RESUME",
    };
    let agents = if n == 1 { "1 agent".to_owned() } else { format!("{n} agents") };
    if let Some(mut pen) = Pen::on(state, area, 0, buffer) {
        pen.gap(1).put(Role::Strong, &format!("{verb} {agents}"));
        let fixed = when(state, dialog.opened_ms);
        pen.gap(2).put(Role::Dim, &format!("fixed at {fixed}; it will not change under you"));
    }
    let mut row = 1;
    let hidden = dialog.hidden();
    if hidden > 0 {
        if let Some(mut pen) = Pen::on(state, area, row, buffer) {
            let text = format!(
                " {hidden} of them not on your screen: the filter hides what is marked (hidden) "
            );
            pen.gap(1).put(Role::Warning, &text);
        }
        row += 1;
    }
    row
}

/// The agents, as many as there is room for. Returns the next row.
fn targets(
    state: &State,
    dialog: &Dialog,
    area: Rect,
    first: u16,
    shown: u16,
    buffer: &mut Buffer,
) -> u16 {
    let all = dialog.targets.len();
    let scroll = dialog.scroll.min(all.saturating_sub(usize::from(shown)));
    for (row, target) in (first..first + shown).zip(dialog.targets.iter().skip(scroll)) {
        target_line(state, target, area, row, buffer);
    }
    let left = all - usize::from(shown).min(all);
    let row = first + shown;
    if left > 0
        && let Some(mut pen) = Pen::on(state, area, row, buffer)
    {
        let text = format!(
            "{left} more: PgDn and PgUp scroll ({} to {} of {all})",
            scroll + 1,
            scroll + usize::from(shown)
        );
        pen.gap(3).put(Role::Dim, &text);
    }
    row + 1
}

/// One agent: who it was when the dialog opened, and how it is now.
fn target_line(state: &State, target: &Target, area: Rect, row: u16, buffer: &mut Buffer) {
    let Some(mut pen) = Pen::on(state, area, row, buffer) else { return };
    pen.gap(1);
    let Some(entry) = state.live.agent(&target.agent) else {
        pen.gap(2).put(Role::Strong, &target.agent).gap(2).put(Role::Dim, "no longer in the fleet");
        return;
    };
    let now = status(&entry.vitals, state.charset);
    if target.hidden {
        pen.at_end(&[(Role::Warning, "hidden"), (Role::Text, " ")]);
    }
    let pid = target.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    let session = session_text(target.session);
    let lasted = age(entry.vitals.state_age_ms(state.live.now_ms(state.now)));
    pen.put(now.role, now.glyph)
        .gap(1)
        .cell(Role::Strong, &target.agent, 22, Align::Left)
        .gap(1)
        .cell(Role::Text, target.host.as_deref().unwrap_or("-"), 12, Align::Left)
        .gap(1)
        .pair("pid", Role::Text, &pid)
        .pair("boot", Role::Text, session.get(..4).unwrap_or(&session))
        .put(now.role, now.label)
        .gap(1)
        .put(Role::Text, &lasted);
}

/// The two text fields of a kill. Returns where the text cursor stands.
fn fields(
    state: &State,
    dialog: &Dialog,
    area: Rect,
    row: u16,
    buffer: &mut Buffer,
) -> Option<Position> {
    let missing = dialog.reason.text().trim().is_empty();
    let reason_role = if missing { Role::Warning } else { Role::Dim };
    let reason =
        Field { label: "Reason", input: &dialog.reason, focused: dialog.focus == Focus::Reason };
    let at_reason = reason.draw(state, area, row, (reason_role, "required"), buffer);
    let phrase = dialog.scope.phrase();
    let meant = dialog.typed.text().trim() == phrase;
    let typed_role = if meant { Role::Healthy } else { Role::Strong };
    // On a line of its own: the longest id fits at 80 columns, and none is cut.
    if let Some(mut pen) = Pen::on(state, area, row + 1, buffer) {
        pen.gap(1).put(Role::Text, "Type exactly ").put(typed_role, &phrase);
    }
    let typed = Field { label: "", input: &dialog.typed, focused: dialog.focus == Focus::Typed };
    let at_typed = typed.draw(state, area, row + 2, (typed_role, ""), buffer);
    at_reason.or(at_typed)
}

/// A labelled text field and a remark behind it.
struct Field<'a> {
    label: &'a str,
    input: &'a Input,
    focused: bool,
}

impl Field<'_> {
    /// Draws it; where it has the focus, returns the place of the text cursor.
    fn draw(
        &self,
        state: &State,
        area: Rect,
        row: u16,
        remark: (Role, &str),
        buffer: &mut Buffer,
    ) -> Option<Position> {
        let mut pen = Pen::on(state, area, row, buffer)?;
        let label_role = if self.focused { Role::Key } else { Role::Text };
        pen.gap(1).cell(label_role, self.label, 7, Align::Left).gap(1);
        let columns = FIELD.min(pen.room().saturating_sub(26)).max(10);
        // The end of a long text is what is being typed.
        let before = width(self.input.before());
        let skipped = (before + 1).saturating_sub(usize::from(columns));
        let text: String = self.input.text().chars().skip(skipped).collect();
        pen.put(Role::Text, "[");
        let start = pen.x();
        let pad = usize::from(columns).saturating_sub(width(&text));
        pen.cell(Role::Strong, &format!("{text}{}", "_".repeat(pad)), columns, Align::Left);
        pen.put(Role::Text, "]").gap(2);
        pen.put(remark.0, remark.1);
        let at = start + u16::try_from(before - skipped.min(before)).unwrap_or(0);
        self.focused.then(|| Position::new(at, area.y + row))
    }
}

fn buttons(state: &State, dialog: &Dialog, area: Rect, row: u16, buffer: &mut Buffer) {
    let Some(mut pen) = Pen::on(state, area, row, buffer) else { return };
    let ready = dialog.ready();
    let (word, off) = match dialog.action {
        Action::Kill => (" Kill ", "off until both are filled"),
        Action::Resume => (" Resume ", ""),
    };
    pen.gap(area.width / 2 - 16);
    let button = |focus: Focus, enabled: bool| match (dialog.focus == focus, enabled) {
        (true, _) => state.theme.cursor(),
        (false, true) => state.theme.style(Role::Strong),
        (false, false) => state.theme.style(Role::Dim),
    };
    pen.styled(button(Focus::Cancel, true), "[ Cancel ]").gap(4);
    let text = if ready { format!("[{word}]") } else { format!("<{word}>") };
    pen.styled(button(Focus::Confirm, ready), &text).gap(2);
    if !state.link.is_live() {
        pen.put(Role::Alert, "the link is lost");
    } else if !ready {
        pen.put(Role::Dim, off);
    }
}
