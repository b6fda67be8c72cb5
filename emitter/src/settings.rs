//! Settings of the emitter, resolved from arguments, environment and defaults.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use heartline_engine::{CollectorAddress, IdentityConfig, parse_interval_ms};
use heartline_protocol::AgentName;
use heartline_protocol::limits::{INTERVAL_DEFAULT_MS, INTERVAL_MS};

use crate::builder::Builder;
use crate::kill_memory::KillMemory;
use crate::problem::EmitterProblem;
use crate::token::TokenSource;

/// Limits of a declared time until a stall, in ms: what a collector takes for its own, and what the wire
/// holds.
const STALL_AFTER_MS: RangeInclusive<u32> = 1_000..=720 * 3_600_000;

/// Resolved settings of an emitter.
pub(crate) struct EmitterSettings {
    pub(crate) agent: AgentName,
    /// Empty if no address is well-formed: nothing is sent then.
    pub(crate) collectors: Vec<CollectorAddress>,
    pub(crate) token: TokenSource,
    pub(crate) interval_ms: u32,
    /// `None`: the collector's setting.
    pub(crate) stall_after_ms: Option<u32>,
    pub(crate) memory: Option<KillMemory>,
    pub(crate) identity: IdentityConfig,
}

impl EmitterSettings {
    /// Resolves arguments, then environment, then defaults (`SPEC.md`, section 17). Problems that
    /// are not fatal are added to `problems`.
    pub(crate) fn resolve(
        builder: &Builder,
        env: &dyn Fn(&str) -> Option<String>,
        problems: &mut Vec<EmitterProblem>,
    ) -> Result<Self, EmitterProblem> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        if env("HEARTLINE_DISABLE").is_some_and(|value| value != "0") {
            return Err(EmitterProblem::Disabled);
        }
        let agent = AgentName::new(&builder.name)
            .map_err(|reason| EmitterProblem::BadName { name: builder.name.clone(), reason })?;
        let state_home = env("XDG_STATE_HOME")
            .map(PathBuf::from)
            .or_else(|| env("HOME").map(|home| PathBuf::from(home).join(".local/state")))
            .map(|state| state.join("heartline"));
        let state_dir = (builder.state_dir.clone())
            .or_else(|| env("HEARTLINE_STATE_DIR").map(PathBuf::from))
            .or_else(|| state_home.as_ref().map(|home| home.join("agents")));
        if state_dir.is_none() {
            problems.push(EmitterProblem::NoStateDir);
        }
        Ok(Self {
            collectors: collectors(builder, env("HEARTLINE_COLLECTOR"), problems),
            token: (builder.token.clone())
                .or_else(|| env("HEARTLINE_TOKEN").map(TokenSource::Text))
                .or_else(|| env("HEARTLINE_TOKEN_FILE").map(|path| TokenSource::File(path.into())))
                .or_else(|| state_home.map(|home| TokenSource::File(home.join("local.token"))))
                .unwrap_or(TokenSource::Unknown),
            interval_ms: interval_ms(builder, env("HEARTLINE_INTERVAL"), problems),
            stall_after_ms: stall_after_ms(builder, problems),
            memory: state_dir.map(|dir| KillMemory::new(&dir, &agent)),
            identity: identity(builder, problems),
            agent,
        })
    }
}

fn collectors(
    builder: &Builder,
    env: Option<String>,
    problems: &mut Vec<EmitterProblem>,
) -> Vec<CollectorAddress> {
    let Some(text) = builder.collector.clone().or(env) else {
        return vec![CollectorAddress::default()];
    };
    let (addresses, errors) = CollectorAddress::parse_list(&text);
    problems.extend(errors.into_iter().map(EmitterProblem::BadCollector));
    addresses
}

fn interval_ms(builder: &Builder, env: Option<String>, problems: &mut Vec<EmitterProblem>) -> u32 {
    let asked_ms = match (builder.interval, env) {
        (Some(interval), _) => u64::try_from(interval.as_millis()).unwrap_or(u64::MAX),
        (None, Some(text)) => match parse_interval_ms(&text) {
            Some(ms) => ms,
            None => {
                problems.push(EmitterProblem::BadInterval { text, used_ms: INTERVAL_DEFAULT_MS });
                return INTERVAL_DEFAULT_MS;
            }
        },
        (None, None) => return INTERVAL_DEFAULT_MS,
    };
    let used_ms = clamped(asked_ms, &INTERVAL_MS);
    if u64::from(used_ms) != asked_ms {
        problems.push(EmitterProblem::IntervalOutOfRange { asked_ms, used_ms });
    }
    used_ms
}

fn stall_after_ms(builder: &Builder, problems: &mut Vec<EmitterProblem>) -> Option<u32> {
    let asked_ms = u64::try_from(builder.stall_after?.as_millis()).unwrap_or(u64::MAX);
    if asked_ms == 0 {
        problems.push(EmitterProblem::BadStallAfter);
        return None;
    }
    let used_ms = clamped(asked_ms, &STALL_AFTER_MS);
    if u64::from(used_ms) != asked_ms {
        problems.push(EmitterProblem::StallAfterOutOfRange { asked_ms, used_ms });
    }
    Some(used_ms)
}

fn clamped(asked_ms: u64, range: &RangeInclusive<u32>) -> u32 {
    u32::try_from(asked_ms).unwrap_or(u32::MAX).clamp(*range.start(), *range.end())
}

