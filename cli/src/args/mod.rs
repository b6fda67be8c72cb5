//! The command line as it is typed. What it comes to is in [`crate::settings`].

mod act;
mod alert;
mod backup;
mod export;
mod fleet;
mod note;
mod run;
mod tools;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};

use crate::completion;

pub(crate) use act::{
    ExecutionArgs, ForgetArgs, KillArgs, ResumeArgs, ScopeArgs, TargetArgs, TokenArgs,
    TokenCommand, TokenRevokeArgs,
};
pub(crate) use alert::{
    AckTarget, AlertsArgs, AlertsCommand, IncidentsArgs, ReplayArgs, SilenceArgs,
};
pub(crate) use backup::BackupArgs;
pub(crate) use export::{ExportArgs, ExportFormat, ExportTable};
pub(crate) use fleet::{
    AgentArgs, BudgetsArgs, COLLECTOR, CollectorArgs, EventsArgs, HistoryArgs, OutagesArgs,
    RosterArgs, Screen, SnapshotArgs, StatusArgs, TuiArgs, WatchArgs,
};
pub(crate) use note::{AckArgs, NoteArgs, OutageNumber};
pub(crate) use run::{OnExit, RunArgs};
#[cfg(feature = "demo")]
pub(crate) use tools::DemoRunArgs;
pub(crate) use tools::{
    CompletionsArgs, ConfigCheckArgs, ConfigCommand, ConfigSection, DoctorArgs, ManArgs,
};

/// Watches a fleet of agents: shows how they are, and kills and resumes them.
///
/// Without a command it opens the terminal app.
#[derive(Debug, Parser)]
#[command(name = "heartline", version, after_help = EXIT_CODES, after_long_help = LONG_AFTER)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    /// Only agents that match, e.g. 'state:degraded host:m3* p95>2s'
    #[arg(long, value_name = "Q", add = completion::filter_parts())]
    pub(crate) filter: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 condition failed (--fail-on matched, not obeyed in \
                          time, a refused kill); 2 usage; 3 no collector";

const LONG_AFTER: &str = "\
Exit codes: 0 done; 1 condition failed (--fail-on matched, not obeyed in time, a refused kill); \
2 usage; 3 no collector.

Environment: HEARTLINE_DATA_DIR, HEARTLINE_SOCKET_DIR, HEARTLINE_SSH, HEARTLINE_CONFIG and
NO_COLOR. Flags win over the environment, the environment over the config file. TERM decides on
colours, TERM and the locale (LC_ALL, LC_CTYPE, LANG) on --ascii, and COLUMNS, where standard output
is no terminal, on the width.

Filters: a bare word matches names; state:degraded host:m3* group:mail step>5m p95>2s !tag:dev,
joined by 'and' (or nothing), 'or', '!', and parentheses.";

/// Heading of the flags of every command.
const GLOBAL: &str = "Options of every command";

