//! Completion in real shells, typed at a terminal, against a real collector.

use std::ffi::OsString;
use std::io::{Read as _, Write};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use heartline_tests::harness::{CollectorProcess, TestEnvironment, TestedProgram, wait_until};
use portable_pty::{Child, CommandBuilder, MasterPty, NativePtySystem, PtySize, PtySystem as _};

const SIZE: PtySize = PtySize { rows: 50, cols: 250, pixel_width: 0, pixel_height: 0 };
const AGENTS: [&str; 3] = ["billing.1", "mail.2", "mail.10"];
const HOME_KEY: &str = "\u{1}";
const END_KEY: &str = "\u{5}";

/// A line as it is typed before Tab, what closes it, and the last word that comes of it.
const LINES: &[(&str, &str, &str)] = &[
    ("kill mail.1", "", "mail.10"),
    ("kill mail.2 bil", "", "billing.1"),
    ("forget mail.2", "", "mail.2"),
    ("snapshot --agent bil", "", "billing.1"),
    ("--theme col", "", "colour-blind"),
    ("--theme=col", "", "--theme=colour-blind"),
    ("status --fail-on unr", "", "unreachable"),
    ("status --fail-on unreachable,col", "", "unreachable,collector"),
    ("status --fail-on healthy,deg", "", "healthy,degraded"),
    ("snapshot --screen tr", "", "transitions"),
    ("status --filter state:deg", "", "state:degraded"),
    ("status --filter=phase:wait", "", "--filter=phase:waiting"),
    ("status --filter agent:bil", "", "agent:billing.1"),
    ("status --filter p95", "", "p95>"),
    ("status --filter 'state:deg", "", "state:degraded"),
    ("status --filter 'p95>2s ho", "'", "p95>2s host:"),
    ("compl", "", "completions"),
    // A file of that name is in the directory.
    ("--config nas", "", "nasty $(touch x).toml"),
    ("alerts test ch", "", "chat"),
    ("silence --end ", "", "1"),
    ("config check --agent bil", "", "billing.1"),
    // Another collector, which is not there: no names, and no message.
    ("--socket-dir /nonexistent kill mail.1", "", "mail.1"),
];

/// A collector with three agents, and `heartline` on the `PATH`.
struct CompletionTest {
    env: TestEnvironment,
    path: OsString,
    _collector: CollectorProcess,
    _agents: Vec<heartline::Heartline>,
}

impl CompletionTest {
    fn start() -> Self {
        let env = TestEnvironment::new();
        env.configure("[[sink]]\nname = \"chat\"\ntype = \"command\"\ncommand = [\"/bin/true\"]\n");
        let collector = env.start_collector();
        let start = |name| env.emitter(name, collector.address(), 60_000).start();
        let agents: Vec<_> = AGENTS.into_iter().map(start).collect();
        wait_until("all are healthy", || env.operator().collector().summary.healthy == 3);
        let silenced = env.heartline("silence agent:mail* --for 1h --reason build");
        assert!(silenced.status.success());
        std::fs::create_dir_all(env.path().join("home")).unwrap();
        std::fs::write(env.path().join("nasty $(touch x).toml"), "").unwrap();
        let program = TestedProgram::Heartline.path();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(program.parent().unwrap().to_owned());
        let path = std::env::join_paths(folders.chain(std::env::split_paths(&path))).unwrap();
        Self { env, path, _collector: collector, _agents: agents }
    }

    /// Starts a shell at a terminal, and gives it this line.
    fn open_shell(&self, words: &[&str], first_line: &str) -> ShellTerminal {
        assert_installed(words[0]);
        let mut command = CommandBuilder::from_argv(words.iter().map(OsString::from).collect());
        command.env_clear();
        for (name, value) in self.env.command("sh").get_envs() {
            command.env(name, value.expect("nothing is taken away from an empty environment"));
        }
        command.env("PATH", &self.path);
        command.env("TERM", "xterm");
        command.env("INPUTRC", "/dev/null");
        command.cwd(self.env.path());
        let mut shell = ShellTerminal::open(command);
        shell.run(&format!("{first_line}; printf '<%s>' heartline ready; echo EN\"\"D"));
        shell
    }
}

