//! A subscriber that panics or hangs, as one that writes to a closed or full pipe does.

mod collector;

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use heartline::{Builder, EmitterProblem, Heartline};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use self::collector::{TestCollector, until};

/// Messages that the subscriber has panicked on, and that it hangs on.
static PANICKED: AtomicU32 = AtomicU32::new(0);
static HANGING: AtomicU32 = AtomicU32::new(0);

/// Panics on the first message of each thread, and hangs on the others.
struct HarmfulSubscriber;

impl Subscriber for HarmfulSubscriber {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        thread_local!(static MESSAGES: AtomicU32 = const { AtomicU32::new(0) });
        if MESSAGES.with(|messages| messages.fetch_add(1, Ordering::SeqCst)) == 0 {
            PANICKED.fetch_add(1, Ordering::SeqCst);
            panic!("nobody reads the log");
        }
        HANGING.fetch_add(1, Ordering::SeqCst);
        loop {
            thread::park();
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn is_silent(hb: &Heartline) -> bool {
    let problems = hb.status().problems;
    problems.iter().any(|problem| matches!(problem, EmitterProblem::Unanswered { .. }))
}

#[test]
fn beats_go_on_whatever_the_subscriber_does() {
    tracing::subscriber::set_global_default(HarmfulSubscriber).unwrap();
    let (mut collector, state) = (TestCollector::start(), tempfile::tempdir().unwrap());
    let start = |name: &str| {
        Builder::new(name)
            .collector(collector.address())
            .token(collector.token("mail."))
            .interval(Duration::from_millis(100))
            .state_dir(state.path())
    };
    // A problem at the start is logged on this thread, which must not see the panic either.
    let hb = start("mail.3").depends_on("Not A Name").start();
    assert_eq!(PANICKED.load(Ordering::SeqCst), 1);
    until("the agent is live", || collector.received().beats > 0);

    for outage in 1..=2 {
        collector.stop();
        until("the outage is noticed", || is_silent(&hb));
        until("the outage is logged", || match outage {
            1 => PANICKED.load(Ordering::SeqCst) == 2,
            _ => HANGING.load(Ordering::SeqCst) == 1,
        });
        collector.restart();
        collector.beats(2);
        until("the outage is over", || !is_silent(&hb));
    }
    collector.command(1, true);
    until("a kill is obeyed", || hb.killed());
    drop(hb);
    assert!(collector.received().goodbye);
}
