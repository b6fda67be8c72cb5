use heartline_operator::message::Notice;
use heartline_vocabulary::{NoticeKind, ScopeKind};
use jiff::tz::TimeZone;

use super::*;
use crate::{Delivery, Form, sample};

fn delivery(notices: &[Notice]) -> Delivery<'_> {
    static UTC: TimeZone = TimeZone::UTC;
    let (form, is_repeat, is_stored) = (Form::Full, false, true);
    Delivery { notices, form, is_repeat, is_stored, now_ms: sample::NOW_MS, zone: &UTC }
}

fn text(delivery: &Delivery<'_>) -> String {
    let message = Message::of(delivery, &sample::label()).unwrap();
    let format = TextFormat { limit: 4_000, measure: utf16, escape: verbatim };
    format!("[{}] {}\n", message.tone.name(), format.whole(&message))
}

#[test]
fn every_kind_of_notice_reads_well() {
    let mut all = String::new();
    for kind in NoticeKind::ALL {
        all += &format!("--- {}\n{}", kind.name(), text(&delivery(&[sample::notice(kind)])));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn every_scope_reads_well_when_it_begins_and_when_it_ends() {
    let mut all = String::new();
    for scope in ScopeKind::ALL {
        for kind in [NoticeKind::Opened, NoticeKind::Resolved] {
            let notice = sample::notice_of(kind, scope);
            all += &format!("--- {} {}\n{}", scope.name(), kind.name(), text(&delivery(&[notice])));
        }
    }
    insta::assert_snapshot!(all);
}

#[test]
fn what_is_told_late_or_again_says_so() {
    let stale = [NoticeKind::Opened, NoticeKind::Updated, NoticeKind::Resolved].map(sample::notice);
    let mut all = format!("--- late, over\n{}", text(&delivery(&stale)));
    all += &format!("--- late, goes on\n{}", text(&delivery(&stale[..2])));
    let again = Delivery { is_repeat: true, is_stored: false, ..delivery(&stale[..1]) };
    all += &format!("--- again, not stored\n{}", text(&again));
    let plain = Delivery { form: Form::Plain, ..delivery(&stale[..1]) };
    all += &format!("--- plain\n{}", text(&plain));
    let mut acknowledged = sample::notice(NoticeKind::Updated);
    acknowledged.incident.acknowledged = Some(sample::acknowledgement());
    all += &format!("--- acknowledged\n{}", text(&delivery(&[acknowledged])));
    insta::assert_snapshot!(all);
}

#[test]
fn a_recovery_repeats_nothing_of_the_trouble() {
    for scope in ScopeKind::ALL.into_iter().filter(|it| *it != ScopeKind::Sink) {
        let text = text(&delivery(&[sample::notice_of(NoticeKind::Resolved, scope)]));
        for word in ["UNREACHABLE", "beats missed", "critical"] {
            assert!(!text.contains(word), "{text}");
        }
    }
}

#[test]
fn a_long_list_is_cut_with_its_count_and_a_command() {
    let mut notice = sample::notice_of(NoticeKind::Opened, ScopeKind::Host);
    let member = notice.incident.members[0].clone();
    notice.incident.members = vec![member; 50];
    notice.incident.counts.total = 9_000;
    notice.incident.counts.in_trouble = 9_000;
    let notices = [notice];
    let message = Message::of(&delivery(&notices), &sample::label()).unwrap();
    for limit in [400, 1_024, 3_000, 20_000] {
        let body = TextFormat { limit, measure: utf16, escape: verbatim }.body(&message);
        let listed = body.lines().filter(|it| it.starts_with("- ")).count();
        let last = body.lines().last().unwrap();
        if listed > 0 || limit > 400 {
            let rest =
                format!("… and {} more: heartline --ssh ops@collector incidents ", 9_000 - listed);
            assert!(last.starts_with(&rest), "{limit}: {last}");
        }
        assert!(utf16(&body) <= limit);
    }
}

#[test]
fn a_name_that_a_shell_would_read_is_in_no_command() {
    let mut notice = sample::notice(NoticeKind::Opened);
    notice.incident.scope.name = "a; rm -rf /".to_owned();
    let text = text(&delivery(&[notice]));
    assert!(!text.contains("agent a;") && text.contains("incidents tp55kg"), "{text}");
}
