//! Timelines: the states of many agents, painted into cells.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use heartline_operator::message::{
    CLOCK_STEPS_MAX, ClockStep, MomentInfo, Timeline, TimelineCell, TimelineQuery, TimelineRow,
};
use rusqlite::Connection;

use super::{ReadError, StoreReader, gap};
use crate::store::history::paint::{CellGrid, StatePainter};
use crate::store::history::{AgentMoment, DAY_MS, checkpoint, state_day, strip};

/// Strips of other agents are read, too, when at least one of so many is wanted: that takes less than to
/// look for each.
const SCAN_SHARE: i64 = 8;

/// So many agents are read each from its own strips: of a large fleet that is less than all of it.
const ALONE_MAX: usize = 128;

/// Days that are not painted from strips, if there are so many: the strips of a slot are read whole, and the
/// newest in any case.
const PACKED_DAYS_MIN: i64 = 60;

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
    let TimelineQuery { from_ms, cell_ms, cells, .. } = *query;
    let first_ms = checkpoint::first_record_ms(conn)?;
    let grid = CellGrid::new(conn, (from_ms, cell_ms, cells), now_ms)?;
    // Before the first record nothing is known.
    let known_ms = first_ms.map_or(from_ms, |first_ms| first_ms.max(from_ms));
    let mut canvas = Canvas::new(query, grid);
    canvas.paint(conn, known_ms)?;
    let collector = match first_ms {
        Some(first_ms) => to_row(canvas.grid.observed_since(first_ms)),
        None => TimelineRow::default(),
    };
    let rows = canvas.rows.into_iter().map(to_row).collect();
    let clock_steps = clock_steps(conn)?;
    Ok(Timeline { from_ms, cell_ms, now_ms, first_ms, rows, collector, clock_steps })
}

fn clock_steps(conn: &Connection) -> rusqlite::Result<Vec<ClockStep>> {
    let sql = "SELECT at_ms, value FROM events INDEXED BY events_of_clock WHERE kind = 12 \
               ORDER BY at_ms DESC LIMIT ?1";
    conn.prepare_cached(sql)?
        .query_map([CLOCK_STEPS_MAX], |row| {
            Ok(ClockStep { at_ms: row.get(0)?, by_ms: row.get(1)? })
        })?
        .collect()
}

fn to_row(cells: impl IntoIterator<Item = TimelineCell>) -> TimelineRow {
    let mut row = TimelineRow::default();
    cells.into_iter().for_each(|cell| row.push(cell));
    row
}

/// The rows of a timeline while they are painted.
struct Canvas {
    grid: CellGrid,
    rows: Vec<Vec<TimelineCell>>,
    agents: PaintedAgents,
}

/// The agents of all rows, by their ids.
struct PaintedAgents {
    agents: Vec<PaintedAgent>,
    /// The first one whose id is not below that which was asked for last.
    next: usize,
}

/// An agent, and the rows that it is in.
struct PaintedAgent {
    id: i64,
    rows: Vec<usize>,
    painter: StatePainter,
}

impl Canvas {
    fn new(query: &TimelineQuery, grid: CellGrid) -> Self {
        let rows = vec![vec![TimelineCell::default(); grid.len()]; query.rows.len()];
        Self { grid, rows, agents: PaintedAgents::of(query) }
    }

    /// Paints everything from a moment on.
    fn paint(&mut self, conn: &Connection, known_ms: i64) -> rusqlite::Result<()> {
        let to_ms = self.grid.to_ms();
        let days = self.whole_days(conn, known_ms)?;
        if days.is_empty() {
            self.paint_strips(conn, known_ms..to_ms)?;
        } else {
            let days_ms = days.start * DAY_MS..days.end * DAY_MS;
            self.paint_strips(conn, known_ms..days_ms.start)?;
            self.paint_days(conn, days)?;
            self.paint_strips(conn, days_ms.end..to_ms)?;
        }
        for PaintedAgent { rows, painter, .. } in &self.agents.agents {
            painter.finish(&mut closing(&mut self.rows, rows));
        }
        Ok(())
    }

    /// Returns the days that are painted as they are packed: none where cells begin in the middle of days, or
    /// strips are as fast.
    fn whole_days(&self, conn: &Connection, known_ms: i64) -> rusqlite::Result<Range<i64>> {
        let first = state_day::first_whole_day(known_ms);
        let end = self.grid.to_ms().div_euclid(DAY_MS);
        if !self.grid.is_of_days() || end - first < PACKED_DAYS_MIN {
            return Ok(0..0);
        }
        let days = state_day::usable_days(conn, first..end)?;
        Ok(if days.end - days.start < PACKED_DAYS_MIN { 0..0 } else { days })
    }

