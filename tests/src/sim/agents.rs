//! The agents' side of a run.

use heartline_engine::DesiredState;

use super::network::{Packet, agent_at};
use super::violation::{Checked, hold};
use super::world::World;

impl World {
    pub(super) fn start_agent(&mut self, agent: usize) {
        if !self.agents[agent].processes.is_empty() {
            return;
        }
        self.start_process(agent);
    }

    /// Starts a process, whether or not there is one already.
    pub(super) fn start_process(&mut self, agent: usize) {
        let interval_ms = self.plan.interval_ms(&mut self.rng);
        let healed = self.healed;
        let Self { agents, now, rng, .. } = self;
        agents[agent].start(interval_ms, *now, rng);
        let process = agents[agent].processes.last_mut().expect("it was started");
        process.idle = healed;
        let session = process.engine.session();
        self.note(|| format!("agent-{agent} starts {session:x} every {interval_ms} ms"));
    }

    /// A process does what it is time for.
    pub(super) fn act(&mut self, agent: usize, process: usize) -> Checked {
        let Self { agents, now, rng, .. } = self;
        let it = &mut agents[agent].processes[process];
        if it.frozen_until.take().is_some() {
            for packet in std::mem::take(&mut it.inbox) {
                self.hear(agent, process, &packet)?;
            }
            return Ok(());
        }
        let (mut said, in_flight) = (Vec::new(), it.in_flight());
        it.act(*now, rng, &mut said);
        let killed = it.engine.applied().killed;
        hold!(!killed || it.in_flight() <= in_flight, "a killed agent has begun a task");
        self.ledger.did(it.engine.session(), it.done);
        let (port, is_over) = (it.port, it.due().is_none());
        if is_over {
            let it = self.agents[agent].processes.remove(process);
            self.note(|| format!("agent-{agent} has ended {:x}", it.engine.session()));
            if it.is_complete() {
                self.complete.push(it.engine.session());
            }
        }
        self.send_up(agent, port, said);
        Ok(())
    }

    /// A datagram reaches an agent's machine.
    pub(super) fn arrive_down(&mut self, packet: &Packet) -> Checked {
        let Some(agent) = agent_at(packet.peer) else { return Ok(()) };
        let port = packet.peer.port();
        let found = self.agents[agent].processes.iter().position(|it| it.port == port);
        let Some(process) = found else { return Ok(()) };
        self.hear(agent, process, packet)
    }

    fn hear(&mut self, agent: usize, process: usize, packet: &Packet) -> Checked {
        let now = self.now;
        let it = &mut self.agents[agent].processes[process];
        if it.frozen_until.is_some() {
            it.inbox.push(packet.clone());
            return Ok(());
        }
        let (before, session) = (it.engine.applied(), it.engine.session());
        let heard = it.hear(&packet.bytes, now);
        let applied = it.engine.applied();
        hold!(!packet.forged || applied == before, "a forged datagram was obeyed");
        if let Some(desired) = heard.desired {
            hold!(desired.generation > before.generation, "an agent's generation fell");
            self.agents[agent].remember(desired);
        }
        if let Some(segment) = heard.durable_segment {
            self.ledger.confirmed(session, segment, &self.disk)?;
        }
        self.check_obedience(agent, applied)?;
        let it = &mut self.agents[agent].processes[process];
        let mut said = Vec::new();
        it.say(now, &mut said);
        let port = it.port;
        self.send_up(agent, port, said);
        Ok(())
    }

    /// Nobody has applied what was not durable, or otherwise than it is.
    fn check_obedience(&self, agent: usize, applied: DesiredState) -> Checked {
        let Some(watched) = self.oracle.watched(agent) else { return Ok(()) };
        let Some(desired) = self.disk.control.desired(watched.id) else { return Ok(()) };
        hold!(
            applied.generation != desired.generation || applied.killed == desired.killed,
            "agent-{agent} has applied {applied:?}, and {desired:?} is durable"
        );
        Ok(())
    }
}
