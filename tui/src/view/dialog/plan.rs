//! How a dialog fits a screen.
//!
//! 1. Its heading, one target, the fields and the buttons are always drawn, and of a resume who
//!    killed the first one; or nothing is.
//! 2. What else there is room for: the effect, that there are more targets, blank lines, and last
//!    further targets.
//! 3. Of an effect that does not fit, what it does to these agents is kept.

use super::effect::{EffectRoom, effect_lines};
use super::fields::LABEL;
use super::saturating_u16;
use crate::state::{AppState, ConfirmDialog, DialogCommand, DialogFocus};
use crate::text::{width, wrap};
use crate::theme::StyleRole;

/// The widest dialog.
const MAX_WIDTH: u16 = 100;
/// The narrowest: room for the buttons, and for a field of ten columns.
const MIN_WIDTH: u16 = 30;
/// The most targets shown at once.
const MAX_TARGETS: u16 = 12;
/// Lines of the border, the heading, a target and the buttons.
const FRAME_LINES: u16 = 5;
/// The most blank lines: before the effect, before the fields, and before the buttons.
const MAX_BLANKS: u16 = 3;

/// The lines of each part of a dialog, and its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DialogPlan {
    pub size: (u16, u16),
    pub targets: u16,
    pub has_more_line: bool,
    pub effect: Vec<(StyleRole, String)>,
    /// What must be typed, with its label, on as many lines as that takes; empty for nothing.
    pub phrase: Vec<String>,
    pub blanks: u16,
}

impl DialogPlan {
    /// Returns the plan for the size of the screen.
    ///
    /// # Errors
    /// The columns and lines that are needed, when there is no room for a field or button.
    pub(super) fn new(state: &AppState, dialog: &ConfirmDialog) -> Result<Self, (u16, u16)> {
        let (columns, rows) = state.size;
        let width = columns.min(MAX_WIDTH);
        let inner = usize::from(width.saturating_sub(3));
        let fields = dialog.fields();
        let has_phrase = fields.contains(&DialogFocus::Phrase);
        let phrase = if has_phrase { phrase_lines(&dialog.phrase, inner) } else { Vec::new() };
        let hidden = u16::from(dialog.targets.hidden > 0);
        let least_effect = u16::from(dialog.command == DialogCommand::Resume);
        let fixed = FRAME_LINES + hidden + saturating_u16(fields.len() + phrase.len());
        let needed = fixed + least_effect;
        if columns < MIN_WIDTH || rows < needed {
            return Err((MIN_WIDTH, needed));
        }
        // The line of hints stays, where there is one to spare.
        let mut spare = rows - fixed - u16::from(rows > needed);
        let all_targets = saturating_u16(dialog.targets.agents.len());
        let room = EffectRoom { columns: inner, lines: spare.into() };
        let effect = effect_lines(state, dialog, room);
        let kept = take(&mut spare, saturating_u16(effect.len()));
        let all_fit = all_targets <= MAX_TARGETS.min(spare.saturating_sub(MAX_BLANKS) + 1);
        let has_more_line = !all_fit && take(&mut spare, 1) == 1;
        let blanks = take(&mut spare, MAX_BLANKS);
        let further = take(&mut spare, all_targets.min(MAX_TARGETS).saturating_sub(1));
        let height = fixed + kept + u16::from(has_more_line) + blanks + further;
        Ok(Self {
            size: (width, height),
            targets: 1 + further,
            has_more_line,
            effect,
            phrase,
            blanks,
        })
    }
}

/// Takes as many of the spare lines as are wanted and left.
fn take(spare: &mut u16, wanted: u16) -> u16 {
    let taken = wanted.min(*spare);
    *spare -= taken;
    taken
}

/// Returns what must be typed with its label, broken where it does not fit, never cut off.
fn phrase_lines(phrase: &str, columns: usize) -> Vec<String> {
    if width(LABEL) + 1 + width(phrase) <= columns {
        return vec![format!("{LABEL} {phrase}")];
    }
    let mut lines = vec![LABEL.to_owned()];
    lines.extend(wrap(phrase, columns));
    lines
}

/// Returns why a dialog has no room; `None` when it has.
pub(crate) fn dialog_size_needed(state: &AppState, dialog: &ConfirmDialog) -> Option<String> {
    let (columns, rows) = DialogPlan::new(state, dialog).err()?;
    Some(format!("{} needs a screen of {columns}x{rows}", dialog.command.name()))
}
