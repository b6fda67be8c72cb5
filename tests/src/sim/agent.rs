//! An agent: its processes, one after the other or by mistake two at a time, and the file in which
//! they remember a kill.

use fastrand::Rng;
use heartline_engine::{AgentKeys, DesiredState, EngineConfig, IdentityConfig};
use heartline_fleet::MonoTime;
use heartline_protocol::{AgentName, Token, TokenScope};

use super::process::Process;
use super::shell::{EPOCH, master};

/// An agent.
#[derive(Debug)]
pub(super) struct Agent {
    /// Its id.
    pub(super) name: AgentName,
    /// Those of its processes that run, the oldest first.
    pub(super) processes: Vec<Process>,
    /// What the file says: it outlives every process.
    pub(super) remembered: DesiredState,
    /// Every session that it ever had.
    pub(super) sessions: Vec<u64>,
    keys: AgentKeys,
    ports: u16,
}

impl Agent {
    pub(super) fn new(number: usize) -> Self {
        let name = AgentName::new(&format!("agent-{number}")).expect("a valid name");
        let token = Token {
            epoch: EPOCH,
            scope: TokenScope::default(),
            key: master().scope_key(EPOCH, ""),
        };
        let keys = AgentKeys::new(&token, &name).expect("the token covers all");
        Self {
            name,
            processes: Vec::new(),
            remembered: DesiredState::default(),
            sessions: Vec::new(),
            keys,
            ports: 1_000,
        }
    }

    /// Starts a process.
    pub(super) fn start(&mut self, interval_ms: u32, now: MonoTime, rng: &mut Rng) {
        self.ports += 1;
        let config = EngineConfig {
            interval_ms,
            identity: IdentityConfig {
                host: Some("machine-1".to_owned()),
                ..IdentityConfig::default()
            },
            desired: self.remembered,
            ..EngineConfig::new(self.name.clone(), self.keys.clone(), rng.u64(..))
        };
        self.sessions.push(config.session);
        self.processes.push(Process::new(config, self.ports, now, rng));
    }

    /// A process has applied a desired state: the file says so before anything is sent.
    pub(super) fn remember(&mut self, desired: DesiredState) {
        if desired.generation > self.remembered.generation {
            self.remembered = desired;
        }
    }
}
