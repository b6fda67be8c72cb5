//! From the core's words to the operators'.

use heartline_fleet::{Action, AgentView, CommandRefusal, Identity, Reason, State, Target, Totals};
use heartline_operator::message as op;
use heartline_protocol::Phase;

use crate::clock::Anchor;

pub(super) fn vitals(view: &AgentView<'_>, anchor: Anchor) -> op::Vitals {
    let wall = |moment| anchor.wall_ms(moment);
    let standing = view.standing();
    op::Vitals {
        state: state(standing.state),
        reason: standing.reason.map(reason),
        since_ms: wall(view.since()),
        last_beat_ms: view.last_live().map(wall),
        progress_ms: view.progress_at().map(wall),
        oldest_task_ms: view.oldest_task_at().map(wall),
        in_flight: view.in_flight(),
        queue: view.queue(),
        step: view.step().map(ToOwned::to_owned),
        phase: phase(view.phase()),
        interval_ms: view.interval_ms(),
        session: view.session(),
        starts: view.starts(),
        beats: view.received(),
        lost: view.lost(),
        command: view.command().map(|command| op::CommandView {
            action: action(command.action),
            cause: reason(command.desired.cause),
            generation: command.desired.generation,
            by: command.desired.by.to_string(),
            reason: command.desired.reason.to_string(),
            at_ms: wall(command.desired.at),
            delivered_ms: command.desired.delivered_ms,
            obeyed_ms: command.desired.obeyed_ms,
            draining: command.draining,
            disobeyed: command.desired.disobeyed,
        }),
    }
}

pub(super) fn identity(identity: Option<&Identity>) -> op::Identity {
    let Some(identity) = identity else { return op::Identity::default() };
    let about = &identity.about;
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(ToOwned::to_owned);
    op::Identity {
        host: text(&about.host),
        pid: identity.pid,
        group: text(&about.group),
        version: text(&about.version),
        framework: text(&about.framework),
        sdk: text(&about.sdk),
        labels: about
            .labels
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect(),
        depends: about.depends.iter().map(ToString::to_string).collect(),
    }
}

pub(super) fn totals(totals: &Totals) -> op::Totals {
    op::Totals {
        ok: totals.ok,
        failed: totals.failed,
        cost_nano_usd: totals.cost_nano_usd,
        tokens_in: totals.tokens_in,
        tokens_out: totals.tokens_out,
    }
}

pub(super) fn state(state: State) -> op::State {
    match state {
        State::Healthy => op::State::Healthy,
        State::Degraded => op::State::Degraded,
        State::Unreachable => op::State::Unreachable,
        State::Killed => op::State::Killed,
        State::Unknown => op::State::Unknown,
    }
}

pub(super) fn reason(reason: Reason) -> op::Reason {
    match reason {
        Reason::Late => op::Reason::Late,
        Reason::Stalled => op::Reason::Stalled,
        Reason::Conflict => op::Reason::Conflict,
        Reason::Silent => op::Reason::Silent,
        Reason::OneWay => op::Reason::OneWay,
        Reason::Crashed => op::Reason::Crashed,
        Reason::Operator => op::Reason::Operator,
        Reason::Policy => op::Reason::Policy,
        Reason::Shutdown => op::Reason::Shutdown,
    }
}

fn phase(phase: Phase) -> op::Phase {
    match phase {
        Phase::Starting => op::Phase::Starting,
        Phase::Running => op::Phase::Running,
        Phase::Waiting => op::Phase::Waiting,
        Phase::Stopping => op::Phase::Stopping,
    }
}

fn action(action: Action) -> op::Action {
    match action {
        Action::Kill => op::Action::Kill,
        Action::Resume => op::Action::Resume,
    }
}

pub(super) fn target(target: Target) -> op::Target {
    op::Target {
        agent: target.agent.into(),
        generation: target.generation,
        state: state(target.state),
        changed: target.changed,
    }
}

pub(super) fn refusal(refusal: CommandRefusal) -> op::CommandRefusal {
    match refusal {
        CommandRefusal::UnknownAgents(agents) => op::CommandRefusal::UnknownAgents(agents),
        CommandRefusal::NoReason => op::CommandRefusal::NoReason,
        CommandRefusal::NoAgents => op::CommandRefusal::NoAgents,
        CommandRefusal::CountNotConfirmed { hits, expected } => {
            op::CommandRefusal::CountNotConfirmed { hits, expected }
        }
    }
}
