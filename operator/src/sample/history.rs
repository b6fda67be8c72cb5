//! The past of the sample fleet.

use heartline_vocabulary::{AgentRowId, AgentStatus, GapCause, Reason};

use super::{HOUR, MINUTE, NOW_MS, SECOND, healthy_agent, silent_agent};
use crate::message::{
    AgentHistory, ClockStep, FleetHistory, HistoryStep, IncidentContents, IncidentTexts,
    LatencyQuantiles, Outage, OutageFigures, OutageNote, PastAgent, PastFleet, PastGap, PastWork,
    StateTimes, Timeline, TimelineCell, TimelineRow,
};

/// Returns what an incident file of the sample fleet has in it.
pub fn incident_contents() -> IncidentContents {
    let texts = |count, first: &[&str]| IncidentTexts {
        count,
        first: first.iter().map(ToString::to_string).collect(),
    };
    IncidentContents {
        since_ms: NOW_MS - 2 * HOUR,
        until_ms: NOW_MS,
        is_redacted: false,
        bytes: 1_310_720,
        events: 812,
        outages: 3,
        notes: 1,
        gaps: 0,
        sessions: 53,
        rollups: 6_120,
        agents: texts(51, &["mail.1", "mail.2"]),
        hosts: texts(1, &["m3-gpu-01"]),
        labels: texts(0, &[]),
        operators: texts(1, &["ops@bastion"]),
        texts: texts(2, &["INC-482", "fetch_invoices"]),
    }
}

/// Returns an outage that is over, a long one that was not observed all the time, and one that goes on.
pub fn outages() -> Vec<Outage> {
    let outage = |id: i64, agent: &str| Outage {
        id,
        agent: agent.to_owned(),
        identity: healthy_agent(1, agent).identity,
        start_ms: NOW_MS - 3 * HOUR,
        end_ms: Some(NOW_MS - 3 * HOUR + 87 * SECOND),
        unobserved_ms: 0,
        worst: AgentStatus::degraded(Reason::Late),
        cause: Some("3 beats missed (interval 15s)".to_owned()),
        step: Some("fetch_invoices".to_owned()),
        missed_beats: 8,
        notes: Vec::new(),
    };
    let note = |acknowledges: bool, words: &str| OutageNote {
        at_ms: NOW_MS - 30 * MINUTE,
        by: "ops@bastion".to_owned(),
        acknowledges,
        words: words.to_owned(),
    };
    vec![
        outage(5, "inventory-sync"),
        Outage {
            start_ms: NOW_MS - 2 * HOUR,
            end_ms: Some(NOW_MS - HOUR),
            unobserved_ms: 13 * SECOND.cast_unsigned(),
            worst: AgentStatus::unreachable(Reason::Crashed),
            cause: Some("exit code 3: KeyError: 'total'".to_owned()),
            missed_beats: 0,
            step: None,
            notes: vec![note(true, ""), note(false, "INC-482: the invoice API changed")],
            ..outage(6, "email-responder")
        },
        Outage {
            start_ms: NOW_MS - 6 * MINUTE - 12 * SECOND,
            end_ms: None,
            worst: AgentStatus::unreachable(Reason::Silent),
            cause: Some("10 beats missed (interval 15s)".to_owned()),
            missed_beats: 27,
            ..outage(7, "report-generator")
        },
    ]
}

/// Returns two agents as they were an hour ago, in the middle of a gap.
pub fn past_fleet() -> PastFleet {
    let at_ms = NOW_MS - HOUR;
    let agent = |id: i64, entry: crate::message::AgentEntry, status, since_ms| PastAgent {
        id: AgentRowId(id),
        agent: entry.agent,
        identity: entry.identity,
        status,
        since_ms,
        starts: 2,
        work: entry.work,
    };
    let silent = AgentStatus::unreachable(Reason::Silent);
    PastFleet {
        at_ms,
        gap: Some(PastGap {
            from_ms: at_ms - 3 * SECOND,
            to_ms: at_ms + 10 * SECOND,
            cause: GapCause::Down,
        }),
        work: PastWork::HourOf,
        agents: vec![
            agent(1, healthy_agent(1, "order-processor"), AgentStatus::HEALTHY, at_ms - 5 * HOUR),
            agent(2, silent_agent(2, "report-generator"), silent, at_ms - 2 * MINUTE),
        ],
    }
}

