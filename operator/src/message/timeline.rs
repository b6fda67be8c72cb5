//! Timelines: the states of agents, and of the collector, in cells of equal length.

use heartline_vocabulary::{AgentRowId, AgentStatus, Reason, State};
use serde::{Deserialize, Serialize};

use super::agent_history::StateTimes;

/// Most rows, cells of a row, and agents in all rows of one answer.
pub const TIMELINE_ROWS_MAX: usize = 256;
pub const TIMELINE_CELLS_MAX: u32 = 512;
pub const TIMELINE_AGENTS_MAX: usize = 200_000;
/// Most clock steps in one answer.
pub const CLOCK_STEPS_MAX: u32 = 64;
/// The longest cell.
pub const TIMELINE_CELL_MAX_MS: i64 = 30 * 86_400_000;

/// Asks for timelines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineQuery {
    /// Begin of the first cell.
    pub from_ms: i64,
    /// Length of a cell: 1 ms to [`TIMELINE_CELL_MAX_MS`].
    pub cell_ms: i64,
    /// 1 to [`TIMELINE_CELLS_MAX`].
    pub cells: u32,
    /// The agents of each row: one, or those of a group. At most [`TIMELINE_ROWS_MAX`].
    pub rows: Vec<Vec<AgentRowId>>,
}

impl TimelineQuery {
    /// Returns the end of its last cell.
    pub fn until_ms(&self) -> i64 {
        self.from_ms.saturating_add(self.cell_ms.saturating_mul(self.cells.into()))
    }
}

/// Timelines over the same cells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    pub from_ms: i64,
    pub cell_ms: i64,
    /// The collector's time: later there is nothing.
    pub now_ms: i64,
    /// Time of the first record, before which nothing is known; `None`: there is none.
    pub first_ms: Option<i64>,
    /// In the order of the query.
    pub rows: Vec<TimelineRow>,
    /// The collector's own: observing counts as [`up`](TimelineCell::up_ms).
    pub collector: TimelineRow,
    /// Where the collector's wall clock was set, whichever time was asked for: the newest
    /// [`CLOCK_STEPS_MAX`], latest first.
    pub clock_steps: Vec<ClockStep>,
}

/// A moment at which the wall clock of the collector was set. Times before it and after it can't be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockStep {
    /// Its time after it was set.
    pub at_ms: i64,
    /// By how much it was set; negative: back.
    pub by_ms: i64,
}

/// A row of cells. Equal ones that follow each other are sent once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TimelineRow {
    runs: Vec<(u32, TimelineCell)>,
}

/// What was in a cell. The times are sums over all agents of the row. Without any there was no agent, or
/// the cell is in the future.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineCell {
    /// The worst that was observed.
    pub worst: Option<AgentStatus>,
    /// Agents that were as bad as this, or as killed or stopped.
    pub worst_agents: u32,
    /// Time healthy.
    pub up_ms: u64,
    /// Time degraded or unreachable.
    pub bad_ms: u64,
    /// Time killed, stopped or unknown.
    pub other_ms: u64,
    /// Time that the collector did not observe.
    pub unobserved_ms: u64,
}

impl TimelineRow {
    /// Adds a cell at the end.
    pub fn push(&mut self, cell: TimelineCell) {
        match self.runs.last_mut() {
            Some((count, last)) if *last == cell => *count += 1,
            _ => self.runs.push((1, cell)),
        }
    }

    /// Returns its cells, first to last.
    pub fn cells(&self) -> impl Iterator<Item = TimelineCell> + '_ {
        // A hostile count must not make an endless row.
        let cells = self.runs.iter().flat_map(|(count, cell)| (0..*count).map(move |_| *cell));
        cells.take(TIMELINE_CELLS_MAX as usize)
    }
}

impl TimelineCell {
    /// Returns a cell of one agent, of which only the states are known and not the reasons for them.
    pub fn of_times(times: &StateTimes) -> Self {
        let status = |state| AgentStatus { state, reason: None };
        let worst = match times {
            StateTimes { unreachable: 1.., .. } => Some(status(State::Unreachable)),
            StateTimes { degraded: 1.., .. } => Some(status(State::Degraded)),
            StateTimes { killed: 1.., .. } => Some(status(State::Killed)),
            StateTimes { stopped: 1.., .. } => Some(AgentStatus::STOPPED),
            StateTimes { unknown: 1.., .. } => Some(AgentStatus::UNKNOWN),
            StateTimes { healthy: 1.., .. } => Some(AgentStatus::HEALTHY),
            _ => None,
        };
        Self {
            worst,
            worst_agents: u32::from(worst.is_some()),
            up_ms: times.healthy,
            bad_ms: times.unreachable.saturating_add(times.degraded),
            other_ms: times.killed.saturating_add(times.stopped).saturating_add(times.unknown),
            unobserved_ms: times.unobserved,
        }
    }

    /// Returns the time that was observed.
    pub const fn observed_ms(&self) -> u64 {
        self.up_ms + self.bad_ms + self.other_ms
    }

    /// Adds the times of another cell, and takes the worst of both.
    pub fn add(&mut self, other: &Self) {
        self.up_ms += other.up_ms;
        self.bad_ms += other.bad_ms;
        self.other_ms += other.other_ms;
        self.unobserved_ms += other.unobserved_ms;
        match (self.worst.map(precedence), other.worst.map(precedence)) {
            (mine, theirs) if mine == theirs => self.worst_agents += other.worst_agents,
            (mine, theirs) if mine < theirs => {
                (self.worst, self.worst_agents) = (other.worst, other.worst_agents);
            }
            _ => {}
        }
    }
}

/// Returns which of several states a cell shows: that with the highest number. A kill is no outage, so it
/// does not hide one.
pub const fn precedence(status: AgentStatus) -> u8 {
    match (status.state, status.reason) {
        (State::Unreachable, _) => 6,
        (State::Degraded, _) => 5,
        (State::Killed, Some(Reason::Shutdown)) => 3,
        (State::Killed, _) => 4,
        (State::Unknown, _) => 2,
        (State::Healthy, _) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(worst: AgentStatus, bad_ms: u64) -> TimelineCell {
        TimelineCell { worst: Some(worst), worst_agents: 1, bad_ms, ..TimelineCell::default() }
    }

    #[test]
    fn equal_cells_are_sent_once_and_come_back_as_they_were() {
        let late = cell(AgentStatus::degraded(Reason::Late), 3);
        let cells = [late, late, TimelineCell::default(), late];
        let mut row = TimelineRow::default();
        cells.iter().for_each(|cell| row.push(*cell));
        assert_eq!(row.runs.len(), 3);
        assert!(row.cells().eq(cells));
        let hostile = TimelineRow { runs: vec![(u32::MAX, late); 9] };
        assert_eq!(hostile.cells().count(), TIMELINE_CELLS_MAX as usize);
    }

    #[test]
    fn a_group_shows_its_worst_agents_and_their_number() {
        let silent = AgentStatus::unreachable(Reason::Silent);
        let late = AgentStatus::degraded(Reason::Late);
        let mut sum = TimelineCell::default();
        for one in [cell(AgentStatus::HEALTHY, 0), cell(late, 2), cell(silent, 3), cell(late, 1)] {
            sum.add(&one);
        }
        assert_eq!((sum.worst, sum.worst_agents, sum.bad_ms), (Some(silent), 1, 6));
        sum.add(&cell(silent, 0));
        assert_eq!(sum.worst_agents, 2);
        let killed = AgentStatus::killed(Reason::Operator);
        assert!(precedence(killed) < precedence(late), "a kill hides no outage");
    }
}