fn identity(builder: &Builder, problems: &mut Vec<EmitterProblem>) -> IdentityConfig {
    let mut identity = builder.identity.clone();
    identity.host = identity.host.or_else(host_name);
    identity.pid = Some(std::process::id());
    identity.sdk = Some(concat!("rust ", env!("CARGO_PKG_VERSION")).to_owned());
    for name in &builder.depends {
        match AgentName::new(name) {
            Ok(agent) => identity.depends.push(agent),
            Err(reason) => {
                problems.push(EmitterProblem::BadDependency { name: name.clone(), reason });
            }
        }
    }
    let fitted = identity.fitted();
    if fitted != identity {
        problems.push(EmitterProblem::IdentityShortened);
    }
    fitted
}

/// Reads the machine's name, where the system has a file for it.
fn host_name() -> Option<String> {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .map(|name| name.trim().to_owned())
        .find(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn resolve(
        builder: &Builder,
        env: &[(&str, &str)],
    ) -> (Result<EmitterSettings, EmitterProblem>, Vec<EmitterProblem>) {
        let mut problems = Vec::new();
        let lookup = |name: &str| {
            env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        let settings = EmitterSettings::resolve(builder, &lookup, &mut problems);
        (settings, problems)
    }

    #[test]
    fn defaults_need_only_a_home_directory() {
        let (settings, problems) = resolve(&Builder::new("mail"), &[("HOME", "/home/u")]);
        let settings = settings.unwrap();
        assert_eq!((listed(&settings), settings.interval_ms), (vec!["127.0.0.1:4327"], 30_000));
        let expected = PathBuf::from("/home/u/.local/state/heartline/local.token");
        assert!(matches!(settings.token, TokenSource::File(path) if path == expected));
        assert_eq!(problems, []);
    }

    #[test]
    fn arguments_take_precedence_over_the_environment() {
        let env = [
            ("HEARTLINE_COLLECTOR", "env:1"),
            ("HEARTLINE_TOKEN", "env-token"),
            ("HEARTLINE_TOKEN_FILE", "/env"),
            ("HEARTLINE_INTERVAL", "5s"),
            ("XDG_STATE_HOME", "/x"),
        ];
        let settings = resolve(&Builder::new("mail"), &env).0.unwrap();
        assert_eq!((listed(&settings), settings.interval_ms), (vec!["env:1"], 5_000));
        assert!(matches!(settings.token, TokenSource::Text(text) if text == "env-token"));
        let builder = Builder::new("mail")
            .collector("arg:2")
            .token_file("/arg")
            .interval(Duration::from_millis(500));
        let settings = resolve(&builder, &env).0.unwrap();
        assert_eq!((listed(&settings), settings.interval_ms), (vec!["arg:2"], 500));
        assert!(matches!(settings.token, TokenSource::File(path) if path == *"/arg"));
    }

    fn listed(settings: &EmitterSettings) -> Vec<&str> {
        settings.collectors.iter().map(CollectorAddress::as_str).collect()
    }

    #[test]
    fn several_collectors_are_listed_and_a_malformed_one_is_a_problem() {
        let home = ("HOME", "/home/u");
        let mail = Builder::new("mail");
        let (settings, problems) =
            resolve(&mail, &[home, ("HEARTLINE_COLLECTOR", " a:1 ,http://b:2, c")]);
        assert_eq!(listed(&settings.unwrap()), ["a:1"]);
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "the collector's address \"http://b:2\" has a scheme: write b:2",
                "the collector's address \"c\" has no port: write c:4327",
            ]
        );
        let (settings, problems) = resolve(&mail, &[home, ("HEARTLINE_COLLECTOR", ",")]);
        assert_eq!((listed(&settings.unwrap()), problems.len()), (vec![], 1));
    }

    #[test]
    fn intervals_are_clamped() {
        let (settings, problems) =
            resolve(&Builder::new("mail").interval(Duration::ZERO), &[("HOME", "/home/u")]);
        assert_eq!(settings.unwrap().interval_ms, 100);
        assert_eq!(problems, [EmitterProblem::IntervalOutOfRange { asked_ms: 0, used_ms: 100 }]);
    }

    #[test]
    fn a_declared_time_until_a_stall_is_clamped_and_zero_is_none() {
        let resolved = |stall_after| {
            let builder = Builder::new("mail").stall_after(stall_after);
            let (settings, problems) = resolve(&builder, &[("HOME", "/home/u")]);
            (settings.unwrap().stall_after_ms, problems)
        };
        assert_eq!(resolved(Duration::from_secs(1_200)), (Some(1_200_000), vec![]));
        assert_eq!(resolved(Duration::ZERO), (None, vec![EmitterProblem::BadStallAfter]));
        let out_of_range = |asked_ms, used_ms| {
            (Some(used_ms), vec![EmitterProblem::StallAfterOutOfRange { asked_ms, used_ms }])
        };
        assert_eq!(resolved(Duration::from_millis(20)), out_of_range(20, 1_000));
        assert_eq!(resolved(Duration::MAX), out_of_range(u64::MAX, 2_592_000_000));
    }

    #[test]
    fn fatal_settings_are_errors() {
        let fatal = |builder: Builder, env: &[_]| resolve(&builder, env).0.err();
        assert!(matches!(fatal(Builder::new("Mail"), &[]), Some(EmitterProblem::BadName { .. })));
        let disabled = fatal(Builder::new("mail"), &[("HEARTLINE_DISABLE", "1")]);
        assert_eq!(disabled, Some(EmitterProblem::Disabled));
        assert_eq!(fatal(Builder::new("mail"), &[("HEARTLINE_DISABLE", "")]), None);
    }
}
