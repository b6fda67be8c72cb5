//! Lines that must be read: the collector's banners, orders on their way, and notices.

use heartline_operator::message::CommandStatus;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::pen::Pen;
use crate::layout;
use crate::look::{Role, age, span};
use crate::state::{Order, Stage, State};

/// Agents named on the line of an order.
const MOST_NAMED: usize = 3;

pub(super) fn banners(state: &State, area: Rect, buffer: &mut Buffer) {
    for (row, text) in (0..).zip(layout::banners(state)) {
        if let Some(mut pen) = Pen::on(state, area, row, buffer) {
            pen.gap(1).put(Role::Warning, &format!(" {text} "));
        }
    }
}

pub(super) fn draw(state: &State, area: Rect, buffer: &mut Buffer) {
    let mut row = 0;
    if !state.orders.is_empty() {
        orders(state, area, buffer);
        row = 1;
    }
    if let (Some(notice), Some(mut pen)) = (&state.notice, Pen::on(state, area, row, buffer)) {
        pen.gap(1).put(notice.role, &notice.text);
    }
}

/// The newest order, and how many more there are.
fn orders(state: &State, area: Rect, buffer: &mut Buffer) {
    let mut shown = state.orders.shown();
    let Some(newest) = shown.next() else { return };
    let more = shown.count();
    let Some(mut pen) = Pen::on(state, area, 0, buffer) else { return };
    if more > 0 {
        pen.at_end(&[(Role::Dim, &format!("and {more} earlier "))]);
    }
    pen.gap(1).put(Role::Strong, newest.verb()).gap(1).put(Role::Text, &whom(newest)).gap(2);
    let (role, text) = progress(state, newest);
    pen.put(role, &text);
}

fn whom(order: &Order) -> String {
    match order.command.agents.as_slice() {
        [only] => only.clone(),
        several => format!("{} agents", several.len()),
    }
}

/// Requested, delivered, obeyed: as far as it is known.
fn progress(state: &State, order: &Order) -> (Role, String) {
    let waited = age(state.now.since(order.asked));
    match &order.stage {
        Stage::Sent if state.link.is_live() => {
            (Role::Warning, format!("sent, waiting for the collector {waited}"))
        }
        Stage::Sent => (
            Role::Alert,
            format!("no answer for {waited}: the link is lost, it is sent again when it is back"),
        ),
        Stage::Refused(why) => (Role::Alert, format!("REFUSED, nothing was done: {why}")),
        Stage::Taken { .. } => taken(state, order, &waited),
    }
}

fn taken(state: &State, order: &Order, waited: &str) -> (Role, String) {
    let slowest = order.obeyed_ms.values().max().copied().unwrap_or(0);
    let waiting: Vec<&str> = order.pending().collect();
    if waiting.is_empty() {
        return (Role::Healthy, format!("obeyed in {}", span(slowest)));
    }
    let draining = order.draining(&state.live);
    let text = match (order.command.agents.len(), draining.as_slice()) {
        (1, [one]) => alone(one, waited),
        (1, _) => format!("PENDING {waited}: durable, and given again until it is obeyed"),
        _ => several(&waiting, draining.len(), waited),
    };
    let text = match order.obeyed_ms.len() {
        0 => text,
        done => format!("{done} obeyed in {}, {text}", span(slowest)),
    };
    (Role::Warning, text)
}

/// An agent that has the order and still works.
fn alone(order: &CommandStatus, waited: &str) -> String {
    let tasks = if order.draining == 1 { "task" } else { "tasks" };
    let delivered = span(order.delivered_ms.unwrap_or_default());
    format!("delivered in {delivered}, DRAINING {waited}: {} {tasks} in flight", order.draining)
}

fn several(waiting: &[&str], draining: usize, waited: &str) -> String {
    let pending = waiting.len() - draining;
    let stages = match (pending, draining) {
        (0, _) => format!("{draining} DRAINING"),
        (_, 0) => format!("{pending} PENDING"),
        _ => format!("{pending} PENDING, {draining} DRAINING"),
    };
    let mut names = waiting[..waiting.len().min(MOST_NAMED)].join(", ");
    if waiting.len() > MOST_NAMED {
        names.push_str(", and others");
    }
    format!("{stages} {waited} ({names})")
}
