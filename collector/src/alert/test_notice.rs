//! The notice by which somebody tries a sink.

use heartline_operator::message::{Incident, IncidentScope, MemberCounts, Notice};
use heartline_vocabulary::{AgentStatus, IncidentId, NoticeId, NoticeKind, ScopeKind, Severity};

/// Returns a notice that tells of nothing.
pub(super) fn test_notice(sink: &str, now_ms: i64) -> Notice {
    let id = IncidentId(now_ms.unsigned_abs());
    let incident = Incident {
        id,
        scope: IncidentScope { kind: ScopeKind::Sink, name: sink.to_owned() },
        severity: Severity::Warning,
        worst: AgentStatus::HEALTHY,
        opened_ms: now_ms,
        ended_ms: None,
        cause_from_ms: now_ms,
        cause_to_ms: now_ms,
        counts: MemberCounts::default(),
        members: Vec::new(),
        acknowledged: None,
        outages: 0,
        merged_into: None,
        shortage: None,
        remark: None,
    };
    let id = NoticeId { incident: id, number: 1 };
    Notice { id, kind: NoticeKind::Test, at_ms: now_ms, incident, listed: Vec::new() }
}
