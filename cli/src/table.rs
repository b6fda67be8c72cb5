//! Text tables that fit the width of a terminal.

use anstream::adapter::strip_str;
use unicode_width::UnicodeWidthStr;

/// The space between two columns.
const GAP: &str = "  ";

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableColumn {
    pub(crate) title: &'static str,
    pub(crate) align: ColumnAlign,
    /// The columns of the highest rank are left out first; 0 is never left out.
    pub(crate) rank: u8,
}

/// The alignment of the cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnAlign {
    Left,
    Right,
}

impl TableColumn {
    pub(crate) const fn left(title: &'static str, rank: u8) -> Self {
        Self { title, align: ColumnAlign::Left, rank }
    }

    pub(crate) const fn right(title: &'static str, rank: u8) -> Self {
        Self { title, align: ColumnAlign::Right, rank }
    }
}

/// Rows under their titles. It is drawn line by line: that of a large fleet is tens of megabytes long.
pub(crate) struct Table<'a> {
    columns: &'a [TableColumn],
    cells: CellBuffer,
}

impl<'a> Table<'a> {
    pub(crate) fn new(columns: &'a [TableColumn]) -> Self {
        let mut cells = CellBuffer::default();
        columns.iter().for_each(|column| cells.push(column.title));
        Self { columns, cells }
    }

    /// Adds a row, with a cell for each column.
    pub(crate) fn push(&mut self, row: &[impl AsRef<str>]) {
        debug_assert_eq!(row.len(), self.columns.len(), "a row has a cell for each column");
        row.iter().for_each(|cell| self.cells.push(cell.as_ref()));
    }

    /// Returns a cell of the row that was added as the `row`th, from 0.
    pub(crate) fn cell(&self, row: usize, column: usize) -> &str {
        self.cells.get((row + 1) * self.columns.len() + column).0
    }

    /// Returns the lines, the titles first, each with its end: the rows in this order. Columns that do
    /// not fit into `limit` columns of a terminal are left out, those of the highest rank first.
    pub(crate) fn lines(
        &self,
        order: impl IntoIterator<Item = usize>,
        limit: Option<usize>,
    ) -> impl Iterator<Item = String> {
        let widths = self.cells.column_widths(self.columns.len());
        let shown = fitting_columns(self.columns, &widths, limit);
        let rows = order.into_iter().map(|row| row + 1);
        std::iter::once(0).chain(rows).map(move |row| self.line(row, &shown, &widths))
    }

    fn line(&self, row: usize, shown: &[usize], widths: &[usize]) -> String {
        let mut line = String::with_capacity(128);
        for &at in shown {
            if !line.is_empty() {
                line.push_str(GAP);
            }
            let (cell, width) = self.cells.get(row * self.columns.len() + at);
            let blank = std::iter::repeat_n(' ', widths[at].saturating_sub(width));
            match self.columns[at].align {
                ColumnAlign::Left => {
                    line.push_str(cell);
                    line.extend(blank);
                }
                ColumnAlign::Right => {
                    line.extend(blank);
                    line.push_str(cell);
                }
            }
        }
        line.truncate(line.trim_end_matches(' ').len());
        line.push('\n');
        line
    }
}

/// Draws a table as one text.
pub(crate) fn draw(
    columns: &[TableColumn],
    rows: impl Iterator<Item = Vec<String>>,
    limit: Option<usize>,
) -> String {
    let mut table = Table::new(columns);
    let count = rows.map(|row| table.push(&row)).count();
    table.lines(0..count, limit).collect()
}

/// The cells of all rows, one after the other, in one text: a large fleet has millions of them.
#[derive(Default)]
struct CellBuffer {
    text: String,
    /// The end of each cell in `text`, and its width.
    ends: Vec<(usize, u32)>,
}

impl CellBuffer {
    fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push((self.text.len(), width(cell) as u32));
    }

    /// Returns the text of a cell, and its width.
    fn get(&self, at: usize) -> (&str, usize) {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before].0);
        let (end, width) = self.ends[at];
        (&self.text[start..end], width as usize)
    }

    /// Returns the width of the widest cell of each column.
    fn column_widths(&self, columns: usize) -> Vec<usize> {
        let mut widths = vec![0; columns];
        for row in self.ends.chunks(columns) {
            for ((_, width), widest) in row.iter().zip(&mut widths) {
                *widest = (*widest).max(*width as usize);
            }
        }
        widths
    }
}

