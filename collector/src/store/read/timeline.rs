//! Timelines: the states of many agents, painted into cells.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use heartline_operator::message::{
    MomentInfo, Timeline, TimelineCell, TimelineQuery, TimelineRow, precedence,
};
use heartline_vocabulary::{AgentStatus, State};
use rusqlite::Connection;

use super::gap::{self, UnobservedTime};
use super::{ReadError, StoreReader};
use crate::store::history::strip::StripEntry;
use crate::store::history::{AgentMoment, checkpoint, strip};

/// Strips of other agents are read, too, when at least one of so many is wanted: that takes less than to
/// look for each.
const SCAN_SHARE: i64 = 8;

/// So many agents are read each from its own strips: of a large fleet that is less than all of it.
const ALONE_MAX: usize = 128;

impl StoreReader {
    /// Returns the timelines of agents until `now_ms`.
    ///
    /// # Errors [`ReadError`]
    pub fn timeline(&mut self, query: &TimelineQuery, now_ms: i64) -> Result<Timeline, ReadError> {
        self.history.read("a timeline", |conn| read(conn, query, now_ms))
    }

    /// Returns what is known of a moment.
    ///
    /// # Errors [`ReadError`]
    pub fn moment(&mut self, at_ms: i64) -> Result<MomentInfo, ReadError> {
        self.history.read("a moment", |conn| {
            let first_ms = checkpoint::first_record_ms(conn)?;
            let agents = match first_ms {
                Some(first_ms) if at_ms >= first_ms => checkpoint::fleet_at(conn, at_ms)?.len(),
                _ => 0,
            };
            let agents = u32::try_from(agents).unwrap_or(u32::MAX);
            Ok(MomentInfo { at_ms, first_ms, gap: gap::at(conn, at_ms)?, agents })
        })
    }
}

fn read(conn: &Connection, query: &TimelineQuery, now_ms: i64) -> rusqlite::Result<Timeline> {
    let first_ms = checkpoint::first_record_ms(conn)?;
    let grid = CellGrid::new(conn, query, now_ms)?;
    let mut rows = vec![vec![TimelineCell::default(); grid.unobserved_ms.len()]; query.rows.len()];
    // Before the first record nothing is known.
    let known_ms = first_ms.map_or(grid.from_ms, |first_ms| first_ms.max(grid.from_ms));
    let mut agents = painters(conn, query, known_ms)?;
    if grid.to_ms > known_ms {
        let times_ms = known_ms + 1..=grid.to_ms - 1;
        strip::visit(conn, &ranges(&agents), &times_ms, |agent, entries| {
            if let Some(painter) = agents.get_mut(&agent) {
                entries.for_each(|entry| painter.apply(entry, &grid, &mut rows));
            }
        })?;
    }
    agents.into_values().for_each(|mut painter| painter.finish(&grid, &mut rows));
    let collector = match first_ms {
        Some(first_ms) => grid.observed_since(first_ms),
        None => TimelineRow::default(),
    };
    let rows = rows.iter().map(|cells| packed(cells)).collect();
    let TimelineQuery { from_ms, cell_ms, .. } = *query;
    Ok(Timeline { from_ms, cell_ms, now_ms, first_ms, rows, collector })
}

fn packed(cells: &[TimelineCell]) -> TimelineRow {
    let mut row = TimelineRow::default();
    cells.iter().for_each(|cell| row.push(*cell));
    row
}

/// The cells of a timeline, and how much of each was not observed.
struct CellGrid {
    from_ms: i64,
    cell_ms: i64,
    /// End of the last cell, or now.
    to_ms: i64,
    unobserved_ms: Vec<u64>,
    unobserved: UnobservedTime,
}

