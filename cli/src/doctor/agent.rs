//! Checks of the settings that an agent started here would use (`SPEC.md`, section 17).

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use heartline_engine::{CollectorAddress, parse_interval_ms};
use heartline_protocol::{AgentName, Token};

use super::Diagnostic;
use crate::config::Lookup;

/// The settings of an agent, as the environment has them.
pub(super) struct AgentSettings {
    collectors: Vec<CollectorAddress>,
    token: TokenSource,
}

enum TokenSource {
    Text(String),
    File(PathBuf),
    Missing,
}

impl AgentSettings {
    /// Reads the environment.
    pub(super) fn read(lookup: Lookup<'_>, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let set = |name: &str| {
            lookup(name).and_then(|v| v.into_string().ok()).filter(|value| !value.is_empty())
        };
        if set("HEARTLINE_DISABLE").is_some_and(|value| value != "0") {
            diagnostics.push(Diagnostic::problem(
                "HEARTLINE_DISABLE is set: agents send nothing",
                "Unset it where the agent runs.",
            ));
        }
        if let Some(text) = set("HEARTLINE_INTERVAL")
            && parse_interval_ms(&text).is_none()
        {
            diagnostics.push(Diagnostic::problem(
                format!(
                    "HEARTLINE_INTERVAL=\"{text}\" is not a whole number and a unit; agents use 30s"
                ),
                "Write it as 30s or 500ms; the units are ms, s, m and h.",
            ));
        }
        let state_home = set("XDG_STATE_HOME")
            .map(PathBuf::from)
            .or_else(|| set("HOME").map(|home| Path::new(&home).join(".local/state")));
        let collectors = read_collectors(set("HEARTLINE_COLLECTOR").as_deref(), diagnostics);
        let token = set("HEARTLINE_TOKEN")
            .map(TokenSource::Text)
            .or_else(|| set("HEARTLINE_TOKEN_FILE").map(|path| TokenSource::File(path.into())))
            .or_else(|| {
                state_home.map(|home| TokenSource::File(home.join("heartline/local.token")))
            })
            .unwrap_or(TokenSource::Missing);
        Self { collectors, token }
    }

    /// Returns the token, if there is a valid one.
    pub(super) fn token(&self, diagnostics: &mut Vec<Diagnostic>) -> Option<Token> {
        let (text, from) = match &self.token {
            TokenSource::Text(text) => (text.clone(), "HEARTLINE_TOKEN".to_owned()),
            TokenSource::File(path) => (read_file(path, diagnostics)?, path.display().to_string()),
            TokenSource::Missing => {
                diagnostics.push(Diagnostic::problem(
                    "no token, and no file to read one from",
                    "Set HEARTLINE_TOKEN or HEARTLINE_TOKEN_FILE: neither XDG_STATE_HOME nor HOME \
                     is set.",
                ));
                return None;
            }
        };
        match Token::decode(&text) {
            Ok(token) => {
                let whom = whom(&token);
                let epoch = token.epoch.0;
                diagnostics.push(Diagnostic::Ok(format!(
                    "the token from {from} is valid for {whom} (epoch {epoch})"
                )));
                Some(token)
            }
            Err(error) => {
                let advice = "Copy it again, or make another with `heartline token`.";
                diagnostics
                    .push(Diagnostic::problem(format!("the token from {from}: {error}"), advice));
                None
            }
        }
    }

    /// Resolves the collectors' addresses: those of each collector that has any, in the order in
    /// which agents try them.
    pub(super) fn addresses(&self, diagnostics: &mut Vec<Diagnostic>) -> Vec<Vec<SocketAddr>> {
        let resolved = self.collectors.iter().filter_map(|it| resolve(it, diagnostics));
        resolved.collect()
    }
}

/// Returns for whom a token speaks.
fn whom(token: &Token) -> String {
    match token.scope.as_str() {
        "" => "the whole fleet".to_owned(),
        prefix if prefix.ends_with('.') => format!("agents below {prefix}"),
        agent => format!("the agent {agent} alone"),
    }
}

/// Checks that an agent may have this id, and that a token covers it.
pub(super) fn check_scope(agent: &str, token: &Token) -> Diagnostic {
    match AgentName::new(agent) {
        Err(error) => Diagnostic::problem(
            format!("{agent:?} can't be an agent's id: {error}"),
            "Rename the agent: its emitter sends nothing under that id.",
        ),
        Ok(name) if !token.scope.covers(name.as_str()) => Diagnostic::problem(
            format!("the token is valid for {}, not for {name}", whom(token)),
            format!(
                "An emitter of {name} sends nothing with it. Make one with `heartline token --agent \
                 {name}`, or rename the agent."
            ),
        ),
        Ok(name) => Diagnostic::Ok(format!("the token covers {name}")),
    }
}