/// Joins parts into lines of at most `limit` columns of a terminal. A part that is longer than that
/// stands on a line of its own.
pub(crate) fn wrap(parts: &[String], gap: &str, limit: Option<usize>) -> String {
    let mut text = String::new();
    let mut used = 0;
    for part in parts {
        let needed = gap.len() + width(part);
        let fits = limit.is_none_or(|limit| used + needed <= limit);
        match (text.is_empty(), fits) {
            (true, _) => {}
            (false, true) => text.push_str(gap),
            (false, false) => text.push('\n'),
        }
        used = if fits && !text.is_empty() { used + needed } else { needed - gap.len() };
        text.push_str(part);
    }
    text
}

/// Returns the columns that fit.
fn fitting_columns(columns: &[TableColumn], widths: &[usize], limit: Option<usize>) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let Some(limit) = limit else { return shown };
    let needed = |shown: &[usize]| shown.iter().map(|at| widths[*at] + GAP.len()).sum::<usize>();
    while needed(&shown) > limit + GAP.len() {
        let least = shown.iter().copied().max_by_key(|at| columns[*at].rank);
        match least.filter(|at| columns[*at].rank > 0) {
            Some(least) => shown.retain(|at| *at != least),
            None => break,
        }
    }
    shown
}

/// Returns how many columns a text takes; its escape codes take none.
fn width(text: &str) -> usize {
    match text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        // Nearly every cell is so, and there are millions in a large fleet.
        true => text.len(),
        false => strip_str(text).map(UnicodeWidthStr::width).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [TableColumn; 3] =
        [TableColumn::left("NAME", 0), TableColumn::right("AGE", 1), TableColumn::left("STEP", 2)];

    fn rows() -> Vec<Vec<String>> {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        vec![row(["\u{1b}[31mmail\u{1b}[0m", "4s", "fetch"]), row(["web-1", "12m04s", "日本"])]
    }

    #[test]
    fn cells_stand_below_each_other_whatever_their_colour_or_script() {
        let text = draw(&COLUMNS, rows().into_iter(), None);
        assert_eq!(
            text,
            "NAME      AGE  STEP\n\u{1b}[31mmail\u{1b}[0m       4s  fetch\nweb-1  12m04s  日本\n"
        );
    }

    #[test]
    fn rows_are_drawn_in_any_order() {
        let mut table = Table::new(&COLUMNS);
        rows().iter().for_each(|row| table.push(row));
        assert_eq!((table.cell(1, 0), table.cell(1, 2)), ("web-1", "日本"));
        let names = |order| {
            let lines = table.lines(order, Some(10)).skip(1);
            lines.map(|line| strip_str(&line[..]).to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names([1, 0]), ["web-1\n", "mail\n"]);
        assert_eq!(names([0, 1]), ["mail\n", "web-1\n"]);
    }

    #[test]
    fn parts_are_wrapped_between_each_other() {
        let parts = ["20 agents", "\u{1b}[31m16 healthy\u{1b}[0m", "1 日本"].map(str::to_owned);
        let lines = |limit| strip_str(&wrap(&parts, "   ", limit)).to_string();
        assert_eq!(lines(None), "20 agents   16 healthy   1 日本");
        assert_eq!(lines(Some(31)), "20 agents   16 healthy   1 日本");
        assert_eq!(lines(Some(30)), "20 agents   16 healthy\n1 日本");
        assert_eq!(lines(Some(21)), "20 agents\n16 healthy   1 日本");
        assert_eq!(lines(Some(5)), "20 agents\n16 healthy\n1 日本");
    }

    #[test]
    fn the_least_columns_go_first_and_the_first_never() {
        let heads = |limit| {
            draw(&COLUMNS, rows().into_iter(), Some(limit)).lines().next().unwrap().to_owned()
        };
        assert_eq!(heads(20), "NAME      AGE  STEP");
        assert_eq!(heads(19), "NAME      AGE");
        assert_eq!(heads(1), "NAME");
    }
}
