//! Lines that are typed: a time to go to, and notes on outages.

use heartline_operator::message::{MomentInfo, NoteCommand, OutageQuery};
use heartline_operator::text::gap_cause_text;
use heartline_operator::time::{ResolvedTime, TimeContext, TimeError, TimeExpression, describe};

use super::{AppEffect, time_travel, timeline};
use crate::keys::{KeyChord, KeyCode};
use crate::state::{AppState, OutageJump, Overlay, Prompt, PromptAnswer, PromptPurpose, TextInput};
use crate::theme::StyleRole;

/// How far the time meant by `-2h` may go on while it is asked for.
const DRIFT_MS: u64 = 5_000;

/// Returns what the meaning of a typed time depends on.
pub(super) fn time_context(state: &AppState) -> TimeContext {
    TimeContext {
        now_ms: state.live_ms(),
        zone: state.zone(),
        viewed_ms: state.travel.instant_ms(),
        first_record_ms: state.travel.first_record_ms,
        outages: Vec::new(),
    }
}

/// Opens the line for a time.
pub(super) fn open_go_to(state: &mut AppState) {
    state.overlay = Some(Overlay::Prompt(Prompt {
        purpose: PromptPurpose::GoTo,
        input: TextInput::default(),
        answer: PromptAnswer::Empty,
    }));
    // Its answer says since when there is history.
    state.requests.echo_ms = Some(state.live_ms());
}

/// Opens the line for a note on the selected outage.
pub(super) fn open_note(state: &mut AppState, acknowledges: bool) {
    let Some(outage) = state.timeline.outages.selected().map(|outage| outage.id) else {
        state.set_status(StyleRole::Text, "no outage is selected: Tab goes to the outages");
        return;
    };
    state.overlay = Some(Overlay::Prompt(Prompt {
        purpose: PromptPurpose::Note { outage, acknowledges },
        input: TextInput::default(),
        answer: PromptAnswer::Empty,
    }));
}

/// Handles a key of the line; `None` when it may be a command.
pub(super) fn handle_key(state: &mut AppState, chord: KeyChord) -> Option<Vec<AppEffect>> {
    let Some(Overlay::Prompt(prompt)) = &mut state.overlay else { return None };
    let is_typed = !matches!(prompt.purpose, PromptPurpose::Acknowledge { .. });
    match (chord.code, chord.ctrl) {
        (KeyCode::Enter, _) => return Some(submit(state)),
        (KeyCode::Esc, _) | (KeyCode::Char('c' | 'z' | 'l'), true) => return None,
        _ => {
            if is_typed && prompt.input.handle_key(chord) {
                update_answer(state);
            }
        }
    }
    Some(Vec::new())
}

fn submit(state: &mut AppState) -> Vec<AppEffect> {
    let Some(Overlay::Prompt(prompt)) = &state.overlay else { return Vec::new() };
    let text = prompt.input.text().trim().to_owned();
    match &prompt.purpose {
        PromptPurpose::GoTo if text.is_empty() => state.overlay = None,
        PromptPurpose::GoTo => go_to(state, &text),
        &PromptPurpose::Acknowledge { incident, .. } => {
            state.overlay = None;
            return vec![AppEffect::SendAcknowledgement(incident)];
        }
        &PromptPurpose::Note { outage, acknowledges } => {
            if text.is_empty() && !acknowledges {
                set_answer(state, PromptAnswer::Refusal("the note is empty".to_owned()));
                return Vec::new();
            }
            state.overlay = None;
            return vec![AppEffect::SendNote(NoteCommand { outage, acknowledges, words: text })];
        }
    }
    Vec::new()
}

