//! Facts by which a template is tried before it is used: every kind of notice of every scope, once with all that may
//! be there, and once with nothing of it.

use std::sync::LazyLock;

use heartline_vocabulary::{NoticeKind, ScopeKind, Severity, State};

use super::facts::{IncidentFacts, MemberFacts, NoticeFacts, TemplateFacts};

static SAMPLES: LazyLock<Vec<TemplateFacts>> = LazyLock::new(|| {
    let of_scope = |kind: NoticeKind| ScopeKind::ALL.into_iter().map(move |scope| (kind, scope));
    let all = NoticeKind::ALL.into_iter().flat_map(of_scope);
    let both = all.flat_map(|(kind, scope)| [full(kind, scope), bare(kind, scope)]);
    both.map(|facts| TemplateFacts::from(&facts)).collect()
});

/// Returns the facts of the samples.
pub(super) fn samples() -> &'static [TemplateFacts] {
    &SAMPLES
}

/// Returns facts that have all that may be there.
pub(super) fn full(kind: NoticeKind, scope: ScopeKind) -> NoticeFacts {
    let text = |text: &str| Some(text.to_owned());
    let member = MemberFacts {
        host: text("m3"),
        reason: Some("silent"),
        lasted: text("4 min"),
        lasted_ms: Some(240_000),
        cause: text("10 beats missed (interval 30s)"),
        step: text("fetch"),
        last_beat: text("13:57:31 UTC"),
        last_beat_ms: Some(0),
        affected: true,
        ..bare_member()
    };
    let listed = IncidentFacts {
        reason: Some("silent"),
        trouble: text("UNREACHABLE"),
        ended: text("14:06:31 UTC"),
        ended_ms: Some(240_000),
        ..bare_incident()
    };
    NoticeFacts {
        incident: IncidentFacts {
            severity: Severity::Critical.name(),
            scope: scope.name(),
            ..listed.clone()
        },
        agent: text("mail.7"),
        host: text("m3"),
        group: text("mail"),
        why: text("10 beats missed (interval 30s)"),
        last: text("step \"fetch\""),
        reach: text("only this one of 12 on m3"),
        remark: text("HTTP 404"),
        acknowledged_by: text("ann@desk"),
        acknowledged_at: text("14:03:31 UTC"),
        members: vec![member, bare_member()],
        incidents: vec![listed, bare_incident()],
        merged_into: text("tp55kh"),
        see: text("heartline agent mail.7"),
        quiet: text("heartline ack tp55kg"),
        late: true,
        may_be_repeat: true,
        stored: false,
        ..bare(kind, scope)
    }
}

/// Returns facts that have nothing but what is always there.
pub(super) fn bare(kind: NoticeKind, scope: ScopeKind) -> NoticeFacts {
    NoticeFacts {
        title: "mail.7 on m3: UNREACHABLE since 14:02:31 UTC (4 min)".to_owned(),
        body: "Why    10 beats missed (interval 30s)\nSee    heartline agent mail.7".to_owned(),
        kind: kind.name(),
        incident: IncidentFacts {
            state: State::Healthy.name(),
            scope: scope.name(),
            about: "mail.7 on m3".to_owned(),
            ..bare_incident()
        },
        agent: None,
        host: None,
        group: None,
        at: "14:06:31 UTC".to_owned(),
        at_ms: 240_000,
        why: None,
        last: None,
        reach: None,
        remark: None,
        acknowledged_by: None,
        acknowledged_at: None,
        affected: 0,
        outages: 0,
        members: Vec::new(),
        incidents: Vec::new(),
        left_off: 0,
        merged_into: None,
        see: None,
        quiet: None,
        collector: "collector.example".to_owned(),
        sink: "ops".to_owned(),
        late: false,
        may_be_repeat: false,
        stored: true,
    }
}

fn bare_member() -> MemberFacts {
    MemberFacts {
        agent: "mail.7".to_owned(),
        host: None,
        state: State::Unreachable.name(),
        reason: None,
        since: "14:02:31 UTC".to_owned(),
        since_ms: 0,
        lasted: None,
        lasted_ms: None,
        cause: None,
        step: None,
        last_beat: None,
        last_beat_ms: None,
        interval_ms: 30_000,
        in_flight: 1,
        affected: false,
    }
}

fn bare_incident() -> IncidentFacts {
    IncidentFacts {
        id: "tp55kg".to_owned(),
        severity: Severity::Warning.name(),
        state: State::Unreachable.name(),
        reason: None,
        scope: ScopeKind::Agent.name(),
        name: "mail.7".to_owned(),
        about: "mail.7 on m3".to_owned(),
        trouble: None,
        since: "14:02:31 UTC".to_owned(),
        since_ms: 0,
        ended: None,
        ended_ms: None,
        lasted: "4 min".to_owned(),
        lasted_ms: 240_000,
        in_trouble: 1,
        total: 1,
        of: 12,
    }
}
