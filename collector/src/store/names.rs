//! Names in the databases, and what operators call the same things.

use heartline_fleet as fleet;
use heartline_operator::message;
use rusqlite::types::{FromSqlError, Type};

/// What a column says, by a table of names; an unknown name is a failure of the row.
pub(super) fn named<T>(
    row: &rusqlite::Row<'_>,
    column: usize,
    from_name: impl Fn(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let name = row.get_ref(column)?.as_str()?;
    from_name(name).ok_or_else(|| unknown(column))
}

/// [`named`], where the column may be null.
pub(super) fn named_if_any<T>(
    row: &rusqlite::Row<'_>,
    column: usize,
    from_name: impl Fn(&str) -> Option<T>,
) -> rusqlite::Result<Option<T>> {
    let Some(name) = row.get_ref(column)?.as_str_or_null()? else { return Ok(None) };
    from_name(name).map(Some).ok_or_else(|| unknown(column))
}

fn unknown(column: usize) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        column,
        Type::Text,
        Box::new(FromSqlError::InvalidType),
    )
}

/// The state of that name, for operators.
pub(super) fn state(name: &str) -> Option<message::State> {
    message::State::ALL.into_iter().find(|state| state.name() == name)
}

/// The reason of that name, for operators.
pub(super) fn reason(name: &str) -> Option<message::Reason> {
    fleet::Reason::from_name(name).map(|reason| match reason {
        fleet::Reason::Late => message::Reason::Late,
        fleet::Reason::Stalled => message::Reason::Stalled,
        fleet::Reason::Conflict => message::Reason::Conflict,
        fleet::Reason::Silent => message::Reason::Silent,
        fleet::Reason::OneWay => message::Reason::OneWay,
        fleet::Reason::Crashed => message::Reason::Crashed,
        fleet::Reason::Operator => message::Reason::Operator,
        fleet::Reason::Policy => message::Reason::Policy,
        fleet::Reason::Shutdown => message::Reason::Shutdown,
    })
}

/// The action of that name, for operators.
pub(super) fn action(name: &str) -> Option<message::Action> {
    fleet::Action::from_name(name).map(|action| match action {
        fleet::Action::Kill => message::Action::Kill,
        fleet::Action::Resume => message::Action::Resume,
    })
}

/// The cause of a gap of that name, for operators.
pub(super) fn gap_cause(name: &str) -> Option<message::GapCause> {
    fleet::GapCause::from_name(name).map(|cause| match cause {
        fleet::GapCause::Down => message::GapCause::Down,
        fleet::GapCause::Frozen => message::GapCause::Frozen,
        fleet::GapCause::KernelDrops => message::GapCause::KernelDrops,
    })
}

/// A number of 64 bits as SQLite's signed integer, by its bits.
pub(super) fn bits(number: u64) -> i64 {
    number.cast_signed()
}

/// The number that was stored by [`bits`].
pub(super) fn from_bits(stored: i64) -> u64 {
    stored.cast_unsigned()
}

/// A count that is never near the end of the range.
pub(super) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The count that was stored by [`count`].
pub(super) fn from_count(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_on_both_sides() {
        for state_name in fleet::State::ALL.map(fleet::State::name) {
            assert_eq!(state(state_name).map(message::State::name), Some(state_name));
        }
        for reason_name in fleet::Reason::ALL.map(fleet::Reason::name) {
            let known = reason(reason_name);
            assert_eq!(known.as_ref().map(|known| known.name()), Some(reason_name));
        }
    }
}
