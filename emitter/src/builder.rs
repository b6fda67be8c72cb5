//! Starting an emitter.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::bell;
use crate::engine::{Desired, Identity};
use crate::handle::Heartline;
use crate::hooks::Change;
use crate::memory::Memory;
use crate::problem::Problem;
use crate::sender::Sender;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::token::TokenSource;

/// What an emitter is started with. All but the name is optional: what is not given comes from the
/// environment (`HEARTLINE_COLLECTOR`, `HEARTLINE_TOKEN` or `HEARTLINE_TOKEN_FILE`,
/// `HEARTLINE_INTERVAL`, `HEARTLINE_STATE_DIR`, `HEARTLINE_DISABLE`), then from the defaults, which
/// find a collector of the same user on the same machine.
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
    arguments: Arguments,
    hooks: Vec<(Change, Box<dyn Fn() + Send + Sync>)>,
}

/// What was asked for, not checked yet.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) name: String,
    pub(crate) collector: Option<String>,
    pub(crate) token: Option<TokenSource>,
    pub(crate) interval: Option<Duration>,
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) identity: Identity,
    pub(crate) depends: Vec<String>,
}

impl Builder {
    /// An agent of this name: 1 to 63 of `a-z 0-9 . _ -`. Replicas take names of their own, by
    /// custom `mail.1`, `mail.2`.
    pub fn new(name: impl Into<String>) -> Self {
        let arguments = Arguments { name: name.into(), ..Arguments::default() };
        Self { arguments, hooks: Vec::new() }
    }

    /// Where the collector is: `host:port` or `[v6]:port`.
    pub fn collector(mut self, address: impl Into<String>) -> Self {
        self.arguments.collector = Some(address.into());
        self
    }

    /// The token itself (`hl1.…`), as `heartline token` gives it.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.arguments.token = Some(TokenSource::Text(token.into()));
        self
    }

    /// A file with the token. It may come later, and may change.
    pub fn token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.arguments.token = Some(TokenSource::File(path.into()));
        self
    }

    /// Time between beats: 100 ms to 1 h, 30 s by default.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.arguments.interval = Some(interval);
        self
    }

    /// The directory in which a kill is remembered.
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.arguments.state_dir = Some(path.into());
        self
    }

    /// The machine's name, instead of what the system says.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.arguments.identity.host = Some(host.into());
        self
    }

    /// What this agent is one of many of.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.arguments.identity.group = Some(group.into());
        self
    }

    /// The version of the agent's program.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.arguments.identity.version = Some(version.into());
        self
    }

    /// The name and version of the framework it is built with.
    pub fn framework(mut self, framework: impl Into<String>) -> Self {
        self.arguments.identity.framework = Some(framework.into());
        self
    }

    /// A label, to filter and group by; at most 16.
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.arguments.identity.labels.insert(key.into(), value.into());
        self
    }

    /// An agent that this one needs; at most 16.
    pub fn depends_on(mut self, agent: impl Into<String>) -> Self {
        self.arguments.depends.push(agent.into());
        self
    }

    /// Calls `hook` when the agent is killed, or at once if a kill is remembered from before. It
    /// runs on a thread of its own and may block, or end the process.
    pub fn on_kill(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.push((Change::Killed, Box::new(hook)));
        self
    }

    /// Calls `hook` when the agent is resumed, on the same thread as those for a kill.
    pub fn on_resume(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.push((Change::Resumed, Box::new(hook)));
        self
    }

    /// Starts the emitter. This never fails and never blocks on the network: what is wrong is in
    /// [`Heartline::status`], and was logged once.
    #[must_use = "the last handle that is dropped says goodbye"]
    pub fn start(self) -> Heartline {
        let mut problems = Vec::new();
        let env = |name: &str| std::env::var(name).ok();
        let settings = Settings::resolve(&self.arguments, &env, &mut problems);
        let shared = match settings {
            Ok(settings) => launch(settings, self.hooks, &mut problems),
            Err(fatal) => {
                problems.insert(0, fatal);
                Arc::new(Shared::new(None))
            }
        };
        for problem in problems.iter().filter(|problem| **problem != Problem::Disabled) {
            tracing::warn!(agent = self.arguments.name, "heartline: {problem}");
        }
        shared.bulletin.lock().settings = problems;
        Heartline::new(shared)
    }

    #[cfg(test)]
    pub(crate) fn arguments(&self) -> &Arguments {
        &self.arguments
    }
}

/// Starts the sender, unless it is plain that it could never send.
fn launch(
    settings: Settings,
    hooks: Vec<(Change, Box<dyn Fn() + Send + Sync>)>,
    problems: &mut Vec<Problem>,
) -> Arc<Shared> {
    let remembered = settings.memory.as_ref().map_or(Ok(Desired::default()), Memory::read);
    let remembered = remembered.unwrap_or_else(|problem| {
        problems.push(problem);
        Desired::default()
    });
    let keys = settings.token.keys(&settings.agent);
    let wire = match &keys {
        Err(problem) if !settings.token.may_change() => Err(problem.clone()),
        _ => bell::pair().map_err(|error| Problem::NoThread(error.to_string())),
    };
    let (bell, ear) = match wire {
        Ok((bell, ear)) => (Some(bell), Some(ear)),
        Err(problem) => {
            problems.push(problem);
            (None, None)
        }
    };
    let shared = Arc::new(Shared::new(bell));
    for (on, hook) in hooks {
        shared.hooks.add(on, hook);
    }
    // Before anybody has the handle, so that not one task slips through: neither a restart nor a
    // token that does not work is a way out of a kill.
    shared.obey(remembered);
    if let Some(ear) = ear {
        let sender = Sender::new(Arc::clone(&shared), settings, remembered, keys, ear);
        let spawned = thread::Builder::new().name("heartline".to_owned()).spawn(|| sender.run());
        if let Err(error) = spawned {
            problems.push(Problem::NoThread(error.to_string()));
            shared.sender_has_left();
        }
    }
    shared
}
