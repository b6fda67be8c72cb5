//! Everything that can change: one struct, changed only by `update`, read only by `view`.

mod agent_charts;
mod agent_lists;
mod alerts;
mod attention;
mod bell;
mod collector_view;
mod command_tracker;
mod confirm_dialog;
mod entered;
mod fleet_list;
mod fleet_money;
mod history_requests;
mod model;
mod overlay;
mod screens;
mod time_travel;
mod timeline;
mod timeline_tiles;

use heartline_operator::message::{AgentEntry, Event};
use heartline_vocabulary::AgentRowId;
use jiff::tz::TimeZone;

use crate::clock::MonoTime;
use crate::commands::KeyContext;
use crate::incident_lines;
use crate::keys::{KeyChord, KeyMap};
use crate::options::TuiSettings;
use crate::theme::{ScreenGlyphs, StyleRole, ThemeName};

pub(crate) use agent_charts::{ChartKind, ChartWindow};
pub(crate) use alerts::{AlertMark, AlertScreen, OpenedIncident, scrolled};
pub(crate) use attention::{Attention, NEW_FOR_MS};
pub(crate) use bell::BellState;
pub(crate) use collector_view::CollectorView;
pub(crate) use command_tracker::{CommandProgress, CommandTracker, TrackedCommand};
pub(crate) use confirm_dialog::{
    CommandTargets, ConfirmDialog, DialogCommand, DialogFocus, FocusDirection, host_of,
};
pub(crate) use entered::{Entered, EnteredStack};
pub(crate) use fleet_list::{
    FleetList, FleetRow, GroupBy, GroupSummary, ListFilter, ListOrder, ListStaleness, SelectedRow,
};
pub(crate) use fleet_money::FleetMoney;
pub(crate) use history_requests::{HistoryPurpose, HistoryRequest, HistoryRequests, OutageJump};
#[cfg(test)]
pub(crate) use model::MAX_EVENTS;
pub(crate) use model::{ConnectionState, ConnectionStatus, FleetModel, is_problem};
pub(crate) use overlay::{
    ColumnPicker, CommandPalette, FilterEditor, Overlay, PickerPurpose, Prompt, PromptAnswer,
    PromptPurpose, TextInput,
};
pub(crate) use screens::{AgentPane, AgentScreen, FollowMode, TransitionList};
pub(crate) use time_travel::{Play, TimeTravel};
#[cfg(test)]
pub(crate) use timeline::CELLS_MS;
pub(crate) use timeline::{CellMode, OutageWindow, SpanSummary, TimelineFocus, TimelineScreen};
pub(crate) use timeline_tiles::{TILE_CELLS, TilePlace, TimelineRowKey};

/// How long a status message is shown.
const STATUS_MESSAGE_MS: u64 = 6_000;

/// A screen of the terminal app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Screen {
    #[default]
    Fleet,
    Agent,
    /// All events.
    Transitions,
    /// The states of agents over time.
    Timeline,
    /// Incidents, who was told of them, sinks and silences.
    Alerts,
}

/// The time zone of the times shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DisplayTimeZone {
    #[default]
    Utc,
    Local,
}

/// Who handles the mouse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum MouseMode {
    /// The terminal, to select and copy text.
    #[default]
    Terminal,
    /// This program, to scroll and select rows.
    Captured,
}

/// A message to the operator that is shown for a while.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StatusMessage {
    pub text: String,
    pub role: StyleRole,
    pub until: MonoTime,
}

/// The state of the terminal app.
#[derive(Debug)]
pub(crate) struct AppState {
    pub size: (u16, u16),
    pub now: MonoTime,
    pub live: FleetModel,
    /// The instant of the past that is shown.
    pub travel: TimeTravel,
    pub connection: ConnectionStatus,
    pub screen: Screen,
    /// What Esc goes back through.
    pub entered: EnteredStack,
    pub list: FleetList,
    pub transitions: TransitionList,
    pub timeline: TimelineScreen,
    pub alerts: AlertScreen,
    pub bell: BellState,
    pub attention: Attention,
    pub requests: HistoryRequests,
    pub agent: Option<AgentScreen>,
    pub overlay: Option<Overlay>,
    pub tracker: CommandTracker,
    pub status_message: Option<StatusMessage>,
    pub keymap: KeyMap,
    /// Keys of an incomplete sequence.
    pub pressed: Vec<KeyChord>,
    pub theme: ThemeName,
    pub glyphs: &'static ScreenGlyphs,
    pub zone: DisplayTimeZone,
    /// Known whenever it is shown.
    pub local_zone: Option<TimeZone>,
    pub mouse: MouseMode,
    /// The detail pane has the whole screen.
    pub is_expanded: bool,
    /// Grows with every visible change. The same revision is not drawn twice.
    pub revision: u64,
    /// For the request ids of commands.
    pub rng: fastrand::Rng,
}

impl AppState {
    pub(crate) fn new(settings: TuiSettings, size: (u16, u16), seed: u64) -> Self {
        let wanted_zone = settings.zone;
        let mut state = Self {
            size,
            now: MonoTime::default(),
            live: FleetModel::default(),
            travel: TimeTravel::default(),
            connection: ConnectionStatus::default(),
            screen: Screen::default(),
            entered: EnteredStack::default(),
            list: FleetList::default(),
            transitions: TransitionList::default(),
            timeline: TimelineScreen::default(),
            alerts: AlertScreen::default(),
            bell: BellState::default(),
            attention: Attention::new(settings.rings_on_trouble),
            requests: HistoryRequests { prefetch: true, ..HistoryRequests::default() },
            agent: None,
            overlay: None,
            tracker: CommandTracker::default(),
            status_message: None,
            keymap: settings.keymap,
            pressed: Vec::new(),
            theme: settings.theme,
            glyphs: ScreenGlyphs::for_set(settings.glyph_set),
            zone: DisplayTimeZone::Utc,
            local_zone: settings.local_zone,
            mouse: MouseMode::default(),
            is_expanded: false,
            revision: 1,
            rng: fastrand::Rng::with_seed(seed),
        };
        if wanted_zone == DisplayTimeZone::Local {
            state.show_local_times();
        }
        state
    }

