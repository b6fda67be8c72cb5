//! Commands that change the fleet.

use std::time::Duration;

use clap::{Args, Subcommand};
use heartline_operator::text::parse_duration;

use crate::completion;

/// The targets of a command.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = true)]
pub(crate) struct TargetArgs {
    /// Ids of agents, or patterns such as 'mail.*'
    #[arg(value_name = "NAME", conflicts_with = "filter", add = completion::agent_names())]
    pub(crate) names: Vec<String>,
    /// All agents that match
    #[arg(long, value_name = "Q", add = completion::filter_parts())]
    pub(crate) filter: Option<String>,
}

/// `kill`
#[derive(Args, Debug)]
pub(crate) struct KillArgs {
    #[command(flatten)]
    pub(crate) targets: TargetArgs,
    /// Why; it is stored with your name, the host and the time
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
}

/// `resume`
#[derive(Args, Debug)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    pub(crate) targets: TargetArgs,
    /// Why; it is stored with your name, the host and the time
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) execution: ExecutionArgs,
}

/// Options of the execution of a command.
#[derive(Args, Clone, Debug)]
pub(crate) struct ExecutionArgs {
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Confirm how many agents it will hit: needed for more than 10, or 20 % of the fleet
    #[arg(long, value_name = "N")]
    pub(crate) expect: Option<u32>,
    /// Wait until it is obeyed and say how long that took; exit with 1 if it is not within this time,
    /// unless only tasks in flight are left to end
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    pub(crate) wait: Option<Duration>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// `forget`
#[derive(Args, Debug)]
pub(crate) struct ForgetArgs {
    #[command(flatten)]
    pub(crate) targets: TargetArgs,
    /// Do not ask; agents that are named in full are never asked about
    #[arg(long)]
    pub(crate) yes: bool,
    /// Confirm how many agents a pattern or filter hits: needed for more than 10, or 20 % of the
    /// fleet
    #[arg(long, value_name = "N")]
    pub(crate) expect: Option<u32>,
}

/// `token`
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct TokenArgs {
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
    #[command(subcommand)]
    pub(crate) command: Option<TokenCommand>,
}

/// Which agents a token speaks for.
#[derive(Args, Clone, Debug, Default)]
#[group(multiple = false)]
pub(crate) struct ScopeArgs {
    /// All agents whose id starts with this prefix; ends in a dot, such as 'mail.'; '' is the whole fleet
    #[arg(long, value_name = "PREFIX")]
    pub(crate) scope: Option<String>,
    /// This agent alone
    #[arg(long, value_name = "NAME", add = completion::agent_names())]
    pub(crate) agent: Option<String>,
}

/// `token …`
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// From now on, refuse everything that is signed with this token
    Revoke(TokenRevokeArgs),
    /// Undo a revocation
    Reinstate(TokenReinstateArgs),
    /// Tokens made and revoked so far
    List(TokenListArgs),
}

/// `token revoke`
#[derive(Args, Debug)]
pub(crate) struct TokenRevokeArgs {
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
    /// Why; it is stored with your name, the host and the time
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `token reinstate`
#[derive(Args, Debug)]
pub(crate) struct TokenReinstateArgs {
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
}

/// `token list`
#[derive(Args, Debug)]
pub(crate) struct TokenListArgs {
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}
