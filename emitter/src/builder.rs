//! Configuration and start of an emitter.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use heartline_engine::{AppliedStates, IdentityConfig};

use crate::handle::Heartline;
use crate::kill::{HookEvent, KillCause, KillHooks};
use crate::log;
use crate::problem::EmitterProblem;
use crate::sender::{SenderThread, SenderWaker};
use crate::settings::EmitterSettings;
use crate::shared::SharedState;
use crate::signals;
use crate::supervisor::{SupervisedProcess, Supervisor};
use crate::token::TokenSource;

/// Configures an emitter. All but the name is optional: what is not set comes from the environment
/// (`HEARTLINE_COLLECTOR`, `HEARTLINE_TOKEN` or `HEARTLINE_TOKEN_FILE`,
/// `HEARTLINE_INTERVAL`, `HEARTLINE_STATE_DIR`, `HEARTLINE_DISABLE`), then from the defaults, for a
/// collector of the same user on the same machine.
///
/// ```no_run
/// use std::time::Duration;
///
/// let hb = heartline::Builder::new("mail.3")
///     .collector("collector.internal:4327")
///     .token_file("/run/secrets/heartline")
///     .interval(Duration::from_secs(10))
///     .group("mail")
///     .label("team", "support")
///     .start();
/// ```
#[must_use = "nothing is sent until start() is called"]
pub struct Builder {
    pub(crate) name: String,
    pub(crate) collector: Option<String>,
    pub(crate) token: Option<TokenSource>,
    pub(crate) interval: Option<Duration>,
    pub(crate) stall_after: Option<Duration>,
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) identity: IdentityConfig,
    pub(crate) depends: Vec<String>,
    hooks: KillHooks,
    signals: SignalUse,
}

/// What the emitter does at SIGTERM and SIGINT, where the program does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignalUse {
    Goodbye,
    Leave,
}

