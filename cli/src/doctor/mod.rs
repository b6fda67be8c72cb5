//! `heartline doctor`: finds out why an agent would not be seen.
//!
//! 1. the environment that an agent started here would use
//! 2. its token: there, readable, whole, for whom
//! 3. the collectors' addresses: can they be resolved
//! 4. the operators' socket: reachable, allowed to act, of our version
//! 5. a signed probe to each collector, at each of its addresses until one answers: is it answered,
//!    and if not, what did the collector see of it
//! 6. the kernel's receive buffer
//!
//! The probe is a beat that proves nothing fresh, so it changes no agent's state. A collector lists
//! every agent that signs with a right key, though: the probe has an id of its own under the token's scope,
//! which is forgotten at the end.

mod agent;
mod operators;
mod probe;
mod probe_report;

use std::net::SocketAddr;

use heartline_protocol::{AgentName, Token};

use crate::args::DoctorArgs;
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::{Settings, environment};
use crate::style::alert;
use agent::AgentSettings;
use operators::{OperatorConnection, ProbeEvidence};
use probe::ProbeOutcome;

/// Receive buffer that a collector requests, in bytes.
const RECEIVE_BUFFER: u64 = 4 << 20;
/// The id of the probe, below the token's scope.
const PROBE_ID: &str = "heartline-doctor";

/// The result of one check.
#[derive(Debug, PartialEq, Eq)]
enum Diagnostic {
    Ok(String),
    Note(String),
    Problem { what: String, advice: String },
}

impl Diagnostic {
    fn problem(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Problem { what: what.into(), advice: advice.into() }
    }
}

/// Prints the diagnostics, with advice where something is wrong.
pub(crate) async fn run(
    args: &DoctorArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let diagnostics = diagnose(args, settings).await;
    for diagnostic in &diagnostics {
        let line = match diagnostic {
            Diagnostic::Ok(what) => format!("{} {what}", console.formatter.tick()),
            Diagnostic::Note(what) => format!("{} {what}", alert("!")),
            Diagnostic::Problem { what, advice } => {
                format!("{} {what}\n    {advice}", console.formatter.cross())
            }
        };
        console.print(&line)?;
    }
    let wrong = diagnostics
        .iter()
        .filter(|diagnostic| matches!(diagnostic, Diagnostic::Problem { .. }))
        .count();
    match wrong {
        0 => console.say("No problems: the collector would receive an agent started here."),
        wrong => console.say(&format!("Problems: {wrong}. Fix the first one first.")),
    }
    Ok(CommandExit::negative_if(wrong > 0))
}

/// Runs the checks, as far as each one allows the next.
async fn diagnose(args: &DoctorArgs, settings: &Settings) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let agent = AgentSettings::read(&environment, &mut diagnostics);
    let token = agent.token(&mut diagnostics);
    if let (Some(name), Some(token)) = (&args.agent, &token) {
        diagnostics.push(agent::check_scope(name, token));
    }
    let collectors = agent.addresses(&mut diagnostics);
    let operators = OperatorConnection::connect(settings, &mut diagnostics).await;
    for addresses in collectors {
        let Some(token) = &token else { break };
        let Some(name) = probe_name(token) else { break };
        let before = match &operators {
            Some(operators) => Some(operators.before_probe(name.as_str()).await),
            None => None,
        };
        let (address, outcome) = probe_each(&addresses, token, &name, &mut diagnostics);
        let seen = match (&operators, &before) {
            (Some(operators), Some(before)) => {
                let evidence = operators.evidence_of(name.as_str(), before).await;
                evidence.map(|evidence| (operators, evidence))
            }
            _ => None,
        };
        diagnostics.push(probe_report::describe(&outcome, address, seen));
        let arrived = matches!(outcome, ProbeOutcome::Answered(_))
            || matches!(seen, Some((_, ProbeEvidence::Answered)));
        let is_own = name.as_str() != token.scope.as_str();
        if arrived && is_own && before.is_none_or(|before| !before.is_listed) {
            diagnostics.push(forget_probe(operators.as_ref(), name.as_str()).await);
        }
    }
    diagnostics.push(receive_buffer());
    diagnostics
}