/// Flags of every command.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct GlobalArgs {
    /// The collector's data directory (with --ssh: on that host) [env: HEARTLINE_DATA_DIR]
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data_dir: Option<PathBuf>,
    /// Directory of the collector's sockets (with --ssh: on that host) [env: HEARTLINE_SOCKET_DIR]
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) socket_dir: Option<PathBuf>,
    /// Reach the collector on this host through ssh
    #[arg(
        long, global = true, help_heading = GLOBAL, value_name = "HOST", env = "HEARTLINE_SSH", hide_env_values = true,
        value_hint = ValueHint::Hostname
    )]
    pub(crate) ssh: Option<String>,
    /// Look at this incident file instead of a collector
    #[cfg(feature = "open")]
    #[arg(
        long, global = true, help_heading = GLOBAL, value_name = "FILE", value_hint = ValueHint::FilePath,
        conflicts_with_all = ["data_dir", "socket_dir"]
    )]
    pub(crate) open: Option<PathBuf>,
    /// The config file [default: $XDG_CONFIG_HOME/heartline/heartline.toml]
    #[arg(
        long, global = true, help_heading = GLOBAL, value_name = "FILE", env = "HEARTLINE_CONFIG", hide_env_values = true,
        value_hint = ValueHint::FilePath
    )]
    pub(crate) config: Option<PathBuf>,
    /// Only look: nothing can be killed, resumed or changed
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) read_only: bool,
    /// Draw with ASCII characters only; so it is where terminal or locale have no others
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) ascii: bool,
    /// Draw with Unicode characters, whatever terminal, locale and config file say
    #[arg(long, global = true, help_heading = GLOBAL, conflicts_with = "ascii")]
    pub(crate) unicode: bool,
    /// Theme of the terminal app: dark, light, mono or colour-blind
    #[arg(
        long, global = true, help_heading = GLOBAL, value_name = "NAME",
        add = completion::theme_names()
    )]
    pub(crate) theme: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Open the terminal app (as without a command)
    Tui(TuiArgs),
    /// Watch a fleet of 20 real agents on loopback, with scripted failures
    ///
    /// A collector of its own in a temporary directory, and 20 agent processes on 4 pretend hosts:
    /// one dies, one deadlocks in its worker while it goes on beating, one burns money, one is
    /// killed by an operator. Nothing is left when it ends.
    #[cfg(feature = "demo")]
    Demo(DemoRunArgs),
    /// The fleet as a table, or as JSON
    Status(StatusArgs),
    /// One agent, everything known of it
    Agent(AgentArgs),
    /// What happened: transitions, commands, starts, and time not observed; oldest first
    Events(EventsArgs),
    /// What an agent, or the fleet, did, and in which states it was, step by step
    History(HistoryArgs),
    /// When agents were degraded or unreachable, for how long, and why; oldest first
    Outages(OutagesArgs),
    /// Events, outages or rollups of a range of time, for other programs and spreadsheets
    ///
    /// They are written as they come, however many there are.
    Export(ExportArgs),
    /// One screen of the terminal app as text
    Snapshot(SnapshotArgs),
    /// Kill agents: they start no new task until they are resumed
    ///
    /// It names what it will hit and asks before it does. A kill is durable before it is
    /// acknowledged, survives restarts of agent and collector, and never interrupts a task in
    /// flight. NAME is an agent's id or a pattern such as 'mail.*'.
    Kill(KillArgs),
    /// Let killed agents work again
    Resume(ResumeArgs),
    /// Write a note on an outage
    Note(NoteArgs),
    /// Incidents that go on, who was told of them, how the sinks do, and silences
    Alerts(AlertsArgs),
    /// Incidents: trouble of one cause; newest first
    Incidents(IncidentsArgs),
    /// Tell nobody of some agents for a while; without a filter: list silences and windows
    ///
    /// A silence always has an end and a reason. History stays true underneath, and what is still down at its end is
    /// told then.
    Silence(SilenceArgs),
    /// Acknowledge incidents or outages: somebody looks after them
    Ack(AckArgs),
    /// What agents may use up in an hour or a day, and how much of it they have
    ///
    /// Budgets are tables [[budget]] of the collector's config file.
    Budgets(BudgetsArgs),
    /// How the collector itself does: doubts, queues, losses, ticks, commits, disk, and who watches it
    Collector(CollectorArgs),
    /// Who is expected: groups of which so many agents must run, and agents that must have come
    ///
    /// They are tables [[group]] and [[expected]] of the collector's config file.
    Roster(RosterArgs),
    /// Remove retired agents from the fleet; their history stays
    Forget(ForgetArgs),
    /// Copy the collector's databases while they are in use
    ///
    /// The collector writes the copy, on its own machine and as its own user, who alone may read it. It is
    /// whole or not there at all. The master key is in it, so that it can be restored: keep it as secret as
    /// the data directory. README in it says how to restore it.
    Backup(BackupArgs),
    /// Make, revoke and list the tokens that agents sign with
    ///
    /// Without a subcommand it prints a token: for --agent one agent, for --scope a group, else for
    /// the whole fleet.
    Token(TokenArgs),
    /// A line for each thing that happens, for pipes, logs and screen readers
    Watch(WatchArgs),
    /// Run any program as an agent
    ///
    /// It beats for the program, with what that uses of CPU and memory, and reports its end at once:
    /// exit code or signal, and whether the kernel ended it for want of memory. A kill of the agent ends
    /// the program, a resume starts it again. SIGTERM, SIGINT and SIGHUP are handed on to it and its
    /// children, and its exit code is passed on (128 and the number of a signal, 127 where the program
    /// is not found, 126 where it can't be run). An emitter of its own reports through this command: both
    /// are one agent. Settings are those of agents: HEARTLINE_COLLECTOR, HEARTLINE_TOKEN, and so on.
    Run(RunArgs),
    /// Find out why an agent on this machine would not be seen
    ///
    /// Sends a signed probe with the settings that an agent would use here (HEARTLINE_COLLECTOR,
    /// HEARTLINE_TOKEN, HEARTLINE_TOKEN_FILE, or the defaults), and names what is wrong. On the
    /// collector's machine it tells more, because the collector counts what it refuses.
    Doctor(DoctorArgs),
    /// Check, make or show the config file
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print completions for a shell: commands, flags and their values, and the agents there are
    ///
    /// To try them in bash or zsh: source <(heartline completions bash). To keep them:
    /// heartline completions bash > ~/.local/share/bash-completion/completions/heartline,
    /// heartline completions fish > ~/.config/fish/completions/heartline.fish, or for zsh into a
    /// file _heartline in a directory of $fpath.
    Completions(CompletionsArgs),
    /// Print the manual page, or write all of them to a directory
    Man(ManArgs),
    /// What --ssh runs on the far side: joins standard input and output to the collector's socket
    DialStdio,
    /// The collector of a demo.
    #[cfg(feature = "demo")]
    #[command(hide = true)]
    DemoCollector(heartline_demo::CollectorProcessArgs),
    /// An agent of a demo.
    #[cfg(feature = "demo")]
    #[command(hide = true)]
    DemoAgent(heartline_demo::AgentProcessArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_of_the_arguments_is_valid() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_demo_is_there_if_its_feature_is_on() {
        let command = Arguments::command();
        for name in ["demo", "demo-agent", "demo-collector"] {
            assert_eq!(command.find_subcommand(name).is_some(), cfg!(feature = "demo"), "{name}");
        }
    }

    #[cfg(feature = "demo")]
    #[test]
    fn help_is_the_contract() {
        let mut texts = Vec::new();
        help_of(Arguments::command().bin_name("heartline"), "heartline", &mut texts);
        insta::assert_snapshot!(texts.join("\n\n"));
    }

    #[cfg(feature = "demo")]
    fn help_of(mut command: clap::Command, path: &str, texts: &mut Vec<String>) {
        // The values of the environment that the tests run in are no part of it.
        command = command.mut_args(|arg| arg.hide_env(true)).term_width(100);
        texts.push(format!("## {path}\n\n{}", command.render_help()));
        let below: Vec<_> =
            command.get_subcommands().filter(|sub| !sub.is_hide_set()).cloned().collect();
        for sub in below {
            let path = format!("{path} {}", sub.get_name());
            help_of(sub.bin_name(path.clone()), &path, texts);
        }
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        for words in [
            ["heartline", "--data-dir", "/d", "status", "--json"],
            ["heartline", "status", "--json", "--data-dir", "/d"],
        ] {
            let arguments = Arguments::try_parse_from(words).unwrap();
            assert_eq!(arguments.global.data_dir, Some("/d".into()));
            assert!(matches!(arguments.command, Some(Command::Status(_))));
        }
    }

    #[test]
    fn a_time_may_begin_with_a_sign_and_events_that_are_followed_have_no_end() {
        let parse = |words: &str| Arguments::try_parse_from(words.split(' ')).map(|_| ());
        assert!(parse("heartline events --since -2h --until -1h").is_ok());
        assert!(parse("heartline events --since -2h --follow").is_ok());
        assert!(parse("heartline events --until -1h --follow").is_err());
    }

    #[test]
    fn a_kill_needs_a_reason_and_one_kind_of_target() {
        let parse = |words: &str| Arguments::try_parse_from(words.split(' ')).map(|_| ());
        assert!(parse("heartline kill mail").is_err());
        assert!(parse("heartline kill --reason x").is_err());
        assert!(parse("heartline kill mail --filter mail --reason x").is_err());
        assert!(parse("heartline kill mail web --reason x --yes --wait 10s").is_ok());
        assert!(parse("heartline resume --filter host:m3").is_ok());
    }
}
