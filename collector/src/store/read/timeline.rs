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
        strip::visit(conn, &ranges(&agents), &times_ms, |agent, entry| {
            if let Some(painter) = agents.get_mut(&agent) {
                painter.apply(&entry, &grid, &mut rows);
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

    /// Returns a cell in which an agent had a status for a while.
    fn piece(&self, cell: usize, from_ms: i64, to_ms: i64, status: AgentStatus) -> TimelineCell {
        let unobserved_ms = match self.unobserved_ms[cell] {
            0 => 0,
            whole if self.times(cell) == (from_ms, to_ms) => whole,
            _ => self.unobserved.within(from_ms, to_ms),
        };
        let observed_ms = (to_ms - from_ms).cast_unsigned() - unobserved_ms;
        let mut piece = TimelineCell { unobserved_ms, ..TimelineCell::default() };
        if observed_ms == 0 {
            return piece;
        }
        (piece.worst, piece.worst_agents) = (Some(status), 1);
        match status.state {
            State::Healthy => piece.up_ms = observed_ms,
            State::Degraded | State::Unreachable => piece.bad_ms = observed_ms,
            State::Killed | State::Unknown => piece.other_ms = observed_ms,
        }
        piece
    }

    /// Returns the collector's own row.
    fn observed_since(&self, first_ms: i64) -> TimelineRow {
        let mut row = TimelineRow::default();
        for cell in 0..self.unobserved_ms.len() {
            let (from_ms, to_ms) = self.times(cell);
            let from_ms = from_ms.max(first_ms);
            row.push(match from_ms < to_ms {
                true => self.piece(cell, from_ms, to_ms, AgentStatus::HEALTHY),
                false => TimelineCell::default(),
            });
        }
        row
    }
}

/// Paints the states of one agent into the rows that it is in.
struct AgentPainter {
    rows: Vec<usize>,
    moment: AgentMoment,
    /// Until when it is painted.
    painted_ms: i64,
    /// The cell that is not whole yet.
    unfinished: Option<(usize, TimelineCell)>,
}

impl AgentPainter {
    fn apply(&mut self, entry: &StripEntry, grid: &CellGrid, rows: &mut [Vec<TimelineCell>]) {
        let before = self.moment.status;
        let mut after = self.moment;
        after.apply(entry);
        if after.status == before {
            return;
        }
        // A transition can be stamped a little before one that was stored earlier.
        self.paint_until(entry.at_ms, grid, rows);
        self.moment = after;
        self.painted_ms = self.painted_ms.max(entry.at_ms);
    }

    fn finish(&mut self, grid: &CellGrid, rows: &mut [Vec<TimelineCell>]) {
        self.paint_until(grid.to_ms, grid, rows);
        self.flush(rows);
    }

    fn paint_until(&mut self, until_ms: i64, grid: &CellGrid, rows: &mut [Vec<TimelineCell>]) {
        let Some(status) = self.moment.status else { return };
        while self.painted_ms < until_ms {
            let cell = grid.cell_of(self.painted_ms);
            let to_ms = grid.times(cell).1.min(until_ms);
            let piece = grid.piece(cell, self.painted_ms, to_ms, status);
            match &mut self.unfinished {
                Some((open, before)) if *open == cell => add_later(before, &piece),
                _ => {
                    self.flush(rows);
                    self.unfinished = Some((cell, piece));
                }
            }
            self.painted_ms = to_ms;
        }
    }

    fn flush(&mut self, rows: &mut [Vec<TimelineCell>]) {
        if let Some((cell, painted)) = self.unfinished.take() {
            self.rows.iter().for_each(|row| rows[*row][cell].add(&painted));
        }
    }
}

/// Adds what the same agent was later in a cell.
fn add_later(cell: &mut TimelineCell, later: &TimelineCell) {
    cell.add(later);
    cell.worst_agents = cell.worst_agents.min(1);
    // Of two reasons for one state the later one is shown.
    if let (Some(worst), Some(status)) = (cell.worst, later.worst)
        && precedence(worst) == precedence(status)
    {
        cell.worst = Some(status);
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
                unfinished: None,
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
