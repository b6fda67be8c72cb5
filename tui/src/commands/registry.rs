//! The registry: every command with its keys, where it can be given, and what it does.

use super::AppCommand::{
    Acknowledge, AddNote, AgentTransitions, Back, Bottom, CellMode, CentreOutage, Chart, Columns,
    CopyId, CopyRow, CursorLeft, CursorPageLeft, CursorPageRight, CursorRight, Down, Exit, Expand,
    Export, Filter, FitAll, Fold, FoldAll, FoldClose, FoldOpen, Forget, Freeze, GoTo, Group,
    HalfDown, HalfUp, Help, Invert, JumpBack, Kill, Live, Mark, MarkAll, MarkRange, MarkSpan,
    Mouse, Newest, NextMatch, NextOutage, NextOutageOfAny, NextPane, Open, PageDown, PageUp,
    Palette, Play, PreviousMatch, PreviousOutage, PreviousOutageOfAny, PreviousPane, ProblemsOnly,
    Quit, Reconnect, Redraw, RepeatJump, Resume, ShowAgent, ShowAlerts, ShowCollector, ShowFleet,
    ShowTimeline, ShowTransitions, Sort, SortLeft, SortRight, Suspend, TimelineOf, Top, Unmark, Up,
    Utc, Window, ZoomIn, ZoomOut,
};
use super::{AppCommand, CommandSpec, KeyContext};

const FLEET: &[KeyContext] = &[KeyContext::Fleet];
const AGENT: &[KeyContext] = &[KeyContext::Agent];
const FLEET_AND_AGENT: &[KeyContext] = &[KeyContext::Fleet, KeyContext::Agent];
const FLEET_AGENT_AND_ALERTS: &[KeyContext] =
    &[KeyContext::Fleet, KeyContext::Agent, KeyContext::Alerts];
const TIMELINE: &[KeyContext] = &[KeyContext::Timeline];
const FLEET_AND_TIMELINE: &[KeyContext] = &[KeyContext::Fleet, KeyContext::Timeline];
const AGENT_AND_TIMELINE: &[KeyContext] = &[KeyContext::Agent, KeyContext::Timeline];
const ALL_BUT_TIMELINE: &[KeyContext] =
    &[KeyContext::Fleet, KeyContext::Agent, KeyContext::Transitions, KeyContext::Alerts];
const PANES: &[KeyContext] = &[KeyContext::Agent, KeyContext::Timeline, KeyContext::Dialog];
const TABLES: &[KeyContext] = &[KeyContext::Fleet, KeyContext::Transitions, KeyContext::Timeline];
const SCREENS: &[KeyContext] = &[
    KeyContext::Fleet,
    KeyContext::Agent,
    KeyContext::Transitions,
    KeyContext::Timeline,
    KeyContext::Alerts,
];
const ALL_BUT_TRANSITIONS: &[KeyContext] =
    &[KeyContext::Fleet, KeyContext::Agent, KeyContext::Timeline, KeyContext::Alerts];
const ALL_BUT_DIALOG: &[KeyContext] = &[
    KeyContext::Fleet,
    KeyContext::Agent,
    KeyContext::Transitions,
    KeyContext::Timeline,
    KeyContext::Alerts,
    KeyContext::Help,
    KeyContext::Picker,
];
const EVERYWHERE: &[KeyContext] = &KeyContext::ALL;

const fn spec(
    command: AppCommand,
    name: &'static str,
    keys: &'static [&'static str],
    contexts: &'static [KeyContext],
    help: &'static str,
) -> CommandSpec {
    CommandSpec {
        command,
        name,
        keys,
        contexts,
        help,
        hint: name,
        priority: 0,
        in_palette: true,
        subcommand: None,
    }
}

impl CommandSpec {
    const fn hint(mut self, priority: u8, hint: &'static str) -> Self {
        self.priority = priority;
        self.hint = hint;
        self
    }

    const fn not_in_palette(mut self) -> Self {
        self.in_palette = false;
        self
    }

    const fn subcommand(mut self, subcommand: &'static str) -> Self {
        self.subcommand = Some(subcommand);
        self
    }
}