fn go_to(state: &mut AppState, text: &str) {
    let context = time_context(state);
    let resolved = match TimeExpression::parse(text).and_then(|it| it.resolve(&context)) {
        // Of two instants Enter takes the earlier one, as it is said.
        Err(TimeError::Ambiguous { earlier, .. }) => Ok(ResolvedTime::At(earlier.at_ms())),
        resolved => resolved,
    };
    match resolved {
        Ok(ResolvedTime::At(at_ms)) => {
            state.overlay = None;
            time_travel::jump_to(state, at_ms);
        }
        Ok(ResolvedTime::Now) => {
            state.overlay = None;
            time_travel::return_to_live(state);
        }
        Ok(ResolvedTime::First) => match state.travel.first_record_ms {
            Some(first_ms) => {
                state.overlay = None;
                time_travel::jump_to(state, first_ms);
            }
            None => set_answer(state, PromptAnswer::Refusal("history is empty".to_owned())),
        },
        Ok(ResolvedTime::Outage(number)) => {
            state.overlay = None;
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            timeline::request_jump(state, OutageJump::Number(number), OutageQuery::default());
        }
        Err(error) => set_answer(state, PromptAnswer::Refusal(error.to_string())),
    }
}

fn set_answer(state: &mut AppState, answer: PromptAnswer) {
    if let Some(Overlay::Prompt(prompt)) = &mut state.overlay {
        prompt.answer = answer;
    }
}

/// Says what the typed line means.
pub(super) fn update_answer(state: &mut AppState) {
    let Some(Overlay::Prompt(prompt)) = &state.overlay else { return };
    if prompt.purpose != PromptPurpose::GoTo {
        set_answer(state, PromptAnswer::Empty);
        return;
    }
    let text = prompt.input.text().trim().to_owned();
    if text.is_empty() {
        set_answer(state, PromptAnswer::Empty);
        return;
    }
    let context = time_context(state);
    let resolved = TimeExpression::parse(&text).and_then(|it| it.resolve(&context));
    let at = |at_ms| PromptAnswer::Meaning(format!("= {}", describe(at_ms, &context)));
    let answer = match resolved {
        Ok(ResolvedTime::At(at_ms)) => {
            state.requests.echo_ms = Some(at_ms);
            at(at_ms)
        }
        Ok(ResolvedTime::Now) => PromptAnswer::Meaning("= live".to_owned()),
        Ok(ResolvedTime::First) => match context.first_record_ms {
            Some(first_ms) => at(first_ms),
            None => PromptAnswer::Meaning("= the first record".to_owned()),
        },
        Ok(ResolvedTime::Outage(number)) => {
            PromptAnswer::Meaning(format!("= the begin of outage {number}"))
        }
        Err(error @ TimeError::Ambiguous { .. }) => {
            PromptAnswer::Meaning(format!("{error}; Enter takes the earlier one"))
        }
        Err(error) => PromptAnswer::Refusal(error.to_string()),
    };
    set_answer(state, answer);
}

/// Adds what the collector knows of a moment, if that is what is typed.
pub(super) fn describe_moment(state: &mut AppState, moment: &MomentInfo) {
    state.travel.first_record_ms = moment.first_ms;
    let Some(Overlay::Prompt(Prompt { purpose: PromptPurpose::GoTo, input, .. })) = &state.overlay
    else {
        return;
    };
    let context = time_context(state);
    let resolved = TimeExpression::parse(input.text()).and_then(|it| it.resolve(&context));
    // A distance from now has gone on since it was asked for.
    let is_it =
        matches!(resolved, Ok(ResolvedTime::At(at_ms)) if at_ms.abs_diff(moment.at_ms) < DRIFT_MS);
    if !is_it {
        // The first record may be known by now, and the time typed before it.
        update_answer(state);
        return;
    }
    let agents = match moment.agents {
        1 => "1 agent known".to_owned(),
        agents => format!("{agents} agents known"),
    };
    let gap = moment.gap.map_or_else(String::new, |gap| {
        let until = describe(gap.to_ms, &context);
        format!("; not observed until {until} ({}): as it was before", gap_cause_text(gap.cause))
    });
    let meaning = format!("= {}, {agents}{gap}", describe(moment.at_ms, &context));
    set_answer(state, PromptAnswer::Meaning(meaning));
}
