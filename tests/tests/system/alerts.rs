//! Alerts arrive, whatever becomes of the collector and the sink.

use heartline_tests::alert_run::AlertRun;

#[test]
fn every_outage_is_told_although_the_collector_is_killed_and_the_sink_fails() {
    let account = AlertRun::start(20_261_127).kill(25, 40);
    println!("{account:?}");
    assert!(account.outages > 20 && account.notices > 40, "{account:?}");
    assert_eq!(account.missing, Vec::<String>::new());
    assert_eq!(account.ambiguous, Vec::<String>::new());
}
