//! Statements, and values as columns of the databases.

use heartline_fleet::IdentityInterner;
use heartline_vocabulary::Identity;
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Connection, Params, Row};
use serde::Serialize;

/// Executes a statement that stays prepared; returns the number of rows that it changed.
pub(super) fn execute(
    conn: &Connection,
    sql: &str,
    params: impl Params,
) -> rusqlite::Result<usize> {
    conn.prepare_cached(sql)?.execute(params)
}

/// Reads a column by a table of names; an unknown name is an error.
pub(super) fn read_named<T>(
    row: &Row<'_>,
    column: usize,
    from_name: impl Fn(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let name = row.get_ref(column)?.as_str()?;
    from_name(name).ok_or_else(|| unknown_name(column))
}

/// Reads a column as [`read_named`] does; `None` where it is null.
pub(super) fn read_named_or_null<T>(
    row: &Row<'_>,
    column: usize,
    from_name: impl Fn(&str) -> Option<T>,
) -> rusqlite::Result<Option<T>> {
    let Some(name) = row.get_ref(column)?.as_str_or_null()? else { return Ok(None) };
    from_name(name).map(Some).ok_or_else(|| unknown_name(column))
}

fn unknown_name(column: usize) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        column,
        Type::Text,
        Box::new(FromSqlError::InvalidType),
    )
}

/// Converts a number of 64 bits into SQLite's signed integer with the same bits.
pub(super) fn to_bits(number: u64) -> i64 {
    number.cast_signed()
}

/// Converts back what [`to_bits`] has stored.
pub(super) fn from_bits(stored: i64) -> u64 {
    stored.cast_unsigned()
}

/// Converts a count, which saturates.
pub(super) fn to_count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Converts back what [`to_count`] has stored.
pub(super) fn from_count(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

/// Encodes an identity as a MessagePack map, which later versions may add to.
pub(super) fn encode_identity(identity: &Identity) -> Vec<u8> {
    encode(identity)
}

/// Encodes texts and numbers as a MessagePack map.
pub(super) fn encode(value: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("texts and numbers can always be encoded")
}

/// Decodes an identity; `None` if the bytes are not one: the agent will send it again.
pub(super) fn decode_identity(bytes: &[u8], interner: &mut IdentityInterner) -> Option<Identity> {
    Some(interner.intern(&rmp_serde::from_slice(bytes).ok()?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use heartline_vocabulary::SharedIdentity;

    use super::*;

    #[test]
    fn a_decoded_identity_is_equal_and_shared() {
        let shared = SharedIdentity {
            host: Some("machine-3".into()),
            sdk: Some("rust 0.1.0".into()),
            labels: vec![("tag".into(), "prod".into())],
            depends: vec!["mail.1".into()],
            ..SharedIdentity::default()
        };
        let identity = Identity { pid: Some(4_411), shared: shared.into() };
        let mut interner = IdentityInterner::default();
        let bytes = encode_identity(&identity);
        let mut decoded = || decode_identity(&bytes, &mut interner).unwrap();
        let (one, two) = (decoded(), decoded());
        assert_eq!(one, identity);
        assert!(Arc::ptr_eq(&one.shared, &two.shared));
    }

    #[test]
    fn bytes_that_are_no_identity_decode_to_none() {
        assert_eq!(decode_identity(&[0xc1, 0, 1], &mut IdentityInterner::default()), None);
    }
}