    fn paint_days(&mut self, conn: &Connection, days: Range<i64>) -> rusqlite::Result<()> {
        let Self { grid, rows: painted, agents } = self;
        state_day::visit(conn, &agents.ranges(), days, |day, id, cell| {
            if let Some(PaintedAgent { rows, painter, .. }) = agents.find(id) {
                painter.add_painted(day * DAY_MS, cell, grid, &mut closing(painted, rows));
            }
        })
    }

    fn paint_strips(&mut self, conn: &Connection, times_ms: Range<i64>) -> rusqlite::Result<()> {
        if times_ms.is_empty() {
            return Ok(());
        }
        let Self { grid, rows: painted, agents } = self;
        agents.go_on(conn, times_ms.start)?;
        let within_ms = times_ms.start + 1..=times_ms.end - 1;
        strip::visit(conn, &agents.ranges(), &within_ms, |id, entries| {
            if let Some(PaintedAgent { rows, painter, .. }) = agents.find(id) {
                let close = &mut closing(painted, rows);
                entries.for_each(|entry| painter.apply(entry, grid, close));
            }
        })?;
        for PaintedAgent { rows, painter, .. } in &mut agents.agents {
            painter.paint_until(times_ms.end, grid, &mut closing(painted, rows));
        }
        Ok(())
    }
}

/// Returns what adds a cell of an agent to its rows.
fn closing<'a>(
    painted: &'a mut [Vec<TimelineCell>],
    rows: &'a [usize],
) -> impl FnMut(usize, &TimelineCell) + 'a {
    move |cell, of_agent| rows.iter().for_each(|row| painted[*row][cell].add(of_agent))
}

impl PaintedAgents {
    fn of(query: &TimelineQuery) -> Self {
        let mut rows_of: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (row, ids) in query.rows.iter().enumerate() {
            for id in ids {
                let rows = rows_of.entry(id.0).or_default();
                if rows.last() != Some(&row) {
                    rows.push(row);
                }
            }
        }
        let painter = StatePainter::default();
        let agents = rows_of.into_iter().map(|(id, rows)| PaintedAgent { id, rows, painter });
        Self { agents: agents.collect(), next: 0 }
    }

    /// Returns an agent. Ids that are asked for in their order are found in one pass over all, whether each is there
    /// or not.
    fn find(&mut self, id: i64) -> Option<&mut PaintedAgent> {
        let is_behind = |before: usize| self.agents[before].id >= id;
        if self.next.checked_sub(1).is_some_and(is_behind) {
            self.next = 0;
        }
        while self.agents.get(self.next).is_some_and(|agent| agent.id < id) {
            self.next += 1;
        }
        self.agents.get_mut(self.next).filter(|agent| agent.id == id)
    }

    /// Has all painters go on from a moment, with what the agents were then.
    fn go_on(&mut self, conn: &Connection, at_ms: i64) -> rusqlite::Result<()> {
        let moments = if self.agents.len() <= ALONE_MAX {
            AgentMoment::read_each(conn, self.agents.iter().map(|agent| agent.id), at_ms)?
        } else {
            let fleet = checkpoint::fleet_at(conn, at_ms)?;
            fleet.iter().map(|(id, agent)| (*id, AgentMoment::of(agent))).collect()
        };
        for PaintedAgent { id, painter, .. } in &mut self.agents {
            painter.go_on(at_ms, moments.get(id).copied().unwrap_or_default());
        }
        Ok(())
    }

    /// Returns the ids as ranges in their order.
    fn ranges(&self) -> Vec<RangeInclusive<i64>> {
        let ids = || self.agents.iter().map(|agent| agent.id);
        match (self.agents.first(), self.agents.last()) {
            (Some(first), Some(last))
                if (last.id - first.id) / SCAN_SHARE < self.agents.len() as i64 =>
            {
                vec![first.id..=last.id]
            }
            _ => ids().map(|id| id..=id).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use heartline_vocabulary::AgentRowId;

    use super::*;

    #[test]
    fn agents_are_found_among_others_in_one_pass() {
        let rows = vec![vec![AgentRowId(3), AgentRowId(7)], vec![AgentRowId(7), AgentRowId(9)]];
        let mut agents = PaintedAgents::of(&TimelineQuery { rows, ..TimelineQuery::default() });
        for slot in 0..2 {
            let found: Vec<i64> =
                (1..12).filter_map(|id| agents.find(id).map(|agent| agent.id)).collect();
            assert_eq!(found, [3, 7, 9], "slot {slot}");
            assert_eq!(agents.next, 3, "an id that is not there sends nobody back");
        }
        assert_eq!(agents.find(7).map(|agent| agent.rows.clone()), Some(vec![0, 1]));
        agents.find(8);
        assert_eq!(agents.next, 2, "that of the next agent");
    }
}
