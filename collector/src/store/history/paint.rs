//! Painting of states into cells of equal length.

use heartline_operator::message::{TimelineCell, precedence};
use heartline_vocabulary::{AgentStatus, State};
use rusqlite::Connection;

use super::AgentMoment;
use super::resolution::DAY_MS;
use super::strip::StripEntry;
use super::unobserved::UnobservedTime;

/// Cells of equal length, and how much of each was not observed.
pub(crate) struct CellGrid {
    from_ms: i64,
    cell_ms: i64,
    /// End of the last cell, or now.
    to_ms: i64,
    unobserved_ms: Vec<u64>,
    unobserved: UnobservedTime,
}

impl CellGrid {
    /// Returns so many cells from a time on, which end at `now_ms`.
    pub(crate) fn new(
        conn: &Connection,
        (from_ms, cell_ms, cells): (i64, i64, u32),
        now_ms: i64,
    ) -> rusqlite::Result<Self> {
        let unobserved = UnobservedTime::since(conn, from_ms)?;
        let begin = |cell: i64| from_ms + cell * cell_ms;
        let unobserved_ms = (0..i64::from(cells))
            .map(|cell| unobserved.within(begin(cell), begin(cell + 1).min(now_ms)))
            .collect();
        let to_ms = begin(i64::from(cells)).min(now_ms);
        Ok(Self { from_ms, cell_ms, to_ms, unobserved_ms, unobserved })
    }

    /// Returns whether each cell is of one or more whole days, in UTC.
    pub(crate) fn is_of_days(&self) -> bool {
        self.from_ms % DAY_MS == 0 && self.cell_ms % DAY_MS == 0
    }

    /// Returns the end of the last cell, or now.
    pub(crate) fn to_ms(&self) -> i64 {
        self.to_ms
    }

    pub(crate) fn len(&self) -> usize {
        self.unobserved_ms.len()
    }

    /// Returns the begin and end of a cell, which is cut at now.
    fn times(&self, cell: usize) -> (i64, i64) {
        let from_ms = self.from_ms + cell as i64 * self.cell_ms;
        (from_ms, (from_ms + self.cell_ms).min(self.to_ms))
    }

    fn cell_of(&self, at_ms: i64) -> usize {
        usize::try_from((at_ms - self.from_ms) / self.cell_ms).unwrap_or(0)
    }

    /// Returns how much of a part of a cell was not observed.
    fn unobserved_ms(&self, cell: usize, from_ms: i64, to_ms: i64) -> u64 {
        match self.unobserved_ms[cell] {
            0 => 0,
            whole if self.times(cell) == (from_ms, to_ms) => whole,
            _ => self.unobserved.within(from_ms, to_ms),
        }
    }

    /// Returns the cells of the collector itself, whose first record is of `first_ms`.
    pub(crate) fn observed_since(&self, first_ms: i64) -> impl Iterator<Item = TimelineCell> {
        (0..self.len()).map(move |cell| {
            let (from_ms, to_ms) = self.times(cell);
            let mut open = OpenCell::begin(self, cell);
            let from_ms = from_ms.max(first_ms);
            if from_ms < to_ms {
                open.add(self, from_ms, to_ms, AgentStatus::HEALTHY);
            }
            open.painted
        })
    }
}

/// A cell of one agent that is not whole yet.
#[derive(Clone, Copy, Debug, Default)]
struct OpenCell {
    cell: usize,
    end_ms: i64,
    painted: TimelineCell,
    /// The precedence of its worst status; 0 while it has none.
    precedence: u8,
}

impl OpenCell {
    fn begin(grid: &CellGrid, cell: usize) -> Self {
        let (_, end_ms) = grid.times(cell);
        Self { cell, end_ms, painted: TimelineCell::default(), precedence: 0 }
    }

