//! Painted cells of the timeline, in tiles: pages of a row at a zoom, which are asked for once.

use std::collections::HashMap;

use heartline_operator::message::{TimelineCell, TimelineRow};
use heartline_vocabulary::AgentRowId;

/// Cells of a tile.
pub(crate) const TILE_CELLS: i64 = 128;
/// The most tiles that are kept; then those far from the window go.
const MAX_TILES: usize = 8_192;
/// What happened is on the collector's disk this much later, at most.
const SETTLED_MS: i64 = 60_000;
/// How old a tile may be that is not settled.
const REFRESH_MS: i64 = 2_000;

/// A row of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TimelineRowKey {
    Agent(AgentRowId),
    /// By the fingerprint of its agents.
    Group(u64),
    Collector,
}

/// The cells `index * TILE_CELLS` and following, of a length in ms, since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TilePlace {
    pub cell_ms: i64,
    pub index: i64,
}

#[derive(Debug)]
struct Tile {
    row: TimelineRow,
    as_of_ms: i64,
}

/// The tiles that were received.
#[derive(Debug, Default)]
pub(crate) struct TimelineTiles {
    tiles: HashMap<(TilePlace, TimelineRowKey), Tile>,
}

impl TilePlace {
    /// Returns the tile in which a moment is.
    pub(crate) fn of(at_ms: i64, cell_ms: i64) -> Self {
        Self { cell_ms, index: at_ms.div_euclid(cell_ms * TILE_CELLS) }
    }

    pub(crate) fn begin_ms(self) -> i64 {
        self.index * TILE_CELLS * self.cell_ms
    }

    pub(crate) fn end_ms(self) -> i64 {
        (self.index + 1) * TILE_CELLS * self.cell_ms
    }

    pub(crate) fn neighbour(self, step: i64) -> Self {
        Self { index: self.index + step, ..self }
    }
}

impl TimelineTiles {
    /// Returns whether a tile must be asked for, as it is not there or may have changed.
    pub(crate) fn is_needed(&self, place: TilePlace, row: TimelineRowKey, now_ms: i64) -> bool {
        if place.begin_ms() > now_ms {
            return false;
        }
        self.tiles.get(&(place, row)).is_none_or(|tile| {
            let is_settled = place.end_ms() + SETTLED_MS <= tile.as_of_ms;
            !is_settled && now_ms - tile.as_of_ms >= REFRESH_MS
        })
    }

    pub(crate) fn insert(
        &mut self,
        place: TilePlace,
        key: TimelineRowKey,
        row: TimelineRow,
        as_of_ms: i64,
    ) {
        if self.tiles.len() >= MAX_TILES {
            self.tiles.retain(|(kept, _), _| {
                kept.cell_ms == place.cell_ms && kept.index.abs_diff(place.index) <= 2
            });
            if self.tiles.len() >= MAX_TILES {
                self.tiles.clear();
            }
        }
        self.tiles.insert((place, key), Tile { row, as_of_ms });
    }

    /// Returns the cells of a row from a moment on; `None` where they have not come. What is later than now is
    /// blank, and never asked for.
    pub(crate) fn cells(
        &self,
        row: TimelineRowKey,
        cell_ms: i64,
        from_ms: i64,
        count: usize,
        now_ms: i64,
    ) -> Vec<Option<TimelineCell>> {
        let mut cells = Vec::with_capacity(count);
        let mut place = TilePlace::of(from_ms, cell_ms);
        let mut skip = usize::try_from((from_ms - place.begin_ms()) / cell_ms).unwrap_or(0);
        while cells.len() < count {
            let wanted = (count - cells.len()).min(TILE_CELLS as usize - skip);
            let end = cells.len() + wanted;
            if let Some(tile) = self.tiles.get(&(place, row)) {
                cells.extend(tile.row.cells().skip(skip).take(wanted).map(Some));
            }
            let is_future = place.begin_ms() > now_ms;
            cells.resize(end, is_future.then(TimelineCell::default));
            place = place.neighbour(1);
            skip = 0;
        }
        cells
    }

    pub(crate) fn clear(&mut self) {
        self.tiles.clear();
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.tiles.len()
    }
}
