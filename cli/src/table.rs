//! Text tables that fit the width of a terminal.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

use anstream::adapter::strip_str;
use unicode_width::UnicodeWidthStr;

/// The space between two columns.
const GAP: &str = "  ";
/// Fewest rows that a thread makes.
const ROWS_OF_THREAD: usize = 10_000;

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

/// Rows under their titles, in at most so many columns of a terminal. It is drawn line by line:
/// that of a large fleet is tens of megabytes long.
pub(crate) struct Table<'a> {
    columns: &'a [TableColumn],
    cells: CellBuffer,
    widths: Vec<usize>,
    /// The columns that fit.
    shown: Vec<usize>,
}

impl<'a> Table<'a> {
    /// Lays out a row for each item. Columns that do not fit into `limit` columns of a terminal are left
    /// out, those of the highest rank first.
    pub(crate) fn new<T: Sync>(
        columns: &'a [TableColumn],
        items: &[T],
        row: impl Fn(&T) -> Vec<String> + Sync,
        limit: Option<usize>,
    ) -> Self {
        let mut cells = CellBuffer::default();
        columns.iter().for_each(|column| cells.push(column.title));
        let cells_of = |items: &[T]| {
            let mut cells = CellBuffer::default();
            items.iter().flat_map(&row).for_each(|cell| cells.push(&cell));
            cells
        };
        // Rows of a large fleet take longer to make than all that follows.
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let share = items.len().div_ceil(threads).max(ROWS_OF_THREAD);
        thread::scope(|scope| {
            let cells_of = &cells_of;
            let shares =
                items.chunks(share).skip(1).map(|items| scope.spawn(move || cells_of(items)));
            let shares: Vec<_> = shares.collect();
            cells.append(&cells_of(&items[..share.min(items.len())]));
            for share in shares {
                cells.append(&share.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
        });
        let widths = cells.column_widths(columns.len());
        let shown = fitting_columns(columns, &widths, limit);
        Self { columns, cells, widths, shown }
    }

    /// Returns the lines, the titles first, each with its end.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let rows = self.cells.ends.len() / self.columns.len();
        (0..rows).map(|row| self.line(row))
    }

    fn line(&self, row: usize) -> String {
        let mut line = String::with_capacity(128);
        for &at in &self.shown {
            if !line.is_empty() {
                line.push_str(GAP);
            }
            let (cell, width) = self.cells.get(row * self.columns.len() + at);
            let blank = std::iter::repeat_n(' ', self.widths[at].saturating_sub(width));
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
    let rows: Vec<_> = rows.collect();
    Table::new(columns, &rows, Vec::clone, limit).lines().collect()
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

    /// Adds cells after those that are there.
    fn append(&mut self, more: &Self) {
        let start = self.text.len();
        self.text.push_str(&more.text);
        self.ends.extend(more.ends.iter().map(|&(end, width)| (start + end, width)));
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
    fn rows_that_several_threads_make_stand_in_order() {
        let items: Vec<usize> = (0..3 * ROWS_OF_THREAD + 7).collect();
        let row = |n: &usize| vec![n.to_string(), String::new(), "x".to_owned()];
        let table = Table::new(&COLUMNS, &items, row, None);
        let lines: Vec<String> = table.lines().skip(1).collect();
        assert_eq!(lines.len(), items.len());
        let is_own =
            |(n, line): (usize, &String)| line.split_whitespace().eq([&*n.to_string(), "x"]);
        assert!(lines.iter().enumerate().all(is_own));
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
