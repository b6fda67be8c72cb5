//! Events of the sample fleet.

use super::{MINUTE, NOW_MS, SECOND};
use crate::message::{Event, EventKind};
use heartline_vocabulary::{Action, GapCause, Reason, State};

/// Returns what happened to [`fleet`](super::fleet) in one morning, oldest first.
pub fn events() -> Vec<Event> {
    let gap = EventKind::Gap {
        from_ms: NOW_MS - 24 * MINUTE - 14 * SECOND,
        to_ms: NOW_MS - 24 * MINUTE,
        cause: GapCause::Down,
    };
    let order = EventKind::Command {
        action: Action::Kill,
        generation: 4,
        by: "ops@bastion".to_owned(),
        reason: "cost loop, INC-482".to_owned(),
    };
    let obeyed = EventKind::Obeyed {
        action: Action::Kill,
        generation: 4,
        delivered_ms: 8,
        obeyed_ms: 1_200,
    };
    let silent = transition(
        (State::Degraded, Reason::Late),
        (State::Unreachable, Reason::Silent),
        "24 beats missed (interval 15s)",
    );
    let stalled = transition(
        (State::Healthy, Reason::Late),
        (State::Degraded, Reason::Stalled),
        "beats arrive, but no progress for 5m00s with 1 task in flight",
    );
    let late = transition(
        (State::Healthy, Reason::Late),
        (State::Degraded, Reason::Late),
        "3 beats missed (interval 15s)",
    );
    let killed = transition(
        (State::Healthy, Reason::Late),
        (State::Killed, Reason::Operator),
        "killed: \"cost loop, INC-482\"",
    );
    [
        (80, Some("mail.2"), EventKind::Registered),
        (75, Some("mail.2"), EventKind::Session { session: 0x77c0_1234_0000_0001, starts: 2 }),
        (24, None, gap),
        (23, Some("scraper-eu"), order),
        (23, Some("scraper-eu"), killed),
        (23, Some("scraper-eu"), obeyed),
        (7, Some("report-generator"), late.clone()),
        (6, Some("report-generator"), silent),
        (2, Some("inventory-sync"), stalled),
        (0, Some("email-responder"), late),
    ]
    .into_iter()
    .zip(1..)
    .map(|((minutes, agent, kind), cursor)| Event {
        cursor,
        at_ms: NOW_MS - minutes * MINUTE - 12_796 + cursor,
        agent: agent.map(str::to_owned),
        kind,
    })
    .collect()
}

fn transition(from: (State, Reason), to: (State, Reason), cause: &str) -> EventKind {
    EventKind::Transition {
        from: from.0,
        from_reason: Some(from.1).filter(|_| from.0 != State::Healthy),
        to: to.0,
        reason: Some(to.1),
        lasted_ms: Some(4_320_000),
        by: (to.0 == State::Killed).then(|| "ops@bastion".to_owned()),
        cause: Some(cause.to_owned()),
        last_lines: Vec::new(),
    }
}

/// Returns the transition of an agent whose beats are late.
pub fn late_transition() -> EventKind {
    EventKind::Transition {
        from: State::Healthy,
        from_reason: None,
        to: State::Degraded,
        reason: Some(Reason::Late),
        lasted_ms: Some(4_320_000),
        by: None,
        cause: Some("3 beats missed (interval 30s)".into()),
        last_lines: Vec::new(),
    }
}

/// Returns the transition of an agent whose process has crashed.
pub fn crash() -> EventKind {
    let lines = [
        "Traceback (most recent call last):",
        "  File \"/srv/agents/totals.py\", line 41, in <module>",
        "    total = invoice[\"total\"]",
        "            ~~~~~~~^^^^^^^^^",
        "KeyError: 'total'",
    ];
    EventKind::Transition {
        from: State::Healthy,
        from_reason: None,
        to: State::Unreachable,
        reason: Some(Reason::Crashed),
        lasted_ms: Some(4_320_000),
        by: None,
        cause: Some("exit code 1: KeyError: 'total'".into()),
        last_lines: lines.map(str::to_owned).to_vec(),
    }
}

/// Returns one event of every kind, a second transition, without a cause, and a crash.
pub fn events_of_every_kind() -> Vec<Event> {
    let (by, reason) = (String::from("root@host"), String::from("INC-482"));
    let event = |cursor, kind| {
        let agent = Some(String::from("mail.7"));
        Event { cursor, at_ms: NOW_MS - 60_880, agent, kind }
    };
    let command = |action, generation| EventKind::Command {
        action,
        generation,
        by: by.clone(),
        reason: reason.clone(),
    };
    let gap = EventKind::Gap {
        from_ms: NOW_MS - 90_000,
        to_ms: NOW_MS - 61_000,
        cause: GapCause::KernelDrops,
    };
    let kinds = [
        EventKind::Registered,
        EventKind::Session { session: 0x19d2, starts: 2 },
        late_transition(),
        EventKind::Transition {
            from: State::Degraded,
            from_reason: Some(Reason::Late),
            to: State::Unreachable,
            reason: Some(Reason::Silent),
            lasted_ms: Some(42_000),
            by: None,
            cause: None,
            last_lines: Vec::new(),
        },
        command(Action::Kill, 4),
        command(Action::Resume, 5),
        EventKind::Obeyed {
            action: Action::Kill,
            generation: 4,
            delivered_ms: 3,
            obeyed_ms: 1_240,
        },
        EventKind::Disobeyed { generation: 4 },
        EventKind::Forgotten { by: by.clone() },
        crash(),
    ];
    let mut events: Vec<_> = (1..).zip(kinds).map(|(cursor, kind)| event(cursor, kind)).collect();
    let clock_step = EventKind::ClockStep { by_ms: -3_720_000 };
    events.push(Event { agent: None, ..event(11, gap) });
    events.push(Event { agent: None, ..event(12, clock_step) });
    events.push(event(
        13,
        EventKind::Budget {
            budget: "mail-day".to_owned(),
            percent: 75,
            words: "$37.60 of $50.00 a day (75 %); step \"fetch\"; kills at 100 %".to_owned(),
        },
    ));
    events
}
