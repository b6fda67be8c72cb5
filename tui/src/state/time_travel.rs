//! Time travel: the instant of the past that all screens show, and the ways to and from it.

use heartline_operator::message::{Event, PastWork};

use super::model::FleetModel;
use crate::clock::MonoTime;

/// The most instants that can be gone back to.
const MAX_JUMPS: usize = 50;
/// How often a played past moves on.
const PLAY_STEP_MS: u64 = 250;
/// How many times faster than it was the past is played.
const PLAY_SPEEDS: [u32; 5] = [1, 10, 60, 600, 3_600];

/// The instant that is shown; live without one.
#[derive(Debug, Default)]
pub(crate) struct TimeTravel {
    past: Option<PastView>,
    /// Where the jumps came from, the last one at the end; `None` for live.
    jumps: Vec<Option<i64>>,
    /// How far the last jump went, in ms.
    pub last_distance_ms: Option<i64>,
    pub play: Option<Play>,
    /// Time of the first record, as far as the collector has told it.
    pub first_record_ms: Option<i64>,
}

/// The past that is shown.
#[derive(Debug)]
pub(crate) struct PastView {
    pub at_ms: i64,
    /// The fleet as it was then, or, until that is loaded, what was shown before.
    model: Box<FleetModel>,
    /// The instant until which the events of the model go.
    events_at_ms: Option<i64>,
}

/// The past that passes by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Play {
    speed: usize,
    pub due: MonoTime,
}

impl TimeTravel {
    /// Returns the instant that is shown; `None`: live.
    pub(crate) fn instant_ms(&self) -> Option<i64> {
        self.past.as_ref().map(|past| past.at_ms)
    }

    pub(crate) fn is_past(&self) -> bool {
        self.past.is_some()
    }

    /// Returns the model that is shown.
    pub(crate) fn model_or<'a>(&'a self, live: &'a FleetModel) -> &'a FleetModel {
        self.past.as_ref().map_or(live, |past| &past.model)
    }

    /// Shows a copy of the live model, which stands still.
    pub(crate) fn freeze(&mut self, live: &FleetModel, now: MonoTime) {
        let model = Box::new(live.frozen_at(now));
        let at_ms = model.exact_now_ms(now);
        self.past = Some(PastView { at_ms, model, events_at_ms: Some(at_ms) });
    }

    /// Moves the instant. What was shown stays until the fleet of then is loaded.
    pub(crate) fn set_instant(&mut self, at_ms: i64, live: &FleetModel, now: MonoTime) {
        match &mut self.past {
            Some(past) => past.at_ms = at_ms,
            None => {
                self.freeze(live, now);
                if let Some(past) = &mut self.past {
                    past.at_ms = at_ms;
                }
            }
        }
    }

    /// Shows what is live again.
    pub(crate) fn return_to_live(&mut self) {
        self.past = None;
        self.play = None;
    }

    /// Returns the instant of which the fleet is not loaded.
    pub(crate) fn missing_fleet_ms(&self) -> Option<i64> {
        let past = self.past.as_ref()?;
        (past.model.frozen_at_ms() != Some(past.at_ms)).then_some(past.at_ms)
    }

    /// Returns the instant of which the fleet is loaded without its work.
    pub(crate) fn missing_work_ms(&self) -> Option<i64> {
        let past = self.past.as_ref().filter(|_| self.missing_fleet_ms().is_none())?;
        (past.model.unknown.work == PastWork::NotRead).then_some(past.at_ms)
    }

    /// Returns the instant until which the events are not loaded.
    pub(crate) fn missing_events_ms(&self) -> Option<i64> {
        let past = self.past.as_ref()?;
        (past.events_at_ms != Some(past.at_ms)).then_some(past.at_ms)
    }

    /// Shows the fleet of an instant, unless another one is wanted by now. Returns whether it is shown.
    pub(crate) fn show_fleet(&mut self, at_ms: i64, mut fleet: FleetModel) -> bool {
        let Some(past) = self.past.as_mut().filter(|past| past.at_ms == at_ms) else {
            return false;
        };
        fleet.events = std::mem::take(&mut past.model.events);
        *past.model = fleet;
        true
    }

    /// Shows the events until an instant, unless another one is wanted by now. Returns whether they are.
    pub(crate) fn show_events(&mut self, at_ms: i64, events: Vec<Event>) -> bool {
        let Some(past) = self.past.as_mut().filter(|past| past.at_ms == at_ms) else {
            return false;
        };
        past.model.events = events.into();
        past.events_at_ms = Some(at_ms);
        true
    }

    /// Notes a jump, and where it came from.
    pub(crate) fn push_jump(&mut self) {
        self.jumps.push(self.instant_ms());
        if self.jumps.len() > MAX_JUMPS {
            self.jumps.remove(0);
        }
    }

    /// Takes back the last jump: returns where it came from; `Some(None)` for live.
    pub(crate) fn pop_jump(&mut self) -> Option<Option<i64>> {
        self.jumps.pop()
    }
}

impl Play {
    pub(crate) fn start(now: MonoTime) -> Self {
        Self { speed: 2, due: now.plus_ms(PLAY_STEP_MS) }
    }

    /// Returns the milliseconds of the past that go by in a step.
    pub(crate) fn step_ms(&self) -> i64 {
        i64::from(self.factor()) * PLAY_STEP_MS.cast_signed()
    }

    /// Returns how many times faster than it was the past goes by.
    pub(crate) fn factor(&self) -> u32 {
        PLAY_SPEEDS[self.speed]
    }

    pub(crate) fn record_step(&mut self, now: MonoTime) {
        self.due = now.plus_ms(PLAY_STEP_MS);
    }

    pub(crate) fn faster(&mut self) {
        self.speed = (self.speed + 1).min(PLAY_SPEEDS.len() - 1);
    }

    pub(crate) fn slower(&mut self) {
        self.speed = self.speed.saturating_sub(1);
    }
}
