//! What the command line draws, by terminal, locale and width, in real pseudo-terminals.

use std::io::Read as _;

use heartline_tests::harness::{CollectorProcess, TestEnvironment, TestedProgram, wait_until};
use portable_pty::{CommandBuilder, NativePtySystem, PtySize, PtySystem as _};

const SIZE: PtySize = PtySize { rows: 24, cols: 200, pixel_width: 0, pixel_height: 0 };
const ESCAPE: char = '\u{1b}';

/// Runs `heartline` in a pseudo-terminal to its end, with these variables too. Returns its exit code
/// and what it printed.
fn run_in_terminal(env: &TestEnvironment, args: &str, variables: &[(&str, &str)]) -> (u32, String) {
    let base = env.command(TestedProgram::Heartline.path());
    let mut command = CommandBuilder::new(base.get_program());
    command.env_clear();
    for (name, value) in base.get_envs() {
        command.env(name, value.expect("nothing is taken away from an empty environment"));
    }
    for (name, value) in variables {
        command.env(name, value);
    }
    command.args(args.split(' ').filter(|word| !word.is_empty()));
    let pty = NativePtySystem::default().openpty(SIZE).unwrap();
    let mut output = pty.master.try_clone_reader().unwrap();
    let mut child = pty.slave.spawn_command(command).unwrap();
    drop(pty.slave);
    let mut printed = Vec::new();
    // The end of the last process on a terminal is an input/output error to its master.
    let _end = output.read_to_end(&mut printed);
    (child.wait().unwrap().exit_code(), String::from_utf8(printed).unwrap())
}

/// Starts a collector and these agents, and waits until all are healthy.
fn start_fleet(
    env: &TestEnvironment,
    names: &[&str],
) -> (CollectorProcess, Vec<heartline::Heartline>) {
    let collector = env.start_collector();
    let start = |name: &&str| env.emitter(name, collector.address(), 60_000).start();
    let agents: Vec<_> = names.iter().map(start).collect();
    let operator = env.operator();
    wait_until("all are healthy", || operator.collector().summary.healthy as usize == names.len());
    (collector, agents)
}

#[test]
fn a_terminal_that_cannot_be_drawn_on_is_refused_with_what_to_use_instead() {
    let env = TestEnvironment::new();
    for variables in [&[][..], &[("TERM", "")], &[("TERM", "dumb")], &[("TERM", "unknown")]] {
        for (args, instead) in [
            ("", "`heartline status`"),
            ("tui", "`heartline watch --plain`"),
            ("demo", "`heartline demo --headless`"),
        ] {
            let (code, printed) = run_in_terminal(&env, args, variables);
            assert_eq!(code, 2, "{variables:?} {args}: {printed}");
            assert!(printed.contains("TERM is") && printed.contains(instead), "{printed}");
            assert!(!printed.contains(ESCAPE), "{variables:?} {args}: {printed:?}");
        }
    }
}

#[test]
fn colours_and_characters_are_those_of_terminal_and_locale() {
    let env = TestEnvironment::new();
    let _fleet = start_fleet(&env, &["shop.1"]);
    let table = [
        ("xterm-256color", "C.UTF-8", "", (true, "●")),
        ("xterm-256color", "C.UTF-8", "--ascii", (true, "+")),
        ("xterm-256color", "C", "", (true, "+")),
        ("xterm-256color", "en_US.ISO-8859-1", "", (true, "+")),
        ("linux", "C.UTF-8", "", (true, "+")),
        ("linux", "C.UTF-8", "--unicode", (true, "●")),
        ("vt220", "C.UTF-8", "", (false, "+")),
        ("dumb", "C.UTF-8", "", (false, "●")),
    ];
    for (term, locale, flag, (has_colours, glyph)) in table {
        let variables = [("TERM", term), ("LANG", "C.UTF-8"), ("LC_ALL", locale)];
        let case = format!("TERM={term} LC_ALL={locale} {flag}");
        let (code, status) = run_in_terminal(&env, &format!("status {flag}"), &variables);
        assert_eq!(code, 0, "{case}: {status}");
        assert_eq!(status.contains(ESCAPE), has_colours, "{case}: {status:?}");
        assert!(status.contains(&format!("{glyph} HEALTHY")), "{case}: {status:?}");
        // A screen of the terminal app is drawn with the same characters.
        let (_, screen) = run_in_terminal(&env, &format!("snapshot {flag}"), &variables);
        assert_eq!(status.is_ascii(), glyph == "+", "{case}: {status:?}");
        assert_eq!(screen.is_ascii(), glyph == "+", "{case}: {screen}");
    }
}

#[test]
fn what_is_piped_is_as_wide_as_columns_says() {
    let env = TestEnvironment::new();
    let _fleet = start_fleet(&env, &["shop.1", "shop.2"]);
    let status = |columns: Option<&str>| {
        let mut command = env.command(TestedProgram::Heartline.path());
        command.arg("status").envs(columns.map(|columns| ("COLUMNS", columns)));
        let output = command.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let widest = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(status(None).contains("STARTS") && widest(&status(None)) > 80);
    for (columns, width) in [("40", 40), ("60", 60), ("80", 80)] {
        let text = status(Some(columns));
        assert!(widest(&text) <= width, "{columns}:\n{text}");
        assert!(text.contains("shop.1") && text.contains("2 agents"), "{text}");
    }
}