    /// Adds a status that the agent had for a while, later than those before.
    fn add(&mut self, grid: &CellGrid, from_ms: i64, to_ms: i64, status: AgentStatus) {
        let painted = &mut self.painted;
        let unobserved_ms = grid.unobserved_ms(self.cell, from_ms, to_ms);
        let observed_ms = (to_ms - from_ms).cast_unsigned() - unobserved_ms;
        painted.unobserved_ms += unobserved_ms;
        if observed_ms == 0 {
            return;
        }
        match status.state {
            State::Healthy => painted.up_ms += observed_ms,
            State::Degraded | State::Unreachable => painted.bad_ms += observed_ms,
            State::Killed | State::Unknown => painted.other_ms += observed_ms,
        }
        self.show(status);
    }

    /// Adds what was painted of a later part of the cell.
    fn add_painted(&mut self, part: &TimelineCell) {
        self.painted.up_ms += part.up_ms;
        self.painted.bad_ms += part.bad_ms;
        self.painted.other_ms += part.other_ms;
        self.painted.unobserved_ms += part.unobserved_ms;
        if let Some(status) = part.worst {
            self.show(status);
        }
    }

    /// Shows a status, if none before it was worse. Of two reasons for one state the later one is shown.
    fn show(&mut self, status: AgentStatus) {
        let precedence = precedence(status);
        if precedence >= self.precedence {
            (self.painted.worst, self.painted.worst_agents) = (Some(status), 1);
            self.precedence = precedence;
        }
    }
}

/// Paints the states of one agent. What it paints it hands over cell by cell, to the last argument of its
/// methods.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StatePainter {
    moment: AgentMoment,
    /// Until when it has painted.
    painted_ms: i64,
    /// Where it paints; at first a cell without any time.
    open: OpenCell,
}

impl StatePainter {
    /// Goes on from a moment, with what the agent was then.
    pub(crate) fn go_on(&mut self, from_ms: i64, moment: AgentMoment) {
        (self.painted_ms, self.moment) = (from_ms, moment);
    }

    /// Paints until the next event of the agent.
    pub(crate) fn apply(
        &mut self,
        entry: &StripEntry,
        grid: &CellGrid,
        close: &mut impl FnMut(usize, &TimelineCell),
    ) {
        let before = self.moment.status;
        self.moment.apply(entry);
        if self.moment.status == before {
            return;
        }
        // A transition can be stamped a little before one that was stored earlier.
        self.paint(before, entry.at_ms, grid, close);
        self.painted_ms = self.painted_ms.max(entry.at_ms);
    }

    /// Paints until a time, up to which there is no further event.
    pub(crate) fn paint_until(
        &mut self,
        until_ms: i64,
        grid: &CellGrid,
        close: &mut impl FnMut(usize, &TimelineCell),
    ) {
        self.paint(self.moment.status, until_ms, grid, close);
    }

    /// Adds a part of a cell that was painted before.
    pub(crate) fn add_painted(
        &mut self,
        from_ms: i64,
        part: &TimelineCell,
        grid: &CellGrid,
        close: &mut impl FnMut(usize, &TimelineCell),
    ) {
        self.open_at(from_ms, grid, close);
        self.open.add_painted(part);
    }

    /// Hands over the last cell.
    pub(crate) fn finish(&self, close: &mut impl FnMut(usize, &TimelineCell)) {
        close(self.open.cell, &self.open.painted);
    }

    fn paint(
        &mut self,
        status: Option<AgentStatus>,
        until_ms: i64,
        grid: &CellGrid,
        close: &mut impl FnMut(usize, &TimelineCell),
    ) {
        let Some(status) = status else { return };
        while self.painted_ms < until_ms {
            self.open_at(self.painted_ms, grid, close);
            let to_ms = self.open.end_ms.min(until_ms);
            self.open.add(grid, self.painted_ms, to_ms, status);
            self.painted_ms = to_ms;
        }
    }

    /// Begins the cell of a time, unless it paints there.
    fn open_at(
        &mut self,
        at_ms: i64,
        grid: &CellGrid,
        close: &mut impl FnMut(usize, &TimelineCell),
    ) {
        if at_ms >= self.open.end_ms {
            self.finish(close);
            self.open = OpenCell::begin(grid, grid.cell_of(at_ms));
        }
    }
}