impl CellGrid {
    fn new(conn: &Connection, query: &TimelineQuery, now_ms: i64) -> rusqlite::Result<Self> {
        let TimelineQuery { from_ms, cell_ms, cells, .. } = *query;
        let unobserved = UnobservedTime::since(conn, from_ms)?;
        let begin = |cell: i64| from_ms + cell * cell_ms;
        let unobserved_ms = (0..i64::from(cells))
            .map(|cell| unobserved.within(begin(cell), begin(cell + 1).min(now_ms)))
            .collect();
        let to_ms = begin(i64::from(cells)).min(now_ms);
        Ok(Self { from_ms, cell_ms, to_ms, unobserved_ms, unobserved })
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

    /// Returns the collector's own row.
    fn observed_since(&self, first_ms: i64) -> TimelineRow {
        let mut row = TimelineRow::default();
        for cell in 0..self.unobserved_ms.len() {
            let (from_ms, to_ms) = self.times(cell);
            let mut open = OpenCell::begin(self, cell);
            let from_ms = from_ms.max(first_ms);
            if from_ms < to_ms {
                open.add(self, from_ms, to_ms, AgentStatus::HEALTHY);
            }
            row.push(open.painted);
        }
        row
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
        // Of two reasons for one state the later one is shown.
        let precedence = precedence(status);
        if precedence >= self.precedence {
            (painted.worst, painted.worst_agents) = (Some(status), 1);
            self.precedence = precedence;
        }
    }
}

/// Paints the states of one agent into the rows that it is in.
struct AgentPainter {
    rows: Vec<usize>,
    moment: AgentMoment,
    /// Until when it is painted.
    painted_ms: i64,
    /// Where it is painted; at first a cell without any time.
    open: OpenCell,
}

impl AgentPainter {
    fn apply(&mut self, entry: &StripEntry, grid: &CellGrid, rows: &mut [Vec<TimelineCell>]) {
        let before = self.moment.status;
        self.moment.apply(entry);
        if self.moment.status == before {
            return;
        }
        // A transition can be stamped a little before one that was stored earlier.
        self.paint(before, entry.at_ms, grid, rows);
        self.painted_ms = self.painted_ms.max(entry.at_ms);
    }

    fn finish(&mut self, grid: &CellGrid, rows: &mut [Vec<TimelineCell>]) {
        self.paint(self.moment.status, grid.to_ms, grid, rows);
        self.close(rows);
    }

    /// Paints a status from where it is painted until a moment.
    fn paint(
        &mut self,
        status: Option<AgentStatus>,
        until_ms: i64,
        grid: &CellGrid,
        rows: &mut [Vec<TimelineCell>],
    ) {
        let Some(status) = status else { return };
        while self.painted_ms < until_ms {
            if self.painted_ms >= self.open.end_ms {
                self.close(rows);
                self.open = OpenCell::begin(grid, grid.cell_of(self.painted_ms));
            }
            let to_ms = self.open.end_ms.min(until_ms);
            self.open.add(grid, self.painted_ms, to_ms, status);
            self.painted_ms = to_ms;
        }
    }

    fn close(&self, rows: &mut [Vec<TimelineCell>]) {
        let OpenCell { cell, painted, .. } = &self.open;
        self.rows.iter().for_each(|row| rows[*row][*cell].add(painted));
    }
}

/// Returns the agents of all rows, as they were at a moment.
fn painters(
    conn: &Connection,
    query: &TimelineQuery,
    known_ms: i64,
) -> rusqlite::Result<BTreeMap<i64, AgentPainter>> {
    let mut agents: BTreeMap<i64, AgentPainter> = BTreeMap::new();
    for (row, ids) in query.rows.iter().enumerate() {
        for id in ids {
            let painter = agents.entry(id.0).or_insert_with(|| AgentPainter {
                rows: Vec::new(),
                moment: AgentMoment::default(),
                painted_ms: known_ms,
                open: OpenCell::default(),
            });
            if painter.rows.last() != Some(&row) {
                painter.rows.push(row);
            }
        }
    }
    if agents.len() <= ALONE_MAX {
        let ids: Vec<i64> = agents.keys().copied().collect();
        for (id, moment) in AgentMoment::read_each(conn, ids, known_ms)? {
            agents.entry(id).and_modify(|painter| painter.moment = moment);
        }
    } else {
        let fleet = checkpoint::fleet_at(conn, known_ms)?;
        for (id, painter) in &mut agents {
            painter.moment = fleet.get(id).map_or_else(AgentMoment::default, AgentMoment::of);
        }
    }
    Ok(agents)
}

/// Returns the ids of agents as ranges in their order.
fn ranges(agents: &BTreeMap<i64, AgentPainter>) -> Vec<RangeInclusive<i64>> {
    let ids: Vec<i64> = agents.keys().copied().collect();
    match ids[..] {
        [first, .., last] if (last - first) / SCAN_SHARE < ids.len() as i64 => vec![first..=last],
        _ => ids.into_iter().map(|id| id..=id).collect(),
    }
}
