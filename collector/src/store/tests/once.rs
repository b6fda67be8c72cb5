//! Work is counted exactly once.

use super::*;

#[test]
fn a_stored_segment_is_not_counted_again() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    opened.record([segment(1, 1, 7, 1), segment(2, 1, 7, 2), segment(3, 1, 7, 2)]);
    assert_eq!(opened.wait_stored(3), [3], "known within one transaction");
    opened.record([segment(4, 1, 7, 1), segment(5, 1, 7, 3), segment(6, 1, 8, 1)]);
    assert_eq!(opened.wait_stored(6), [4], "and from an earlier one; another session counts");
    let opened = opened.again(&dir);
    opened.record([segment(1, 1, 7, 3)]);
    assert_eq!(opened.wait_stored(1), [1], "and after a restart");
    let opened = opened.again(&dir);
    let agent = opened.agent(1);
    assert_eq!((agent.totals.ok, agent.totals.failed), (4, 4));
    assert_eq!(agent.totals.cost_nano_usd, 40_000_000);
    assert_eq!((agent.totals.tokens_in, agent.totals.tokens_out), (12, 16));
}

#[test]
fn work_windows_add_up_what_was_counted() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    register(&opened, 2, "agent-2");
    // ZERO is at 14:30: yesterday, this morning, within the hour, 15, 1 and 0 minutes ago.
    let minute = 60_000;
    let times = [-20 * 60, -5 * 60, -59, -60, -15, -1, 0];
    for (segment, minutes) in (1..).zip(times) {
        opened.record([segment_at(segment, 1, 7, segment, minutes * minute)]);
    }
    opened.wait_stored(7);
    let mut reader = reader(&dir);
    let (works, last) = reader.work(AgentRowId(1), 2, ZERO_MS).unwrap();
    let work = &works[&AgentRowId(1)];
    assert_eq!((work.window_ms, work.ok, work.failed), (3_600_000, 4, 4));
    assert_eq!((work.cost_nano_usd, work.tokens_in, work.tokens_out), (40_000_000, 12, 16));
    assert_eq!(work.cost_today_nano_usd, 60_000_000, "all but yesterday's");
    assert_eq!(work.per_minute, [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    let latency = work.latency.unwrap();
    assert!(latency.p50.abs_diff(100_000) * 60 < 100_000, "{latency:?}");
    assert_eq!(latency.p50, latency.max);

    let asked = reader.work_of(&[AgentRowId(1), AgentRowId(2)], ZERO_MS).unwrap();
    assert_eq!(&asked[&AgentRowId(1)], work, "however it is asked for");
    assert_eq!((asked[&AgentRowId(2)].ok, &asked[&AgentRowId(2)].latency), (0, &None));
    assert!(!works.contains_key(&AgentRowId(2)));
    assert_eq!(last, AgentRowId(2));
    let (_, last) = reader.work(AgentRowId(2), 2, ZERO_MS).unwrap();
    assert_eq!(last, AgentRowId(i64::MAX), "no agent is behind these");
}
