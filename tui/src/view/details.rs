//! Everything known of an agent, in sections, for the detail pane and the Agent screen.

use heartline_operator::message::{AgentBudget, AgentDetail, AgentEntry, CommandStatus, Event};
use heartline_operator::text::{cpu_share, learning, money, size};
use heartline_vocabulary::{Action, Phase, Reason};
use ratatui::layout::Rect;

use super::alert_fields::alert_fields;
use super::charts::histogram::bar;
use super::fleet::{SummaryLength, write_group_summary};
use super::footer::key_label;
use super::frame::ScreenFrame;
use super::zoned_time;
use crate::columns::{load_bars, session_label};
use crate::commands::AppCommand;
use crate::state::{AppState, GroupSummary, host_of};
use crate::text::{
    EventText, TextAlign, age, age_since, count, fit, latency, percent, rate_if_known, span, width,
};
use crate::theme::{StyleRole, vitals_label};

/// Columns of the headings.
const HEADING: u16 = 8;

/// Titles of sections.
const WORK: &str = "1 hour";
const LATENCY: &str = "latency";
const ORDER: &str = "order";
const CRASH: &str = "crash";
const ALERT: &str = "alert";

/// A labelled value.
pub(super) struct DetailField {
    pub label: &'static str,
    pub role: StyleRole,
    pub value: String,
    placement: FieldPlacement,
}

/// Where a field stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldPlacement {
    /// Behind the one before it, if it fits there.
    Beside,
    OwnLine,
}

/// A heading and the fields under it.
pub(super) struct DetailSection {
    pub title: &'static str,
    pub fields: Vec<DetailField>,
}

/// Draws the pane below or beside the list: the selected agent or group.
pub(super) fn draw_pane(frame: &mut ScreenFrame<'_>, area: Rect) {
    let state = frame.state;
    if area.height < 3 {
        return;
    }
    let entry = state.list.selected_agent().and_then(|id| state.model().agent(id));
    let Some(entry) = entry else {
        return match state.list.current_group() {
            Some(group) => draw_group(frame, area, group),
            None => draw_nothing_selected(frame, area),
        };
    };
    let host = host_of(entry).unwrap_or("-");
    let inner = frame.draw_box(area, &format!("{} @ {host}", entry.agent));
    draw_sections(frame, inner, &agent_sections(state, entry, None));
}

fn draw_nothing_selected(frame: &mut ScreenFrame<'_>, area: Rect) {
    let inner = frame.draw_box(area, "");
    if let Some(mut out) = frame.line(inner, 0) {
        out.gap(1).put(StyleRole::Dim, "no agent is selected");
    }
}

/// Draws a group, and the keys for it.
fn draw_group(frame: &mut ScreenFrame<'_>, area: Rect, group: &GroupSummary) {
    let state = frame.state;
    let kind = state.list.group_by().name();
    let inner = frame.draw_box(area, &format!("{kind} {}", group.name));
    if let Some(mut out) = frame.line(inner, 0) {
        write_group_summary(state, group, SummaryLength::Full, out.gap(1));
    }
    if let Some(mut out) = frame.line(inner, 1) {
        let key = |command| key_label(state, command);
        let (open, mark) = (key(AppCommand::Open), key(AppCommand::Mark));
        let text = format!("{open} folds or opens it, {mark} marks all its agents");
        out.gap(1).put(StyleRole::Dim, &text);
    }
}

/// Draws sections from the top, each on as many lines as it needs and are left. Returns how many
/// lines that took.
pub(super) fn draw_sections(
    frame: &mut ScreenFrame<'_>,
    area: Rect,
    sections: &[DetailSection],
) -> u16 {
    let mut row = 0;
    for section in sections {
        if row >= area.height {
            break;
        }
        if let Some(mut out) = frame.line(area, row) {
            out.gap(1).put(StyleRole::Title, section.title);
        }
        let from = HEADING + 2;
        let room = area.width.saturating_sub(from + 1);
        let body = Rect { x: area.x + from, width: room, ..area };
        row += draw_fields(frame, body, row, section);
    }
    row
}

/// Draws fields one after the other, on a new line where one does not fit.
fn draw_fields(
    frame: &mut ScreenFrame<'_>,
    area: Rect,
    first: u16,
    section: &DetailSection,
) -> u16 {
    let places = place_fields(section, area.width);
    for (field, (row, column)) in section.fields.iter().zip(&places) {
        if let Some(mut out) = frame.line(area, first + row) {
            out.gap(*column).put_labelled(field.label, field.role, &field.value);
        }
    }
    places.last().map_or(0, |(row, _)| row + 1)
}