/// Fails where a shell is missing: nothing is skipped.
fn assert_installed(shell: &str) {
    let found = Command::new(shell).arg("--version").output().is_ok_and(|it| it.status.success());
    assert!(
        found,
        "{shell} is not installed: install it (`apt-get install {shell}`), or run `cargo xtask \
         test` as root, which does"
    );
}

/// An interactive shell.
struct ShellTerminal {
    shell: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    printed: Arc<Mutex<String>>,
    _terminal: Box<dyn MasterPty + Send>,
}

impl ShellTerminal {
    fn open(command: CommandBuilder) -> Self {
        let pty = NativePtySystem::default().openpty(SIZE).unwrap();
        let mut output = pty.master.try_clone_reader().unwrap();
        let shell = pty.slave.spawn_command(command).unwrap();
        let printed = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&printed);
        thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                shared.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
        });
        let keys = pty.master.take_writer().unwrap();
        Self { shell, keys, printed, _terminal: pty.master }
    }

    /// Types a line that ends by printing `END`; returns the words that it prints, each as `<word>`.
    fn run(&mut self, line: &str) -> String {
        self.printed.lock().unwrap().clear();
        self.keys.write_all(format!("{line}\r").as_bytes()).unwrap();
        let printed = Arc::clone(&self.printed);
        let printed = move || printed.lock().unwrap().clone();
        wait_until(&format!("the shell has run {line:?}"), || printed().contains("END"));
        let printed = printed();
        let words = printed.split("END").next().and_then(|text| text.rsplit("<heartline>").next());
        words.unwrap().to_owned()
    }

    /// Types a line and Tab; returns the last word of the line as the shell then has it.
    fn complete(&mut self, line: &str, closing: &str) -> String {
        let print = format!("{HOME_KEY}printf '<%s>' {END_KEY}; echo EN\"\"D");
        let words = self.run(&format!("heartline {line}\t{closing}{print}"));
        let last = words.trim_end_matches('>').rsplit_once('<').map(|(_, last)| last.to_owned());
        // A word may end in `>` itself.
        let ends = words.len() - words.trim_end_matches('>').len();
        last.unwrap_or_else(|| panic!("{line:?} printed {words:?}")) + &">".repeat(ends - 1)
    }
}

impl Drop for ShellTerminal {
    fn drop(&mut self) {
        let _ended = self.shell.kill().and_then(|()| self.shell.wait());
    }
}

#[test]
fn bash_completes_agents_states_themes_screens_and_filters() {
    let test = CompletionTest::start();
    let mut bash = test.open_shell(
        &["bash", "--norc", "--noprofile", "-i"],
        "source <(heartline completions bash)",
    );
    for (line, closing, last) in LINES {
        assert_eq!(bash.complete(line, closing), *last, "{line}");
    }
}

#[test]
fn zsh_completes_agents_states_themes_screens_and_filters() {
    let test = CompletionTest::start();
    let mut zsh = test.open_shell(
        &["zsh", "-f", "-i"],
        "autoload -Uz compinit; compinit -u -D; source <(heartline completions zsh)",
    );
    for (line, closing, last) in LINES {
        assert_eq!(zsh.complete(line, closing), *last, "{line}");
    }
}

#[test]
fn fish_completes_agents_states_themes_screens_and_filters() {
    assert_installed("fish");
    let test = CompletionTest::start();
    for (line, _, last) in LINES {
        let mut command = test.env.command("fish");
        command.env("PATH", &test.path).env("LINE", line).args(["--no-config", "-c"]);
        command.arg("heartline completions fish | source; complete -C \"heartline $LINE\"");
        let output = command.output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let offered: Vec<_> =
            printed.lines().map(|line| line.split('\t').next().unwrap()).collect();
        // Without a candidate the word stays as it was typed.
        let is_offered = offered == [*last] || (offered.is_empty() && line.ends_with(last));
        assert!(is_offered, "{line}: {printed}{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn agents_are_offered_by_number_with_their_states() {
    let test = CompletionTest::start();
    let mut command = test.env.command(TestedProgram::Heartline.path());
    command.env("HEARTLINE_COMPLETE", "zsh").args(["--", "heartline", "kill", ""]);
    let output = command.output().unwrap();
    let offered = String::from_utf8(output.stdout).unwrap();
    let names: Vec<_> = offered.lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(names, ["billing.1\tHEALTHY", "mail.2\tHEALTHY", "mail.10\tHEALTHY"]);
}
