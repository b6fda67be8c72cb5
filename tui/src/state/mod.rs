//! All that can change: one struct, changed only by `update`, read only by `view`.

mod agent;
mod columns;
mod dialog;
mod input;
mod link;
mod list;
mod orders;
mod overlay;
mod transitions;
mod world;

use jiff::tz::TimeZone;

use crate::clock::MonoTime;
use crate::commands::Context;
use crate::keys::{Chord, KeyMap};
use crate::look::{GlyphSet, Glyphs, Role, Theme};
use crate::options::Look;

pub(crate) use agent::{AgentPane, Pane};
pub(crate) use columns::Column;
pub(crate) use dialog::{Dialog, Focus, FocusStep, Scope, Target};
pub(crate) use input::Input;
pub(crate) use link::{LinkInfo, LinkState, Rights};
pub(crate) use list::{Behind, Cursor, FleetList, GroupInfo, Grouping, Row, Shown};
pub(crate) use orders::{Order, Orders, Stage};
pub(crate) use overlay::{FilterEdit, FilterFault, Overlay, Palette, Picker, PickerKind};
pub(crate) use transitions::{Follow, Transitions};
pub(crate) use world::{Impact, World, is_bad};

/// How long a notice stays.
const NOTICE_MS: u64 = 6_000;
/// Screens that `q` goes back through.
const MOST_BACK: usize = 8;

/// The screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Screen {
    /// All agents.
    #[default]
    Fleet,
    /// One agent.
    Agent,
    /// What happened.
    Transitions,
}

/// Which zone times of day are shown in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ZoneChoice {
    #[default]
    Utc,
    Local,
}

/// Whether the mouse is ours or the terminal's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum MouseMode {
    #[default]
    Terminal,
    Captured,
}

/// A sentence for the operator, for a while.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Notice {
    pub text: String,
    pub role: Role,
    pub until: MonoTime,
}

/// Everything.
#[derive(Debug)]
pub(crate) struct State {
    pub size: (u16, u16),
    pub now: MonoTime,
    pub live: World,
    /// A copy of the world at the moment of `f`.
    pub frozen: Option<Box<World>>,
    pub link: LinkInfo,
    pub screen: Screen,
    pub back: Vec<Screen>,
    pub list: FleetList,
    pub transitions: Transitions,
    pub agent: Option<AgentPane>,
    pub overlay: Option<Overlay>,
    pub orders: Orders,
    pub notice: Option<Notice>,
    pub keymap: KeyMap,
    /// Keys of a sequence that is not complete.
    pub pressed: Vec<Chord>,
    pub theme: Theme,
    pub glyphs: &'static Glyphs,
    pub charset: GlyphSet,
    pub zone: ZoneChoice,
    pub local_zone: TimeZone,
    pub mouse: MouseMode,
    /// The detail pane has the whole screen.
    pub expanded: bool,
    /// Grows whenever something visible changed. A frame with the same number is not drawn again.
    pub revision: u64,
    /// For the numbers of commands.
    pub(crate) seed: u64,
}

impl State {
    pub(crate) fn new(look: Look, size: (u16, u16), seed: u64) -> Self {
        Self {
            size,
            now: MonoTime::default(),
            live: World::default(),
            frozen: None,
            link: LinkInfo::default(),
            screen: Screen::default(),
            back: Vec::new(),
            list: FleetList::default(),
            transitions: Transitions::default(),
            agent: None,
            overlay: None,
            orders: Orders::default(),
            notice: None,
            keymap: look.keymap,
            pressed: Vec::new(),
            theme: Theme::new(look.theme),
            glyphs: Glyphs::of(look.charset),
            charset: look.charset,
            zone: look.zone,
            local_zone: look.local_zone,
            mouse: MouseMode::default(),
            expanded: false,
            revision: 1,
            seed,
        }
    }

    /// The world that is shown: the live one, or the frozen copy.
    pub(crate) fn world(&self) -> &World {
        self.frozen.as_deref().unwrap_or(&self.live)
    }

    /// The collector's time that is shown, in ms, in whole seconds.
    pub(crate) fn now_ms(&self) -> i64 {
        self.world().now_ms(self.now)
    }

    pub(crate) fn zone(&self) -> TimeZone {
        match self.zone {
            ZoneChoice::Utc => TimeZone::UTC,
            ZoneChoice::Local => self.local_zone.clone(),
        }
    }

    /// Where a command would be given now.
    pub(crate) fn context(&self) -> Context {
        match &self.overlay {
            Some(Overlay::Help { .. }) => Context::Help,
            Some(Overlay::Picker(_)) => Context::Picker,
            Some(Overlay::Dialog(_)) => Context::Dialog,
            Some(Overlay::Palette(_) | Overlay::Filter(_)) | None => self.screen_context(),
        }
    }

    pub(crate) fn screen_context(&self) -> Context {
        match self.screen {
            Screen::Fleet => Context::Fleet,
            Screen::Agent => Context::Agent,
            Screen::Transitions => Context::Transitions,
        }
    }

    /// The agent that a command on this screen is about.
    pub(crate) fn subject(&self) -> Option<&str> {
        match self.screen {
            Screen::Fleet => self.list.selected(),
            Screen::Agent => self.agent.as_ref().map(|pane| pane.id.as_str()),
            Screen::Transitions => self.selected_event().and_then(|event| event.agent.as_deref()),
        }
    }

    pub(crate) fn selected_event(&self) -> Option<&heartline_operator::message::Event> {
        let cursor = self.transitions.selected?;
        self.event(cursor)
    }

    pub(crate) fn event(&self, cursor: i64) -> Option<&heartline_operator::message::Event> {
        let events = &self.world().events;
        events.binary_search_by_key(&cursor, |event| event.cursor).ok().map(|at| &events[at])
    }

    pub(crate) fn say(&mut self, role: Role, text: impl Into<String>) {
        let until = self.now.plus_ms(NOTICE_MS);
        self.notice = Some(Notice { text: text.into(), role, until });
    }

    pub(crate) fn show(&mut self, screen: Screen) {
        if self.screen != screen {
            self.back.retain(|earlier| *earlier != screen);
            self.back.push(self.screen);
            if self.back.len() > MOST_BACK {
                self.back.remove(0);
            }
            self.screen = screen;
            self.expanded = false;
        }
    }

    pub(crate) fn touch(&mut self) {
        self.revision += 1;
    }
}
