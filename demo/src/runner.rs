//! Runs the script, on a thread of its own.

use std::thread::JoinHandle;
use std::time::Duration;

use heartline_operator::client::{Client, ClientOptions, Endpoint};
use heartline_operator::message::{AgentCommand, AgentSelector, Request};
use heartline_vocabulary::Action;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use crate::DemoError;
use crate::agents::{DemoAgent, demo_fleet};
use crate::processes::DemoProcesses;
use crate::script::{KILL_REASON, RESUME_REASON, ScriptedAction, ScriptedEvent};

/// How long a fleet may take until all of it is healthy.
const READY_WITHIN: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Events that may wait to be received: more than happen while a viewer reads a screen.
const EVENTS_MAX: usize = 1_024;

/// A running demo. Dropping it ends its processes and waits until they are gone.
pub struct Demo {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Demo {
    /// Starts this many agents, waits until all are healthy, and begins the script. The receiver
    /// gets each event once it has happened.
    ///
    /// # Errors
    /// [`DemoError`] when the agents can't be started, or do not become healthy.
    pub fn start(
        processes: DemoProcesses,
        agents: u16,
    ) -> Result<(Self, mpsc::Receiver<ScriptedEvent>), DemoError> {
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (events, received) = mpsc::channel(EVENTS_MAX);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(DemoError::system("start"))?;
        // The processes are started by this thread, because they die with it.
        let run = move || {
            let mut runner = ScriptRunner { processes, agents: demo_fleet(agents) };
            let run = async {
                let started = runner.start_agents().await;
                let is_running = started.is_ok();
                if ready.send(started).is_ok() && is_running {
                    runner.run_script(&events).await;
                }
            };
            runtime.block_on(async {
                tokio::select! {
                    () = run => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new()
            .name("demo-script".to_owned())
            .spawn(run)
            .map_err(DemoError::system("start a thread"))?;
        let demo = Self { stop: Some(stop), thread: Some(thread) };
        match is_ready.recv() {
            Ok(started) => started.map(|()| (demo, received)),
            Err(_) => Err(DemoError::RunnerPanicked),
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _it_panicked = thread.join();
        }
    }
}

struct ScriptRunner {
    processes: DemoProcesses,
    agents: Vec<DemoAgent>,
}

impl ScriptRunner {
    async fn start_agents(&mut self) -> Result<(), DemoError> {
        for agent in &self.agents {
            self.processes.start_agent(agent).map_err(DemoError::system("start an agent"))?;
        }
        let deadline = Instant::now() + READY_WITHIN;
        while self.count_healthy().await? < self.agents.len() {
            if Instant::now() > deadline {
                return Err(DemoError::AgentsNotHealthy);
            }
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    async fn run_script(&mut self, events: &mpsc::Sender<ScriptedEvent>) {
        let start = Instant::now();
        for event in ScriptedEvent::all() {
            sleep_until(start + event.at).await;
            self.apply(&event).await;
            // The fleet shows it all the same where the receiver is full or closed.
            let _not_received = events.try_send(event);
        }
    }

    async fn apply(&mut self, event: &ScriptedEvent) {
        self.processes.reap_agents();
        match event.action {
            ScriptedAction::Crash => self.processes.crash_agent(event.agent),
            ScriptedAction::Deadlock => self.processes.write_line(event.agent, "deadlock"),
            ScriptedAction::Overspend => self.processes.write_line(event.agent, "overspend"),
            ScriptedAction::StopOverspending => {
                self.processes.write_line(event.agent, "stop-overspending");
            }
            ScriptedAction::Shutdown => self.processes.write_line(event.agent, "shutdown"),
            ScriptedAction::Restart => {
                if let Some(agent) = self.agents.iter().find(|agent| agent.name == event.agent) {
                    // An agent that can't be started stays away.
                    let _stays_away = self.processes.start_agent(agent);
                }
            }
            // The collector refuses what would change nothing; an operator may have acted before.
            ScriptedAction::Kill => {
                drop(self.command(Action::Kill, event.agent, KILL_REASON).await);
            }
            ScriptedAction::Resume => {
                drop(self.command(Action::Resume, event.agent, RESUME_REASON).await);
            }
        }
    }

    async fn count_healthy(&self) -> Result<usize, DemoError> {
        let (_, collector) = self.connect().await?.snapshot(AgentSelector::All).await?;
        Ok(collector.summary.healthy as usize)
    }

    async fn command(&self, action: Action, agent: &str, reason: &str) -> Result<(), DemoError> {
        let command = AgentCommand {
            request_id: fastrand::u64(..),
            action,
            agents: AgentSelector::Names(vec![agent.to_owned()]),
            reason: reason.to_owned(),
            expect: None,
            fingerprint: None,
        };
        self.connect().await?.request(Request::Command(command)).await?;
        Ok(())
    }

    /// Connects as an operator does.
    async fn connect(&self) -> Result<Client, DemoError> {
        let endpoint = Endpoint::Unix(self.processes.directories());
        Ok(Client::connect(&endpoint, &ClientOptions::default()).await?)
    }
}
