//! Plays the script on the stage, on a thread of its own.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use heartline_operator::client::{Client, ClientError, ClientOptions, Endpoint};
use heartline_operator::message::{Command, Request};
use heartline_vocabulary::Action;

use super::cast::Role;
use super::script::{Cue, Deed, KILL_REASON, cues};
use super::stage::Stage;
use crate::failure::Failure;
use crate::{clock, random};

/// How long a fleet may take until all of it is healthy, and how often that is looked at.
const READY_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A running demo. Dropping it ends everything and waits until nothing is left.
pub(super) struct Director {
    end: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the director tells: a deed, at this time since the start.
pub(super) type Told = (Duration, Cue);

impl Director {
    /// Starts the agents, waits until all are healthy, and then plays the script.
    ///
    /// # Errors
    /// [`Failure`] when the agents can't be started, or do not become healthy.
    pub(super) fn start(
        stage: Stage,
        roles: Vec<Role>,
        told: tokio::sync::mpsc::Sender<Told>,
    ) -> Result<Self, Failure> {
        let (end, ended) = mpsc::channel();
        let (ready, is_ready) = mpsc::channel();
        let play = move || {
            // The processes are started by this thread, because they die with it.
            let mut show = Show { stage, roles };
            let started = show.open(&ended);
            let goes_on = started.is_ok();
            if ready.send(started).is_ok() && goes_on {
                show.play(&ended, &told);
            }
        };
        let thread = std::thread::Builder::new()
            .name("director".to_owned())
            .spawn(play)
            .map_err(|source| Failure::System { what: "start a thread", source })?;
        let director = Self { end: Some(end), thread: Some(thread) };
        match is_ready.recv() {
            Ok(started) => started.map(|()| director),
            Err(_) => Err(Failure::NotDone("the demo could not be started".to_owned())),
        }
    }
}

impl Drop for Director {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _it_panicked = thread.join();
        }
    }
}

struct Show {
    stage: Stage,
    roles: Vec<Role>,
}

impl Show {
    fn open(&mut self, ended: &mpsc::Receiver<()>) -> Result<(), Failure> {
        for role in &self.roles {
            self.stage
                .start(role)
                .map_err(|source| Failure::System { what: "start an agent", source })?;
        }
        let deadline = clock::now() + READY_WITHIN;
        while self.healthy()? < self.roles.len() {
            let waited = ended.recv_timeout(LOOK_EVERY);
            if waited != Err(RecvTimeoutError::Timeout) || clock::now() > deadline {
                return Err(Failure::NotDone("the agents did not become healthy".to_owned()));
            }
        }
        Ok(())
    }

    fn play(&mut self, ended: &mpsc::Receiver<()>, told: &tokio::sync::mpsc::Sender<Told>) {
        let start = clock::now();
        for (at, cue) in cues() {
            let wait = (start + at).saturating_sub(clock::now());
            if ended.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            self.perform(&cue);
            // Nobody may listen any more, or not yet: the fleet shows it all the same.
            let _unheard = told.try_send((at, cue));
        }
    }

    fn perform(&mut self, cue: &Cue) {
        self.stage.reap();
        match cue.deed {
            Deed::Crash => self.stage.crash(cue.agent),
            Deed::Deadlock => self.stage.tell(cue.agent, "deadlock"),
            Deed::Burn => self.stage.tell(cue.agent, "burn"),
            Deed::Calm => self.stage.tell(cue.agent, "calm"),
            Deed::Stop => self.stage.tell(cue.agent, "stop"),
            Deed::Restart => {
                if let Some(role) = self.roles.iter().find(|role| role.name == cue.agent) {
                    // An agent that could not be started is one that stays away.
                    let _stays_away = self.stage.start(role);
                }
            }
            // The collector refuses what would change nothing; somebody else may have acted.
            Deed::Kill => drop(self.command(Action::Kill, cue.agent, KILL_REASON)),
            Deed::Resume => drop(self.command(Action::Resume, cue.agent, "the site agreed")),
        }
    }

    fn healthy(&self) -> Result<usize, Failure> {
        let summary = self.ask(async |client| {
            let (_, collector) = client.snapshot(Vec::new()).await?;
            Ok(collector.summary)
        })?;
        Ok(summary.healthy as usize)
    }

    fn command(&self, action: Action, agent: &str, reason: &str) -> Result<(), Failure> {
        let request_id = random::number()
            .map_err(|source| Failure::System { what: "read /dev/urandom", source })?;
        let command = Command {
            request_id,
            action,
            agents: vec![agent.to_owned()],
            reason: reason.to_owned(),
            expect: None,
        };
        self.ask(async |client| client.request(Request::Command(command)).await.map(drop))
    }

    /// Connects as an operator would, and asks.
    fn ask<T>(
        &self,
        question: impl AsyncFnOnce(Client) -> Result<T, ClientError>,
    ) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| Failure::System { what: "start", source })?;
        let endpoint = Endpoint::Unix(self.stage.directories());
        let answer = runtime.block_on(async {
            let client = Client::connect(&endpoint, &ClientOptions::default()).await?;
            question(client).await
        });
        Ok(answer?)
    }
}