/// All commands, in the order of the help overlay and `KEYS.md`.
pub(crate) const REGISTRY: &[CommandSpec] = &[
    spec(Open, "open", &["Enter", "d"], EVERYWHERE, "open the agent, or do what is selected")
        .hint(90, "open")
        .subcommand("heartline agent NAME"),
    spec(
        AgentTransitions,
        "transitions-of",
        &["l"],
        FLEET_AGENT_AND_ALERTS,
        "the transitions of this agent",
    )
    .hint(40, "log")
    .subcommand("heartline events --filter NAME"),
    spec(Window, "window", &["w"], AGENT, "chart 5 minutes, an hour, a day, or a week")
        .hint(66, "window")
        .subcommand("heartline history NAME --since TIME"),
    spec(Chart, "chart", &["x"], AGENT, "heat map, histogram, or percentiles").hint(63, "chart"),
    spec(Kill, "kill", &["K"], FLEET_AND_AGENT, "kill this agent, or all marked (asks first)")
        .hint(70, "kill")
        .subcommand("heartline kill NAME --reason TEXT"),
    spec(Resume, "resume", &["R"], FLEET_AND_AGENT, "resume killed agents (asks once)")
        .hint(60, "resume")
        .subcommand("heartline resume NAME"),
    spec(Forget, "forget", &["F"], FLEET_AND_AGENT, "forget agents that are gone (asks first)")
        .hint(33, "forget")
        .subcommand("heartline forget NAME"),
    spec(Filter, "filter", &["/"], TABLES, "filter, as state:degraded host:m3* !tag:dev")
        .hint(85, "filter")
        .subcommand("heartline status --filter Q"),
    spec(NextMatch, "next-match", &["n"], TABLES, "next row that matches, opening its group"),
    spec(PreviousMatch, "previous-match", &["N"], TABLES, "previous row that matches"),
    spec(ProblemsOnly, "bad-only", &["!"], TABLES, "only what is not healthy, or got worse")
        .hint(50, "bad")
        .subcommand("heartline status --filter '!state:healthy'"),
    spec(Sort, "sort", &["s"], FLEET_AND_TIMELINE, "pick the column to sort by").hint(80, "sort"),
    spec(SortLeft, "sort-left", &["<"], FLEET, "sort by the column to the left"),
    spec(SortRight, "sort-right", &[">"], FLEET, "sort by the column to the right"),
    spec(Invert, "invert", &["I"], FLEET, "invert the order"),
    spec(Columns, "columns", &["o"], FLEET, "pick the columns to show"),
    spec(Group, "group", &["v"], FLEET_AND_TIMELINE, "group by host, group, state, or not at all")
        .hint(75, "group"),
    spec(FoldOpen, "fold-open", &["+", "Right"], FLEET, "open this group"),
    spec(FoldClose, "fold-close", &["-", "Left"], FLEET, "fold this group"),
    spec(Fold, "fold", &[","], FLEET_AND_TIMELINE, "fold this group, or open it"),
    spec(FoldAll, "fold-all", &["*"], FLEET_AND_TIMELINE, "fold all groups, or open all"),
    spec(Mark, "mark", &["Space"], FLEET, "mark or unmark this agent").hint(72, "mark"),
    spec(MarkRange, "mark-range", &["ctrl-Space"], FLEET, "mark from the last mark to here"),
    spec(MarkAll, "mark-all", &["A"], FLEET, "mark all agents that are shown"),
    spec(Unmark, "unmark", &["ctrl-\\"], FLEET, "unmark all"),
    spec(CopyId, "copy-id", &["y"], SCREENS, "copy the id of what is selected").hint(30, "copy"),
    spec(CopyRow, "copy-row", &["Y"], SCREENS, "copy the row as JSON")
        .subcommand("heartline agent NAME --json"),
    spec(Export, "export", &["E"], SCREENS, "write what is listed to a file, as JSON")
        .subcommand("heartline events --json"),
    spec(Down, "down", &["j", "Down"], ALL_BUT_DIALOG, "down").not_in_palette(),
    spec(Up, "up", &["k", "Up"], ALL_BUT_DIALOG, "up").not_in_palette(),
    spec(Top, "top", &["g g", "Home"], ALL_BUT_DIALOG, "to the first row").not_in_palette(),
    spec(
        Bottom,
        "bottom",
        &["G", "End"],
        ALL_BUT_DIALOG,
        "to the last row; transitions then follow",
    )
    .not_in_palette(),
    spec(HalfDown, "half-page-down", &["ctrl-d"], ALL_BUT_DIALOG, "half a page down")
        .not_in_palette(),
    spec(HalfUp, "half-page-up", &["ctrl-u"], ALL_BUT_DIALOG, "half a page up").not_in_palette(),
    spec(PageDown, "page-down", &["PgDn"], ALL_BUT_DIALOG, "a page down").not_in_palette(),
    spec(PageUp, "page-up", &["PgUp"], ALL_BUT_DIALOG, "a page up").not_in_palette(),
    spec(ShowFleet, "fleet", &["1"], SCREENS, "the fleet").subcommand("heartline status"),
    spec(ShowAgent, "agent", &["2"], SCREENS, "the selected agent")
        .subcommand("heartline agent NAME"),
    spec(ShowTransitions, "transitions", &["3"], SCREENS, "all events")
        .hint(35, "events")
        .subcommand("heartline events --follow"),
    spec(NextPane, "next", &["Tab"], PANES, "next pane, or next field").hint(45, "pane"),
    spec(PreviousPane, "previous", &["shift-Tab"], PANES, "previous pane, or field"),
    spec(Expand, "expand", &["e"], FLEET_AND_AGENT, "give the pane the whole screen, or back"),
    spec(ShowTimeline, "timeline", &["4"], SCREENS, "states and outages over time")
        .hint(38, "timeline")
        .subcommand("heartline outages"),
    spec(TimelineOf, "timeline-of", &["t"], ALL_BUT_TIMELINE, "the timeline of this agent, here")
        .subcommand("heartline history NAME"),
    spec(CursorLeft, "earlier", &["h", "Left"], TIMELINE, "a cell earlier")
        .hint(88, "earlier")
        .not_in_palette(),
    spec(CursorRight, "later", &["l", "Right"], TIMELINE, "a cell later; at the end live")
        .hint(87, "later")
        .not_in_palette(),
    spec(CursorPageLeft, "page-earlier", &["H"], TIMELINE, "half a window earlier")
        .not_in_palette(),
    spec(CursorPageRight, "page-later", &["L"], TIMELINE, "half a window later").not_in_palette(),
    spec(ZoomIn, "zoom-in", &["+", "="], TIMELINE, "shorter cells, to 1 s").hint(83, "zoom"),
    spec(ZoomOut, "zoom-out", &["-"], TIMELINE, "longer cells, to 7 d").hint(82, "out"),
    spec(FitAll, "fit", &["0"], TIMELINE, "all of history in the window").hint(31, "fit"),
    spec(CellMode, "cells", &["x"], TIMELINE, "cells show the worst state, or bad time"),
    spec(
        PreviousOutage,
        "previous-outage",
        &["["],
        AGENT_AND_TIMELINE,
        "the outage before, of this agent",
    )
    .hint(86, "outage"),
    spec(NextOutage, "next-outage", &["]"], AGENT_AND_TIMELINE, "the next outage of this agent"),
    spec(
        PreviousOutageOfAny,
        "previous-outage-of-any",
        &["{"],
        SCREENS,
        "the outage before, of any",
    ),
    spec(NextOutageOfAny, "next-outage-of-any", &["}"], SCREENS, "the next outage of any agent"),
    spec(CentreOutage, "centre", &["o"], TIMELINE, "centre this outage; again: fit it"),
    spec(GoTo, "go-to", &["@"], SCREENS, "go to a time: 14:05, -2h, yesterday, #7")
        .hint(65, "go to")
        .subcommand("heartline status --at T"),
    spec(RepeatJump, "repeat-jump", &["r"], SCREENS, "jump as far as the last time"),
    spec(JumpBack, "jump-back", &["ctrl-o"], SCREENS, "where the last jump came from"),
    spec(Live, "live", &["."], SCREENS, "back to now").hint(64, "live"),
    spec(MarkSpan, "mark-span", &["m"], TIMELINE, "mark A, then B: what was in between")
        .hint(39, "A/B"),
    spec(Play, "play", &["p"], TIMELINE, "play from here; + - speed, any key stops")
        .hint(37, "play"),
    spec(AddNote, "note", &["c"], TIMELINE, "write a note on the selected outage")
        .hint(36, "note")
        .subcommand("heartline note ID TEXT"),
    spec(ShowAlerts, "alerts", &["5"], SCREENS, "incidents, who was told, sinks, silences")
        .hint(34, "alerts")
        .subcommand("heartline alerts"),
    spec(
        Acknowledge,
        "acknowledge",
        &["a"],
        ALL_BUT_TRANSITIONS,
        "acknowledge this incident, or this outage",
    )
    .hint(62, "ack")
    .subcommand("heartline ack ID"),
    spec(Newest, "newest", &["i"], SCREENS, "the agent that fell into trouble last")
        .hint(89, "newest")
        .subcommand("heartline events --filter 'state:unreachable'"),
    spec(Freeze, "freeze", &["f"], SCREENS, "stop at this instant, or back to now")
        .hint(55, "freeze"),
    spec(Utc, "utc", &["U"], SCREENS, "times in UTC, or in the local zone"),
    spec(Mouse, "mouse", &["M"], SCREENS, "the mouse scrolls and selects, or copies"),
    spec(ShowCollector, "collector", &["C"], SCREENS, "how the collector itself does")
        .subcommand("heartline collector"),
    spec(Palette, "palette", &[":"], SCREENS, "find a command by its name").hint(20, "commands"),
    spec(Help, "help", &["?", "F1"], SCREENS, "this help").hint(100, "help"),
    spec(Back, "back", &["Esc"], EVERYWHERE, "back; clears the filter").not_in_palette(),
    spec(Quit, "quit", &["q"], ALL_BUT_DIALOG, "back; at the top, quit").hint(95, "quit"),
    spec(Exit, "exit", &["ctrl-c"], EVERYWHERE, "quit at once"),
    spec(Suspend, "suspend", &["ctrl-z"], EVERYWHERE, "back to the shell; fg returns"),
    spec(Redraw, "redraw", &["ctrl-l"], EVERYWHERE, "redraw the screen"),
    spec(Reconnect, "reconnect", &["ctrl-r"], EVERYWHERE, "connect again and reload everything"),
];