    /// Shows times in the local zone, or says why that can't be.
    pub(crate) fn show_local_times(&mut self) {
        if self.local_zone.is_some() {
            self.zone = DisplayTimeZone::Local;
            return;
        }
        let text = "the local time zone is not known (see TZ and /etc/localtime): times are in UTC";
        self.set_status(StyleRole::Warning, text);
    }

    /// Returns the model that is shown: the live one, or that of the past.
    pub(crate) fn model(&self) -> &FleetModel {
        self.travel.model_or(&self.live)
    }

    /// Returns the agent of a row: as it was at the instant that is shown, or, where it was not there then, as
    /// it is now.
    pub(crate) fn listed_agent(&self, id: AgentRowId) -> Option<&AgentEntry> {
        self.model().fleet.get(id).or_else(|| self.live.fleet.get(id))
    }

    /// Returns when something is due that no event announces: a step of a played past, what was not asked
    /// for while the cursor moved, or a bell.
    pub(crate) fn wake_at(&self) -> Option<MonoTime> {
        let play = self.travel.play.map(|play| play.due);
        play.into_iter().chain(self.requests.rests_at).chain(self.bell.due()).min()
    }

    /// Returns the instant that is shown, or the collector's time now, in ms.
    pub(crate) fn cursor_ms(&self) -> i64 {
        self.travel.instant_ms().unwrap_or_else(|| self.live_ms())
    }

    /// Returns the collector's time now, in ms; 0 before the first connection.
    pub(crate) fn live_ms(&self) -> i64 {
        self.live.exact_now_ms(self.now)
    }

    /// Returns the collector's time that is shown, in ms, in whole seconds.
    pub(crate) fn now_ms(&self) -> i64 {
        self.model().now_ms(self.now)
    }

    pub(crate) fn zone(&self) -> TimeZone {
        match (self.zone, &self.local_zone) {
            (DisplayTimeZone::Local, Some(zone)) => zone.clone(),
            _ => TimeZone::UTC,
        }
    }

    /// Returns the context in which a key is looked up.
    pub(crate) fn key_context(&self) -> KeyContext {
        match &self.overlay {
            Some(Overlay::Help { .. } | Overlay::Collector(_)) => KeyContext::Help,
            Some(Overlay::Picker(_)) => KeyContext::Picker,
            Some(Overlay::Dialog(_)) => KeyContext::Dialog,
            Some(Overlay::Palette(_) | Overlay::Filter(_) | Overlay::Prompt(_)) | None => {
                self.screen_context()
            }
        }
    }

    pub(crate) fn screen_context(&self) -> KeyContext {
        match self.screen {
            Screen::Fleet => KeyContext::Fleet,
            Screen::Agent => KeyContext::Agent,
            Screen::Transitions => KeyContext::Transitions,
            Screen::Timeline => KeyContext::Timeline,
            Screen::Alerts => KeyContext::Alerts,
        }
    }

    /// Returns the agent that a command on this screen applies to.
    pub(crate) fn current_agent(&self) -> Option<&str> {
        match self.screen {
            Screen::Timeline if self.timeline.focus == TimelineFocus::Outages => {
                self.timeline.outages.selected().map(|outage| outage.agent.as_str())
            }
            Screen::Fleet | Screen::Timeline => self.list.selected_agent(),
            Screen::Agent => self.agent.as_ref().map(|pane| pane.id.as_str()),
            Screen::Transitions => self.selected_event().and_then(|event| event.agent.as_deref()),
            Screen::Alerts => incident_lines::current_agent(self),
        }
    }

    /// Returns the agent of the Agent screen; one that is not in the fleet as it was received, unless the
    /// collector does not know it any more.
    pub(crate) fn opened_agent(&self) -> Option<&AgentEntry> {
        let screen = self.agent.as_ref()?;
        let received = screen.detail.as_ref().filter(|_| screen.failure.is_none());
        self.model().agent(&screen.id).or(received.map(|detail| &detail.entry))
    }

    pub(crate) fn selected_event(&self) -> Option<&Event> {
        let cursor = self.transitions.selected?;
        self.event(cursor)
    }

    pub(crate) fn event(&self, cursor: i64) -> Option<&Event> {
        let events = &self.model().events;
        events.binary_search_by_key(&cursor, |event| event.cursor).ok().map(|at| &events[at])
    }

    pub(crate) fn set_status(&mut self, role: StyleRole, text: impl Into<String>) {
        let until = self.now.plus_ms(STATUS_MESSAGE_MS);
        self.status_message = Some(StatusMessage { text: text.into(), role, until });
    }

    /// Switches to a screen, and remembers the one before it.
    pub(crate) fn show(&mut self, screen: Screen) {
        if self.screen != screen {
            self.entered.forget_screen(screen);
            self.entered.push(Entered::Screen(self.screen));
            self.screen = screen;
            self.is_expanded = false;
        }
    }

    /// Notes a visible change.
    pub(crate) fn mark_changed(&mut self) {
        self.revision += 1;
    }
}
