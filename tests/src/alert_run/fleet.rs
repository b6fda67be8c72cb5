//! Agents that fall silent and come back, each on its own.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use heartline_protocol::body::IdentityView;
use heartline_protocol::wire::UntrustedText;
use heartline_protocol::{Beat, Token};
use tokio::time::Instant;

use crate::harness::ScriptedAgent;

const AGENTS: usize = 40;
const INTERVAL_MS: u32 = 100;
/// A turn of the loop.
const TURN: Duration = Duration::from_millis(20);

struct ErraticAgent {
    agent: ScriptedAgent,
    host: String,
    next_beat: Instant,
    /// It is silent until then.
    silent_until: Instant,
}

/// Runs until it is over, and then until everybody is well again for a while.
pub(super) fn run(address: SocketAddr, token: &Token, seed: u64, is_over: &AtomicBool) {
    let mut rng = Rng::with_seed(seed);
    let begin = Instant::now();
    let mut agents: Vec<ErraticAgent> = (0..AGENTS)
        .map(|n| ErraticAgent {
            agent: ScriptedAgent::new(address, token.clone(), &format!("agent-{n}"), rng.u64(..)),
            // Two on each host are one incident where they fall together.
            host: format!("host-{}", n / 2),
            next_beat: begin,
            silent_until: begin,
        })
        .collect();
    let mut calm_since = None;
    loop {
        let now = Instant::now();
        if is_over.load(Ordering::SeqCst) {
            let since = *calm_since.get_or_insert(now);
            if now.duration_since(since) > Duration::from_secs(6) {
                return;
            }
        } else if rng.u32(0..25) == 0 {
            // About two a second, silent for longer than three intervals.
            let silent_for = Duration::from_millis(rng.u64(400..1_500));
            agents[rng.usize(0..AGENTS)].silent_until = now + silent_for;
        }
        for agent in &mut agents {
            agent.turn(now, calm_since.is_some());
        }
        thread::sleep(TURN);
    }
}

impl ErraticAgent {
    fn turn(&mut self, now: Instant, is_calm: bool) {
        let mut is_asked = false;
        while let Some(ack) = self.agent.receive() {
            is_asked |= ack.unconfirmed;
        }
        let is_silent = now < self.silent_until && !is_calm;
        if is_silent || (now < self.next_beat && !is_asked) {
            return;
        }
        self.next_beat = now + Duration::from_millis(u64::from(INTERVAL_MS));
        let identity =
            IdentityView { host: Some(UntrustedText::new(&self.host)), ..IdentityView::default() };
        let beat = Beat {
            interval_ms: INTERVAL_MS,
            uptime_ms: 1,
            identity: Some(Box::new(identity)),
            ..Beat::default()
        };
        let datagram = self.agent.seal(|out| beat.write(out));
        self.agent.send(&datagram);
    }
}