/// Reads the list of collectors, and reports what is wrong with it.
fn read_collectors(text: Option<&str>, diagnostics: &mut Vec<Diagnostic>) -> Vec<CollectorAddress> {
    let (from, collectors, errors) = match text {
        None => ("the default", vec![CollectorAddress::default()], Vec::new()),
        Some(text) => {
            let (collectors, errors) = CollectorAddress::parse_list(text);
            ("HEARTLINE_COLLECTOR", collectors, errors)
        }
    };
    let names: Vec<&str> = collectors.iter().map(CollectorAddress::as_str).collect();
    if !names.is_empty() {
        let what = format!("agents here send to {} ({from})", names.join(" and "));
        diagnostics.push(Diagnostic::Ok(what));
    }
    for error in errors {
        diagnostics.push(Diagnostic::problem(
            error.to_string(),
            "HEARTLINE_COLLECTOR is HOST:PORT, such as collector.internal:4327, or several with \
             commas between them.",
        ));
    }
    collectors
}

/// Resolves the addresses of one collector.
fn resolve(
    collector: &CollectorAddress,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Vec<SocketAddr>> {
    let why = match collector.as_str().to_socket_addrs() {
        Ok(addresses) => {
            let addresses: Vec<SocketAddr> = addresses.collect();
            let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            match &texts[..] {
                [] => "it has no address".to_owned(),
                [only] if only == collector.as_str() => return Some(addresses),
                _ => {
                    let found = format!("{collector} is {}", texts.join(", then "));
                    diagnostics.push(Diagnostic::Ok(found));
                    return Some(addresses);
                }
            }
        }
        Err(error) => error.to_string(),
    };
    diagnostics.push(Diagnostic::problem(
        format!("the collector's address {collector} can't be resolved: {why}"),
        "Check the name in HEARTLINE_COLLECTOR, and this machine's DNS.",
    ));
    None
}

fn read_file(path: &Path, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let mode = std::fs::metadata(path).map_or(0, |meta| meta.permissions().mode());
            if mode & 0o077 != 0 {
                diagnostics.push(Diagnostic::Note(format!(
                    "others can read the token in {}: chmod 600 it",
                    path.display()
                )));
            }
            Some(text)
        }
        Err(error) => {
            let advice = match error.kind() {
                std::io::ErrorKind::NotFound => {
                    "Start `heartlined` as the same user, which makes it, or set HEARTLINE_TOKEN."
                }
                _ => "Let the agent's user read it, or set HEARTLINE_TOKEN.",
            };
            let what = format!("can't read the token {}: {error}", path.display());
            diagnostics.push(Diagnostic::problem(what, advice));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examine(environment: &[(&str, &str)]) -> Vec<Diagnostic> {
        let lookup = |name: &str| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into())
        };
        let mut diagnostics = Vec::new();
        let agent = AgentSettings::read(&lookup, &mut diagnostics);
        agent.token(&mut diagnostics);
        agent.addresses(&mut diagnostics);
        diagnostics
    }

    fn wrongs(environment: &[(&str, &str)]) -> Vec<String> {
        let is_wrong = |finding| match finding {
            Diagnostic::Problem { what, .. } => Some(what),
            _ => None,
        };
        examine(environment).into_iter().filter_map(is_wrong).collect()
    }

    #[test]
    fn what_is_wrong_with_the_environment_is_named() {
        let home = ("HOME", "/nonexistent");
        let missing = wrongs(&[home]);
        assert_eq!(missing.len(), 1, "{missing:?}");
        assert!(missing[0].contains("/nonexistent/.local/state/heartline/local.token"));
        assert!(wrongs(&[])[0].contains("no file"));
        let damaged = wrongs(&[("HEARTLINE_TOKEN", "hl1.secretsecret")]);
        assert!(damaged[0].contains("damaged") && !damaged[0].contains("secretsecret"));
        let collector = |text| wrongs(&[("HEARTLINE_TOKEN", "x"), ("HEARTLINE_COLLECTOR", text)]);
        let malformed = collector("http://nowhere");
        assert!(malformed[0].ends_with("write nowhere:4327"), "{malformed:?}");
        let unknown = collector("127.0.0.1:4327, nowhere.invalid:4327");
        assert!(unknown[1].contains("nowhere.invalid:4327 can't be resolved"), "{unknown:?}");
        for interval in ["1h30m", "1.5s", "1d", "30S"] {
            let refused = wrongs(&[home, ("HEARTLINE_INTERVAL", interval)]);
            assert!(refused[0].contains(interval), "{refused:?}");
        }
        assert_eq!(wrongs(&[home, ("HEARTLINE_INTERVAL", "500ms")]), missing);
        let disabled = wrongs(&[home, ("HEARTLINE_DISABLE", "1"), ("HEARTLINE_INTERVAL", "30")]);
        assert_eq!(disabled.len(), 3, "{disabled:?}");
    }
}
