//! Alerts under fire: agents fall silent and come back, the sink fails at random, and the collector is killed again
//! and again. Afterwards every outage must have been told, and nothing may be missing.

mod fleet;
mod verify;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;

use crate::harness::{CollectorProcess, TestEnvironment, WebhookServer, poll_for};

pub use verify::AlertAccount;

/// Longest wait for the last notices.
const SETTLED_WITHIN: Duration = Duration::from_secs(150);

/// A collector, a webhook and a fleet.
pub struct AlertRun {
    env: TestEnvironment,
    webhook: WebhookServer,
    collector: CollectorProcess,
    address: SocketAddr,
    rng: Rng,
}

impl AlertRun {
    /// Starts a collector whose alerts go to a webhook, without any hold.
    ///
    /// # Panics
    /// If something can't be started.
    pub fn start(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let webhook = WebhookServer::start(rng.u64(..));
        let env = TestEnvironment::new();
        env.configure(&format!(
            "[health]\nlate_factor = 2.0\nunreachable_factor = 3.0\n\
             [alerts]\nrecovery_hold = \"0s\"\ngroup_hold_max = \"0s\"\n\
             storm = {{ after = 1000000 }}\nflapping = {{ start = 900.0, cap = 900.0 }}\n\
             [[sink]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"{}\"\n\
             [[route]]\nto = [\"hook\"]\n",
            webhook.url()
        ));
        let collector = env.start_collector();
        let address = collector.address();
        Self { env, webhook, collector, address, rng }
    }

    /// Lets a fleet come and go while the sink fails in `failing` percent of all requests, and kills the collector so
    /// often, at random moments; then lets everything come to rest, and returns what was told.
    ///
    /// # Panics
    /// If the collector does not start again, or does not come to rest.
    pub fn kill(mut self, kills: u32, failing: u32) -> AlertAccount {
        let is_over = Arc::new(AtomicBool::new(false));
        let (token, address, seed) = (self.env.token(), self.address, self.rng.u64(..));
        let shared = Arc::clone(&is_over);
        let fleet = thread::spawn(move || fleet::run(address, &token, seed, &shared));
        self.webhook.fail(failing);
        // Until the first outages.
        thread::sleep(Duration::from_secs(3));
        for _ in 0..kills {
            thread::sleep(Duration::from_millis(self.rng.u64(20..=1_500)));
            self.collector.kill_9();
            thread::sleep(Duration::from_millis(self.rng.u64(0..=150)));
            self.collector = self.env.start_collector_at(self.address);
        }
        if kills == 0 {
            thread::sleep(Duration::from_secs(20));
        }
        is_over.store(true, Ordering::SeqCst);
        fleet.join().expect("the fleet ends");
        self.webhook.fail(0);
        if kills > 0 {
            // Without the back-off that the failures have earned.
            self.collector.kill_9();
            self.collector = self.env.start_collector_at(self.address);
        }
        let is_settled = || verify::is_settled(&self.env.data_dir()).then_some(());
        poll_for(SETTLED_WITHIN, is_settled).expect("everything is told in the end");
        AlertAccount::read(&self.env.data_dir(), &self.webhook.received())
    }
}
