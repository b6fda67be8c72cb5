//! Names and numbers as columns of the databases.

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