/// Returns an hour of an agent that was late for four minutes and silent for one, in cells of a minute, while
/// the collector did not observe two.
pub fn timeline() -> Timeline {
    let minute = MINUTE.cast_unsigned();
    let up = TimelineCell {
        worst: Some(AgentStatus::HEALTHY),
        worst_agents: 1,
        up_ms: minute,
        ..TimelineCell::default()
    };
    let bad =
        |worst, bad_ms| TimelineCell { worst: Some(worst), up_ms: minute - bad_ms, bad_ms, ..up };
    let (late, silent) =
        (AgentStatus::degraded(Reason::Late), AgentStatus::unreachable(Reason::Silent));
    let (mut agent, mut collector) = (TimelineRow::default(), TimelineRow::default());
    for at in 0..60 {
        let gap = TimelineCell { unobserved_ms: minute, ..TimelineCell::default() };
        agent.push(match at {
            12 | 13 => gap,
            30..34 => bad(late, minute),
            34 => bad(silent, minute),
            50 => bad(late, 900),
            _ => up,
        });
        collector.push(if matches!(at, 12 | 13) { gap } else { up });
    }
    Timeline {
        from_ms: NOW_MS - HOUR,
        cell_ms: MINUTE,
        now_ms: NOW_MS,
        first_ms: Some(NOW_MS - 30 * 24 * HOUR),
        rows: vec![agent],
        collector,
        clock_steps: vec![ClockStep { at_ms: NOW_MS - 8 * MINUTE, by_ms: -2 * MINUTE }],
    }
}

/// Returns the last four hours of an agent that was out in the second, not known in the first, and not
/// observed for a while in the third.
pub fn agent_history() -> AgentHistory {
    let hour = HOUR.cast_unsigned();
    let from_ms = NOW_MS.div_euclid(HOUR) * HOUR - 3 * HOUR;
    let working = |at: i64, state_ms: StateTimes| HistoryStep {
        at_ms: from_ms + at * HOUR,
        beats: 240,
        lost: 1,
        ok: 2_401,
        failed: 12,
        latency: Some(LatencyQuantiles {
            p50: 211_000,
            p90: 480_000,
            p95: 640_000,
            p99: 1_100_000,
            max: 9_800_000,
        }),
        cost_nano_usd: 880_000_000,
        tokens_in: 1_092_000,
        tokens_out: 126_000,
        state_ms,
        outages: u64::from(state_ms.unreachable > 0),
    };
    let minutes = |count: u64| count * MINUTE.cast_unsigned();
    let (out, gap) = (minutes(6), minutes(2));
    let out = StateTimes {
        healthy: hour - 2 * out,
        degraded: out - gap,
        unreachable: out,
        unobserved: gap,
        ..StateTimes::default()
    };
    let healthy = StateTimes { healthy: hour, ..StateTimes::default() };
    let killed = StateTimes { killed: hour, ..StateTimes::default() };
    let idle =
        HistoryStep { at_ms: from_ms + 3 * HOUR, state_ms: killed, ..HistoryStep::default() };
    let unknown = HistoryStep { at_ms: from_ms, ..HistoryStep::default() };
    let mut all = StateTimes::default();
    [out, healthy, killed].iter().for_each(|times| all.add_all(times));
    AgentHistory {
        agent: "order-processor".to_owned(),
        from_ms,
        to_ms: from_ms + 4 * HOUR,
        step_ms: HOUR,
        steps: vec![unknown, working(1, out), working(2, healthy), idle],
        total: HistoryStep {
            beats: 480,
            lost: 2,
            ok: 4_802,
            failed: 24,
            cost_nano_usd: 1_760_000_000,
            ..working(0, all)
        },
        chart: None,
    }
}

/// Returns the same hours of two such agents, one of which was not out.
pub fn fleet_history() -> FleetHistory {
    let AgentHistory { from_ms, to_ms, step_ms, mut steps, mut total, .. } = agent_history();
    let hour = HOUR.cast_unsigned();
    for step in steps.iter_mut().chain([&mut total]) {
        step.ok *= 2;
        step.cost_nano_usd *= 2;
        step.state_ms.healthy += hour;
    }
    total.state_ms.healthy += 3 * hour;
    FleetHistory {
        agents: 2,
        from_ms,
        to_ms,
        step_ms,
        latencies: vec![Vec::new(), vec![(400, 2), (512, 7)], vec![(420, 1)], Vec::new()],
        steps,
        total,
        outages: OutageFigures {
            count: 2,
            began: 1,
            ended: 1,
            repair_ms: 12 * MINUTE.cast_unsigned(),
        },
    }
}