/// Returns the lines that sections take at a width.
pub(super) fn section_lines(sections: &[DetailSection], columns: u16) -> u16 {
    let room = columns.saturating_sub(HEADING + 3);
    let rows =
        |section: &DetailSection| place_fields(section, room).last().map_or(0, |(row, _)| row + 1);
    sections.iter().map(rows).sum()
}

/// Returns row and column of each field.
fn place_fields(section: &DetailSection, room: u16) -> Vec<(u16, u16)> {
    let (mut row, mut used) = (0, 0_u16);
    let place = |field: &DetailField| {
        let label = width(field.label) + usize::from(!field.label.is_empty());
        let taken = u16::try_from(label + width(&field.value)).unwrap_or(u16::MAX);
        let is_beside = field.placement == FieldPlacement::Beside;
        if used > 0 && !(is_beside && used.saturating_add(taken) <= room) {
            row += 1;
            used = 0;
        }
        let column = used;
        used = used.saturating_add(taken).saturating_add(2);
        (row, column)
    };
    section.fields.iter().map(place).collect()
}

pub(super) fn field(label: &'static str, value: impl Into<String>) -> DetailField {
    styled_field(label, StyleRole::Text, value)
}

pub(super) fn styled_field(
    label: &'static str,
    role: StyleRole,
    value: impl Into<String>,
) -> DetailField {
    DetailField { label, role, value: value.into(), placement: FieldPlacement::Beside }
}

fn optional_field(label: &'static str, value: Option<&str>) -> Option<DetailField> {
    value.filter(|value| !value.is_empty()).map(|value| field(label, value))
}

/// Returns the sections of an agent, most urgent first. What is unknown is left out or `-`.
pub(super) fn agent_sections(
    state: &AppState,
    entry: &AgentEntry,
    detail: Option<&AgentDetail>,
) -> Vec<DetailSection> {
    let mut all = vec![DetailSection { title: "state", fields: state_fields(state, entry) }];
    if !is_of_past(entry) {
        all.push(DetailSection { title: "beats", fields: beat_fields(entry) });
        all.push(DetailSection { title: "doing", fields: task_fields(state, entry) });
    }
    all.extend([
        DetailSection { title: WORK, fields: work_fields(state, entry) },
        DetailSection { title: LATENCY, fields: latency_fields(entry) },
        DetailSection { title: "cost", fields: cost_fields(state, entry, detail) },
        DetailSection { title: "who", fields: identity_fields(entry, detail) },
    ]);
    let process = process_fields(entry);
    if !process.is_empty() {
        all.insert(all.len().min(3), DetailSection { title: "process", fields: process });
    }
    if let Some(crash) = detail.and_then(AgentDetail::last_crash) {
        let section = DetailSection { title: CRASH, fields: crash_fields(state, crash) };
        // Where it is what the state is about, it is read first.
        let is_urgent = matches!(entry.vitals.reason, Some(Reason::Crashed | Reason::CrashLooping));
        all.insert(if is_urgent { 1 } else { all.len() }, section);
    }
    let budgets = detail.map_or(&[][..], |detail| &detail.budgets);
    if !budgets.is_empty() {
        let fields = budgets.iter().map(|budget| budget_field(state, budget)).collect();
        // What may end the agent next is to be seen on a small screen, too.
        all.insert(1, DetailSection { title: "budget", fields });
    }
    let alerts = alert_fields(state, entry);
    if !alerts.is_empty() {
        all.insert(1, DetailSection { title: ALERT, fields: alerts });
    }
    if let Some(command) = &entry.vitals.command {
        all.insert(1, DetailSection { title: ORDER, fields: command_fields(state, command) });
    }
    let labels = label_fields(entry);
    if !labels.is_empty() {
        all.push(DetailSection { title: "labels", fields: labels });
    }
    let learned = detail.map_or(&[][..], |detail| &detail.learning);
    if !learned.is_empty() {
        let fields = vec![field("", learning(learned))];
        all.push(DetailSection { title: "learning", fields });
    }
    all
}

/// Returns whether an agent is shown as it was: of its beats, and of what it did just then, nothing is
/// kept.
const fn is_of_past(entry: &AgentEntry) -> bool {
    entry.vitals.interval_ms == 0
}

/// Returns whether sections begin with a crash or an order, behind the state.
pub(super) fn is_urgent(sections: &[DetailSection]) -> bool {
    sections.get(1).is_some_and(|section| matches!(section.title, ORDER | CRASH | ALERT))
}

/// Leaves out the work of the last hour, where charts show that of any window.
pub(super) fn without_work(sections: &mut Vec<DetailSection>) {
    sections.retain(|section| !matches!(section.title, WORK | LATENCY));
}

