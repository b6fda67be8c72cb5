//! CSV for spreadsheets.

use std::io;

/// Returns a line of titles, then one for each row.
///
/// # Errors
/// That of the encoder.
pub(crate) fn lines<const N: usize>(
    titles: &[&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> io::Result<String> {
    let titles = titles.map(str::to_owned);
    rows_only(std::iter::once(titles).chain(rows))
}

/// Returns a line for each row.
///
/// # Errors
/// That of the encoder.
pub(crate) fn rows_only<const N: usize>(
    rows: impl IntoIterator<Item = [String; N]>,
) -> io::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(&row)?;
    }
    let bytes = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// Returns a text of an agent as one that no spreadsheet takes for a formula.
pub(crate) fn plain(text: Option<&str>) -> String {
    let text = text.unwrap_or_default();
    match text.starts_with(['=', '+', '-', '@']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

/// Returns a time in seconds.
pub(crate) fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}