impl Builder {
    /// Creates a builder for the agent of this name: 1 to 63 of `a-z 0-9 . _ -`. Replicas have
    /// names of their own, by convention `mail.1`, `mail.2`.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            hooks: KillHooks::new(&name),
            name,
            collector: None,
            token: None,
            interval: None,
            stall_after: None,
            state_dir: None,
            identity: IdentityConfig::default(),
            depends: Vec::new(),
            signals: SignalUse::Goodbye,
        }
    }

    /// Sets the address of the collector, `host:port` or `[v6]:port`; of several, with commas
    /// between them, if the agent is to report to each of them.
    pub fn collector(mut self, address: impl Into<String>) -> Self {
        self.collector = Some(address.into());
        self
    }

    /// Sets the token (`hl1.…`), as `heartline token` prints it.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(TokenSource::Text(token.into()));
        self
    }

    /// Sets the path of the token file. The file may be created later, and may change.
    pub fn token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.token = Some(TokenSource::File(path.into()));
        self
    }

    /// Sets the time between beats: 100 ms to 1 h, 30 s by default.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Sets the time without progress after which the agent counts as stalled: 1 s to 720 h; otherwise
    /// the collector's setting, 5 minutes by default.
    pub fn stall_after(mut self, stall_after: Duration) -> Self {
        self.stall_after = Some(stall_after);
        self
    }

    /// Sets the directory in which a kill is stored.
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(path.into());
        self
    }

    /// Sets the machine's name, which is otherwise the system's.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.identity.host = Some(host.into());
        self
    }

    /// Sets the group that the agent and its replicas belong to.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.identity.group = Some(group.into());
        self
    }

    /// Sets the version of the agent's program.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.identity.version = Some(version.into());
        self
    }

    /// Sets the name and version of the framework it is built with.
    pub fn framework(mut self, framework: impl Into<String>) -> Self {
        self.identity.framework = Some(framework.into());
        self
    }

    /// Adds a label, to filter and group by; at most 16.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.identity.labels.insert(key.into(), value.into());
        self
    }

    /// Adds an agent that this one depends on; at most 16.
    pub fn depends_on(mut self, agent: impl Into<String>) -> Self {
        self.depends.push(agent.into());
        self
    }

    /// Calls `hook` when the agent is killed, or at once if it was killed before its
    /// start. The hook runs on a thread of its own and may block, or end the process.
    pub fn on_kill(self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.add(HookEvent::Killed, hook);
        self
    }

    /// Calls `hook` when the agent is resumed, on the same thread as those for a kill.
    pub fn on_resume(self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.add(HookEvent::Resumed, hook);
        self
    }

    /// Leaves SIGTERM and SIGINT alone: an agent that they end says no goodbye. See [the end of a
    /// process](crate#the-end-of-a-process).
    pub fn leave_signals(mut self) -> Self {
        self.signals = SignalUse::Leave;
        self
    }

    /// Starts the emitter. Never fails and never blocks on the network: problems are in
    /// [`Heartline::status`], and are logged once.
    #[must_use = "dropping the last handle stops the emitter"]
    pub fn start(self) -> Heartline {
        let signals = self.signals;
        let shared = self.launch(None);
        if signals == SignalUse::Goodbye && shared.has_sender() {
            signals::say_goodbye_at_end(&shared);
        }
        Heartline::new(shared)
    }

    /// Starts the emitter of another process, which the caller starts and watches: see
    /// [`supervisor`](crate::supervisor). `stall_after` is the time without
    /// [progress](Supervisor::record_progress) after which it counts as stalled. SIGTERM and SIGINT are left
    /// to the program.
    #[must_use = "dropping the supervisor stops the emitter"]
    pub fn supervise(self, stall_after: Option<Duration>) -> Supervisor {
        let process = Arc::new(SupervisedProcess::new(stall_after));
        Supervisor::new(self.launch(Some(Arc::clone(&process))), process)
    }

    fn launch(self, process: Option<Arc<SupervisedProcess>>) -> Arc<SharedState> {
        let mut problems = Vec::new();
        let env = |name: &str| std::env::var(name).ok();
        let settings = EmitterSettings::resolve(&self, &env, &mut problems);
        let shared = match settings {
            Ok(mut settings) => {
                if process.is_some() {
                    settings.identity.sdk =
                        Some(concat!("run ", env!("CARGO_PKG_VERSION")).to_owned());
                }
                launch(settings, self.hooks, process, &mut problems)
            }
            Err(fatal) => {
                problems.insert(0, fatal);
                Arc::new(SharedState::new(&self.name, None, self.hooks))
            }
        };
        for problem in problems.iter().filter(|problem| **problem != EmitterProblem::Disabled) {
            log::warn(&self.name, problem);
        }
        shared.sender_status().settings_problems = problems;
        shared
    }
}

/// Starts the sender, unless it could never send.
fn launch(
    settings: EmitterSettings,
    hooks: KillHooks,
    process: Option<Arc<SupervisedProcess>>,
    problems: &mut Vec<EmitterProblem>,
) -> Arc<SharedState> {
    let credentials = settings.token.credentials(&settings.agent);
    let fleet = credentials.as_ref().ok().map(|credentials| credentials.fleet);
    let (applied, unread) = match &settings.memory {
        Some(memory) => memory.read(fleet),
        None => (AppliedStates::default(), Vec::new()),
    };
    let waker = match &credentials {
        _ if settings.collectors.is_empty() => Err(None),
        Err(problem) if !settings.token.may_change() => Err(Some(problem.clone())),
        _ => SenderWaker::new()
            .map_err(|error| Some(EmitterProblem::ThreadNotStarted(error.to_string()))),
    };
    let waker = waker.map(Arc::new).map_err(|problem| problems.extend(problem)).ok();
    let shared = SharedState::new(settings.agent.as_str(), waker.clone(), hooks);
    let shared = Arc::new(shared.with_process(process));
    // Before the agent has the handle, so that not one task starts: a kill outlives a restart, also
    // one with an invalid token.
    if applied.is_killed() {
        shared.kill(KillCause::Command);
    }
    unread.iter().for_each(|problem| log::warn(settings.agent.as_str(), problem));
    shared.sender_status().memory_problems = unread;
    if let Some(waker) = waker {
        let sender = SenderThread::new(Arc::clone(&shared), settings, applied, credentials, waker);
        let spawned = thread::Builder::new().name("heartline".to_owned()).spawn(|| sender.run());
        if let Err(error) = spawned {
            problems.push(EmitterProblem::ThreadNotStarted(error.to_string()));
            shared.mark_stopped();
        }
    }
    shared
}