fn state_fields(state: &AppState, entry: &AgentEntry) -> Vec<DetailField> {
    let vitals = &entry.vitals;
    let now = vitals_label(vitals, state.glyphs.glyph_set);
    let mut fields = vec![styled_field("", now.role, format!("{} {}", now.glyph, now.word))];
    if let Some(reason) = vitals.reason {
        fields.push(field("because", reason.name()));
    }
    fields.push(field("for", age(vitals.state_age_ms(state.now_ms()))));
    fields.push(field("since", zoned_time(state, vitals.since_ms)));
    fields.push(field("beat", age_since(vitals.last_beat_ms, state.now_ms())));
    fields.push(field("step", age_since(vitals.progress_ms, state.now_ms())));
    fields
}

fn beat_fields(entry: &AgentEntry) -> Vec<DetailField> {
    let vitals = &entry.vitals;
    let sent = vitals.beats.saturating_add(vitals.lost);
    let loss = if sent == 0 { 0.0 } else { vitals.lost as f64 / sent as f64 };
    vec![
        field("every", span(vitals.interval_ms.into())),
        field("boot", session_label(entry)),
        // Counted in memory: a session may be older than its collector.
        field("since collector start", count(vitals.beats)),
        field("lost", format!("{} ({:.1} %)", count(vitals.lost), loss * 100.0)),
    ]
}

fn task_fields(state: &AppState, entry: &AgentEntry) -> Vec<DetailField> {
    let vitals = &entry.vitals;
    let phase = match vitals.phase {
        Some(Phase::Starting) => "starting",
        Some(Phase::Running) => "running",
        Some(Phase::Waiting) => "waiting",
        Some(Phase::Stopping) => "stopping",
        None => "not heard yet",
    };
    let step_label = if vitals.phase == Some(Phase::Waiting) { "for" } else { "at" };
    let mut fields = vec![field("", phase)];
    fields.extend(optional_field(step_label, vitals.step.as_deref()));
    fields.push(field("in flight", vitals.in_flight.to_string()));
    if vitals.oldest_task_ms.is_some() {
        fields.push(field("oldest", age_since(vitals.oldest_task_ms, state.now_ms())));
    }
    fields.extend(vitals.queue.map(|queue| field("queue", count(queue.into()))));
    fields
}

/// Returns what a supervisor sees of the process; nothing without a supervisor.
fn process_fields(entry: &AgentEntry) -> Vec<DetailField> {
    let vitals = &entry.vitals;
    if vitals.reason == Some(Reason::Crashed) {
        return vec![styled_field("", StyleRole::Alert, "gone")];
    }
    let Some(usage) = &vitals.process else { return Vec::new() };
    let mut fields = vec![
        field("", "runs"),
        field("cpu", cpu_share(usage.cpu_permille)),
        field("memory", size(usage.memory_bytes)),
    ];
    if let Some(ms) = usage.emitter_silent_ms {
        fields.push(styled_field("its emitter silent for", StyleRole::Degraded, span(ms)));
    }
    fields
}

/// Returns when and how the process ended, and below it the last lines that it wrote.
fn crash_fields(state: &AppState, crash: &Event) -> Vec<DetailField> {
    let words = EventText::of(crash);
    let mut fields = vec![
        field("at", zoned_time(state, crash.at_ms)),
        styled_field("", StyleRole::Alert, words.cause),
    ];
    fields.extend(words.last_lines.into_iter().map(|line| DetailField {
        placement: FieldPlacement::OwnLine,
        ..styled_field("", StyleRole::Text, line)
    }));
    fields
}

fn work_fields(state: &AppState, entry: &AgentEntry) -> Vec<DetailField> {
    let work = &entry.work;
    if !work.is_known() {
        return vec![field("", "is being read")];
    }
    let failed = if work.failed == 0 { StyleRole::Text } else { StyleRole::Degraded };
    vec![
        field("ok", count(work.ok)),
        styled_field("failed", failed, count(work.failed)),
        field("success", format!("{} %", percent(work.success_rate()))),
        field("tasks/m", rate_if_known(entry.tasks_per_minute(state.now_ms()))),
        field("15 min", load_bars(&work.per_minute, state.glyphs)),
    ]
}

fn latency_fields(entry: &AgentEntry) -> Vec<DetailField> {
    match &entry.work.latency {
        None if !entry.work.is_known() => vec![field("", "is being read")],
        None => vec![field("", "no task was timed in the last hour")],
        Some(all) => vec![
            field("p50", latency(all.p50)),
            field("p90", latency(all.p90)),
            field("p95", latency(all.p95)),
            field("p99", latency(all.p99)),
            field("max", latency(all.max)),
        ],
    }
}

