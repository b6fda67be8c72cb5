//! What the outcome of a probe says, together with what the collector saw of it.

use std::net::SocketAddr;

use heartline_vocabulary::DatagramCounter;

use super::Diagnostic;
use super::operators::{OperatorConnection, ProbeEvidence};
use super::probe::ProbeOutcome;

/// Describes the outcome of a probe to `address`, and what to do; `seen`: what the collector of the
/// operators' socket saw of it, if there is one.
pub(super) fn describe(
    outcome: &ProbeOutcome,
    address: SocketAddr,
    seen: Option<(&OperatorConnection, ProbeEvidence)>,
) -> Diagnostic {
    match (outcome, seen) {
        (ProbeOutcome::Answered(trip), _) => Diagnostic::Ok(format!(
            "a signed probe to {address} was answered in {:.1} ms: address and token are right",
            trip.as_secs_f64() * 1e3
        )),
        (ProbeOutcome::Refused, seen) => {
            let elsewhere = seen.map(|(operators, _)| operators.listens_on());
            let what = format!("nothing listens on {address} (connection refused)");
            match elsewhere {
                Some(there) => wrong_port(&what, &there),
                None => Diagnostic::problem(
                    what,
                    "Start `heartlined` there, or set HEARTLINE_COLLECTOR to where it listens.",
                ),
            }
        }
        (ProbeOutcome::Failed(why), _) => Diagnostic::problem(
            format!("can't send to {address}: {why}"),
            "Check the network, the firewall of this machine, and the address in \
             HEARTLINE_COLLECTOR.",
        ),
        (ProbeOutcome::OtherVersion(version), _) => other_version(&format!(
            "the collector on {address} speaks version {version} of the protocol, and this is \
             version 1"
        )),
        (ProbeOutcome::Foreign, seen) => {
            let what = format!("something else than a collector answers on {address}");
            let there = seen.map(|(operators, _)| operators.listens_on());
            wrong_port(&what, there.as_deref().unwrap_or("it listens elsewhere"))
        }
        (ProbeOutcome::Unanswered, Some((_, ProbeEvidence::Refused(counter)))) => refused(counter),
        (ProbeOutcome::Unanswered, Some((_, ProbeEvidence::Answered))) => Diagnostic::problem(
            format!("the probe to {address} arrived, and the collector's answer did not come back"),
            "A firewall or a NAT on the way drops UDP from the collector to this machine: allow \
             it. Until then agents here are shown as ONE-WAY, and a kill does not reach them.",
        ),
        (ProbeOutcome::Unanswered, Some((operators, ProbeEvidence::Nothing))) => {
            unseen(address, operators)
        }
        (ProbeOutcome::Unanswered, None) => Diagnostic::problem(
            format!("no answer from {address}"),
            "A collector answers nothing that is signed wrongly: the token may be of another \
             collector, or revoked (make one there: `heartline token`). Or its version of the \
             protocol is another one, or a firewall drops UDP to or from this port. On the \
             collector's machine, `heartline doctor` with these settings tells which.",
        ),
    }
}

fn refused(counter: &DatagramCounter) -> Diagnostic {
    let what = |why: &str| format!("the probe reached the collector, which refused it: {why}");
    let label = counter.label;
    match counter.name {
        "bad_tag" => Diagnostic::problem(
            what("its signature is wrong"),
            "The token is of another collector, or of another master key. Make one with \
             `heartline token`.",
        ),
        "unknown_epoch" => Diagnostic::problem(
            what("the token is of a master key that it does not have"),
            "Make another token with `heartline token`.",
        ),
        "revoked" => Diagnostic::problem(
            what("its token is revoked"),
            "`heartline token list` shows who revoked it, when and why. Give the agent one of its \
             own (`heartline token --agent NAME`), or undo that: `heartline token reinstate`.",
        ),
        "bad_magic" => other_version(&what("it speaks another version of the protocol")),
        "over_limit" => Diagnostic::problem(
            what("it has no room for new agents"),
            "Too many new agents came within a minute, or there are too many in all: \
             `heartline status` says which. Forget retired ones with `heartline forget`, or \
             raise [limits] new_agents_per_minute.",
        ),
        _ => Diagnostic::problem(
            what(label),
            "Something on the way changes datagrams, or `heartline` and `heartlined` are of \
             different versions: update both.",
        ),
    }
}

fn other_version(what: &str) -> Diagnostic {
    Diagnostic::problem(
        what,
        "Update the older of both: the emitter of this agent, or `heartlined`.",
    )
}

fn wrong_port(what: &str, there: &str) -> Diagnostic {
    Diagnostic::problem(
        format!("{what}; {there}"),
        "Set HEARTLINE_COLLECTOR to where the collector listens, or start it here: `heartlined \
         --listen`.",
    )
}

/// Describes silence from an address, of which the collector that operators reach saw nothing.
fn unseen(address: SocketAddr, operators: &OperatorConnection) -> Diagnostic {
    let there = operators.listens_on();
    let what = format!("no answer from {address}, and no probe came to the collector; {there}");
    if operators.listens_on_port(address.port()) {
        Diagnostic::problem(
            what,
            "A firewall drops UDP to that port, or the address in HEARTLINE_COLLECTOR is of \
             another machine.",
        )
    } else {
        Diagnostic::problem(
            what,
            "The port is wrong: set HEARTLINE_COLLECTOR to where it listens. If another collector \
             is meant, ask that one: heartline --ssh HOST doctor.",
        )
    }
}