/// Probes a collector's addresses until one answers, as an emitter does; returns the last outcome.
fn probe_each(
    addresses: &[SocketAddr],
    token: &Token,
    name: &AgentName,
    diagnostics: &mut Vec<Diagnostic>,
) -> (SocketAddr, ProbeOutcome) {
    let (last, others) = addresses.split_last().expect("a resolved name has an address");
    for address in others {
        let outcome = probe::send(*address, token, name);
        if matches!(outcome, ProbeOutcome::Answered(_)) {
            return (*address, outcome);
        }
        let what = match outcome {
            ProbeOutcome::Refused => "nothing listens there".to_owned(),
            ProbeOutcome::Failed(why) => why,
            ProbeOutcome::OtherVersion(version) => {
                format!("a collector that speaks version {version} of the protocol")
            }
            ProbeOutcome::Foreign => "something else than a collector answers".to_owned(),
            ProbeOutcome::Answered(_) | ProbeOutcome::Unanswered => "no answer".to_owned(),
        };
        let note = format!("{address}: {what}; agents go on to the next address");
        diagnostics.push(Diagnostic::Note(note));
    }
    (*last, probe::send(*last, token, name))
}

/// Returns the id of the probe: one that no agent has, or, with a token for one agent alone, that
/// agent.
fn probe_name(token: &Token) -> Option<AgentName> {
    let id = match token.scope.as_str() {
        "" => PROBE_ID.to_owned(),
        prefix if prefix.ends_with('.') => format!("{prefix}{PROBE_ID}"),
        agent => agent.to_owned(),
    };
    // A prefix can be so long that no id fits below it.
    AgentName::new(&id).ok()
}

/// Removes the probe from the fleet again.
async fn forget_probe(operators: Option<&OperatorConnection>, name: &str) -> Diagnostic {
    let is_gone = match operators {
        Some(operators) => operators.forget(name).await,
        None => false,
    };
    match is_gone {
        true => Diagnostic::Ok(format!("the probe's id {name} was forgotten again")),
        false => Diagnostic::Note(format!(
            "the probe is listed as {name}, state unknown; remove it there: heartline forget {name}"
        )),
    }
}

fn receive_buffer() -> Diagnostic {
    let path = "/proc/sys/net/core/rmem_max";
    let allowed = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
    match allowed {
        None => Diagnostic::Note(format!("{path} can't be read: receive buffer not checked")),
        Some(bytes) if bytes >= RECEIVE_BUFFER => Diagnostic::Ok(format!(
            "a collector here gets its receive buffer ({bytes} bytes allowed)"
        )),
        Some::<u64>(bytes) => Diagnostic::Note(format!(
            "a collector here gets a receive buffer of {bytes} bytes at most, and loses beats of \
             large fleets in bursts; as root: sysctl -w net.core.rmem_max={RECEIVE_BUFFER}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use heartline_protocol::{KeyEpoch, MasterKey, TokenScope};

    use super::*;

    fn name_for(scope: &str) -> Option<String> {
        let key = MasterKey::new([7; 32]).scope_key(KeyEpoch(1), scope);
        let token = Token { epoch: KeyEpoch(1), scope: TokenScope::new(scope).unwrap(), key };
        probe_name(&token).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn the_probe_speaks_for_an_id_that_the_token_covers() {
        assert_eq!(name_for("").as_deref(), Some("heartline-doctor"));
        assert_eq!(name_for("mail.").as_deref(), Some("mail.heartline-doctor"));
        assert_eq!(name_for("mail").as_deref(), Some("mail"));
        assert_eq!(name_for(&format!("{}.", "a".repeat(62))), None);
    }

    #[test]
    fn each_address_of_a_collector_is_probed() {
        let key = MasterKey::new([7; 32]).scope_key(KeyEpoch(1), "");
        let token = Token { epoch: KeyEpoch(1), scope: TokenScope::new("").unwrap(), key };
        let refusing = || UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let addresses = [refusing(), refusing()];
        let (name, mut notes) = (AgentName::new("probe").unwrap(), Vec::new());
        let (address, outcome) = probe_each(&addresses, &token, &name, &mut notes);
        assert_eq!(address, addresses[1]);
        assert!(matches!(outcome, ProbeOutcome::Refused));
        assert!(matches!(&notes[..], [Diagnostic::Note(note)] if note.contains("next address")));
    }
}