fn cost_fields(
    state: &AppState,
    entry: &AgentEntry,
    detail: Option<&AgentDetail>,
) -> Vec<DetailField> {
    let (work, total) = (&entry.work, &entry.vitals.total);
    let (ok, failed, cost) = (count(total.ok), count(total.failed), money(total.cost_nano_usd));
    let mut fields = match work.is_known() {
        false => vec![field("", "is being read")],
        true => vec![
            field("today", money(work.cost_today_nano_usd)),
            field("1 hour", money(work.cost_nano_usd)),
            field(
                "tokens 1 h",
                format!("{} in {} out", count(work.tokens_in), count(work.tokens_out)),
            ),
        ],
    };
    if !is_of_past(entry) {
        fields.push(field("ever", format!("{ok} ok {failed} failed {cost}")));
    }
    if let Some(detail) = detail {
        let first_seen = zoned_time(state, detail.first_seen_ms);
        let ago = age_since(Some(detail.first_seen_ms), state.now_ms());
        fields.push(field("first seen", format!("{first_seen} ({ago} ago)")));
    }
    fields
}

/// Columns of the bar of a budget.
const BUDGET_BAR: u16 = 10;

/// Returns a budget with a bar of what is used, on a line of its own.
fn budget_field(state: &AppState, budget: &AgentBudget) -> DetailField {
    let AgentBudget { terms, own, used, is_lifted } = budget;
    let percent = terms.percent(*used);
    let role = match percent {
        _ if *is_lifted => StyleRole::Dim,
        100.. => StyleRole::Alert,
        75.. => StyleRole::Degraded,
        _ => StyleRole::Text,
    };
    let filled = bar(percent.min(100), 100, BUDGET_BAR, state.glyphs);
    let bar = fit(&filled, usize::from(BUDGET_BAR), TextAlign::Left, "");
    let (of, limit) = (terms.unit.format(*used), terms.unit.format(terms.limit));
    let mut value = format!("{bar} {percent:>3} %  {of} of {limit} per {}", terms.period.name());
    if own != used {
        value += &format!(" by {}, {} by this one", terms.scope.text(), terms.unit.format(*own));
    }
    value += &match is_lifted {
        true => format!("  lifted until {}", terms.ends),
        false => format!("  at 100 %: {}", terms.consequence()),
    };
    value += &format!("  ({})", terms.name);
    DetailField { placement: FieldPlacement::OwnLine, ..styled_field("", role, value) }
}

fn identity_fields(entry: &AgentEntry, detail: Option<&AgentDetail>) -> Vec<DetailField> {
    let shared = &entry.identity.shared;
    let mut fields = vec![field("host", host_of(entry).unwrap_or("-"))];
    fields.extend(entry.identity.pid.map(|pid| field("pid", pid.to_string())));
    fields.extend(optional_field("group", shared.group.as_deref()));
    fields.extend(optional_field("version", shared.version.as_deref()));
    fields.extend(optional_field("framework", shared.framework.as_deref()));
    fields.extend(optional_field("sdk", shared.sdk.as_deref()));
    if let Some(detail) = detail {
        fields.extend(optional_field("from", detail.address.as_deref()));
        let key = detail.key.as_ref().map_or_else(
            || "not heard yet".to_owned(),
            |key| {
                let scope = if key.scope.is_empty() { "whole fleet" } else { &key.scope };
                format!("{scope}, key {}", key.epoch)
            },
        );
        fields.push(field("token", key));
    }
    fields
}

fn label_fields(entry: &AgentEntry) -> Vec<DetailField> {
    let shared = &entry.identity.shared;
    let labels = shared.labels.iter().map(|(key, value)| field("", format!("{key}={value}")));
    let mut fields: Vec<DetailField> = labels.collect();
    if !shared.depends.is_empty() {
        fields.push(field("needs", shared.depends.join(", ")));
    }
    fields
}

fn command_fields(state: &AppState, command: &CommandStatus) -> Vec<DetailField> {
    let verb = match command.action {
        Action::Kill => "killed by",
        Action::Resume => "resumed by",
    };
    let mut fields =
        vec![field(verb, command.by.clone()), field("at", zoned_time(state, command.at_ms))];
    fields.extend(optional_field("because", Some(&command.reason)));
    if command.disobeyed {
        fields.push(styled_field("DISOBEYED", StyleRole::Alert, "it went on completing work"));
    }
    fields.push(match (command.delivered_ms, command.obeyed_ms) {
        (_, Some(ms)) => styled_field("obeyed in", StyleRole::Healthy, span(ms)),
        (Some(ms), None) => {
            let value = format!("{}, {} tasks draining", span(ms), command.draining);
            styled_field("delivered in", StyleRole::Warning, value)
        }
        (None, None) => {
            let waited = age_since(Some(command.at_ms), state.now_ms());
            styled_field("PENDING", StyleRole::Warning, waited)
        }
    });
    fields
}
