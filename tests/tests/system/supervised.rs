//! Programs that run under `heartline run`. None lasts longer than a minute: a test that ends early kills
//! their supervisor, and not them.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use heartline_operator::message::EventKind;
use heartline_tests::harness::{
    CollectorProcess, TestEnvironment, TestOperator, TestProcess, TestedProgram, rollup_totals,
    wait_until,
};
use heartline_vocabulary::{Action, Reason, State};
use rustix::process::{Pid, Signal, kill_process};

/// Returns `heartline run` with these flags, for a program that follows.
fn run(env: &TestEnvironment, collector: &str, flags: &[&str]) -> Command {
    let mut command = env.command(TestedProgram::Heartline.path());
    command.arg("run").args(flags).arg("--");
    command.env("HEARTLINE_COLLECTOR", collector).env("HEARTLINE_INTERVAL", "200ms");
    command
}

/// Starts a shell script as an agent.
#[track_caller]
fn run_script(
    env: &TestEnvironment,
    collector: SocketAddr,
    flags: &[&str],
    script: &str,
) -> TestProcess {
    let mut command = run(env, &collector.to_string(), flags);
    TestProcess::start(command.args(["sh", "-c", script]))
}

/// Starts `minimal_agent`, which has an emitter of its own, as an agent.
#[track_caller]
fn run_agent(env: &TestEnvironment, collector: &str, flags: &[&str], name: &str) -> TestProcess {
    let mut command = run(env, collector, flags);
    TestProcess::start(command.arg(TestedProgram::MinimalAgent.path()).arg(name))
}

fn is(operator: &TestOperator, name: &str, state: State, reason: Option<Reason>) -> bool {
    operator.agent(name).is_some_and(|it| (it.vitals.state, it.vitals.reason) == (state, reason))
}

/// Returns the causes of the transitions of an agent, oldest first.
fn causes(operator: &TestOperator, name: &str) -> Vec<String> {
    let events = operator.events().into_iter();
    let of_agent = events.filter(|event| event.agent.as_deref() == Some(name));
    of_agent
        .filter_map(|event| match event.kind {
            EventKind::Transition { cause, .. } => cause,
            _ => None,
        })
        .collect()
}

/// Returns the id of the process that `minimal_agent` prints at its start.
#[track_caller]
fn own_pid(process: &mut TestProcess) -> Pid {
    let pid = process.wait_for_line("the agent starts", |line| {
        line.split_once(", process ").and_then(|(_, pid)| pid.parse().ok())
    });
    Pid::from_raw(pid).expect("a process id")
}

#[test]
fn an_exit_is_reported_at_once_and_passed_on() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let cases = [
        ("code", "exit 3", 3, "exit code 3"),
        ("signal", "kill -SEGV $$", 128 + 11, "terminated by SIGSEGV (11)"),
        ("at-once", "exit 1", 1, "exit code 1"),
    ];
    for (name, script, code, cause) in cases {
        let mut process = run_script(&env, collector.address(), &["--agent", name], script);
        assert_eq!(process.wait().code(), Some(code), "{name}: {}", process.stderr().join("\n"));
        wait_until("its end is seen", || {
            is(&operator, name, State::Unreachable, Some(Reason::Crashed))
        });
        wait_until("its end is stored", || {
            causes(&operator, name).iter().any(|it| it.contains(cause))
        });
    }
    let mut clean = run_script(&env, collector.address(), &["--agent", "clean"], "exit 0");
    assert_eq!(clean.wait().code(), Some(0));
    wait_until("its state is seen", || {
        is(&operator, "clean", State::Killed, Some(Reason::Shutdown))
    });
}

#[test]
fn a_program_that_can_not_be_run_is_a_crash_with_the_code_of_a_shell() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let file = env.path().join("plain.sh");
    fs::write(&file, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let cases = [
        ("missing", Path::new("no-such-program").to_owned(), 127, "No such file"),
        ("plain", file, 126, "Permission denied"),
    ];
    for (name, program, code, message) in cases {
        let mut command = run(&env, &collector.address().to_string(), &["--agent", name]);
        let output = command.arg(&program).output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(message) && stderr.lines().count() == 1, "{stderr}");
        wait_until("its state is seen", || {
            is(&operator, name, State::Unreachable, Some(Reason::Crashed))
        });
    }
}

#[test]
fn without_a_collector_the_program_runs_all_the_same() {
    let env = TestEnvironment::new();
    let mut command = run(&env, "127.0.0.1:9", &["--agent", "alone"]);
    let output = command.args(["sh", "-c", "echo done; exit 4"]).output().unwrap();
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(4), &b"done\n"[..]));
    let mut command = run(&env, "127.0.0.1:9", &["--agent", "Not An Id"]);
    let output = command.arg("true").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--agent"));
}

#[test]
fn signals_reach_the_program_and_its_children_and_are_a_clean_stop() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let script = "trap 'echo stopping; exit 5' TERM INT HUP; sleep 60 & echo child $!; \
                  echo ready; while :; do wait; done";
    for (name, signal) in [("term", Signal::TERM), ("int", Signal::INT), ("hup", Signal::HUP)] {
        let mut process = run_script(&env, collector.address(), &["--agent", name], script);
        process.wait_for_line("it waits", |line| (line == "ready").then_some(()));
        wait_until("it is healthy", || is(&operator, name, State::Healthy, None));
        let child = process.wait_for_line("its child", |line| {
            line.strip_prefix("child ")?.parse().ok().and_then(Pid::from_raw)
        });
        // Until then it is a copy of the shell, with its handlers.
        let comm = format!("/proc/{}/comm", child.as_raw_nonzero());
        wait_until("the child runs", || fs::read_to_string(&comm).is_ok_and(|it| it == "sleep\n"));
        process.signal(signal);
        assert_eq!(process.wait().code(), Some(5));
        wait_until("its end is seen", || {
            is(&operator, name, State::Killed, Some(Reason::Shutdown))
        });
        // A shell has its children in the background ignore SIGINT.
        if signal == Signal::INT {
            kill_process(child, Signal::TERM).unwrap();
        }
        wait_until("its child has ended", || {
            rustix::process::test_kill_process(child).is_err() || is_zombie(child)
        });
    }
}

#[test]
fn a_crash_long_after_a_signal_that_the_program_took_otherwise_is_a_crash() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let flags = ["--agent", "reloads", "--kill-grace", "100ms"];
    let script = "trap 'echo reloaded' HUP; echo ready; sleep 0.2; sleep 0.5; exit 6";
    let mut process = run_script(&env, collector.address(), &flags, script);
    process.wait_for_line("it waits", |line| (line == "ready").then_some(()));
    process.signal(Signal::HUP);
    process.wait_for_line("it reloads", |line| (line == "reloaded").then_some(()));
    assert_eq!(process.wait().code(), Some(6));
    wait_until("its end is seen", || {
        is(&operator, "reloads", State::Unreachable, Some(Reason::Crashed))
    });
}

fn is_zombie(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

#[test]
fn a_kill_ends_a_program_that_ignores_sigterm_and_a_resume_starts_it() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let flags = ["--agent", "stubborn", "--kill-grace", "300ms"];
    let script = "trap '' TERM; echo run; for n in $(seq 1200); do sleep 0.05; done";
    let mut process = run_script(&env, collector.address(), &flags, script);
    let vitals = || operator.agent("stubborn").unwrap().vitals;
    process.wait_for_line("it runs", |line| (line == "run").then_some(()));
    wait_until("it is healthy", || is(&operator, "stubborn", State::Healthy, None));
    operator.command(Action::Kill, &["stubborn"], 1);
    wait_until("the kill is obeyed", || vitals().command.is_some_and(|it| it.obeyed_ms.is_some()));
    let obeyed_ms = vitals().command.unwrap().obeyed_ms.unwrap();
    assert!(obeyed_ms >= 300, "obeyed after {obeyed_ms} ms, before it had ended");
    assert_eq!((vitals().state, vitals().reason), (State::Killed, Some(Reason::Operator)));
    assert!(!process.has_ended(), "who can be resumed goes on beating");
    operator.command(Action::Resume, &["stubborn"], 2);
    wait_until("it runs again", || process.stdout() == ["run", "run"]);
    wait_until("it is healthy", || is(&operator, "stubborn", State::Healthy, None));
    assert_eq!(vitals().starts, 2);
}

#[test]
fn a_program_whose_agent_is_killed_starts_when_it_is_resumed() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let start =
        || run_script(&env, collector.address(), &["--agent", "mail"], "echo run; exec sleep 60");
    let mut first = start();
    wait_until("it is healthy", || is(&operator, "mail", State::Healthy, None));
    operator.command(Action::Kill, &["mail"], 1);
    wait_until("the kill is stored", || first.stderr().iter().any(|it| it.contains("resumes")));
    first.signal(Signal::TERM);
    assert_eq!(first.wait().code(), Some(128 + 15));
    let mut second = start();
    wait_until("it says why it waits", || second.stderr().iter().any(|it| it.contains("killed")));
    assert_eq!(second.stdout(), [""; 0]);
    operator.command(Action::Resume, &["mail"], 2);
    second.wait_for_line("it runs", |line| (line == "run").then_some(()));
}

#[test]
fn a_program_with_an_emitter_and_its_supervisor_are_one_agent() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let address = collector.address().to_string();
    let mut process = run_agent(&env, &address, &["--agent", "mail", "--group", "post"], "mail");
    let pid = own_pid(&mut process);
    wait_until("it works", || operator.agent("mail").is_some_and(|it| it.vitals.total.ok >= 10));
    wait_until("its emitter is known", || {
        let sdk = operator.agent("mail").and_then(|it| it.identity.shared.sdk.clone());
        sdk.as_deref() == Some("rust 0.1.0")
    });
    let entry = operator.agent("mail").unwrap();
    assert_eq!((entry.vitals.state, entry.vitals.starts), (State::Healthy, 1));
    assert_eq!(entry.identity.pid, Some(pid.as_raw_nonzero().get().unsigned_abs()));
    let shared = &entry.identity.shared;
    assert_eq!(
        (shared.group.as_deref(), shared.sdk.as_deref()),
        (Some("post"), Some("rust 0.1.0"))
    );
    kill_process(pid, Signal::KILL).unwrap();
    assert_eq!(process.wait().code(), Some(128 + 9));
    wait_until("its state is seen", || {
        is(&operator, "mail", State::Unreachable, Some(Reason::Crashed))
    });
    let kinds = operator.events().into_iter().map(|event| event.kind);
    let conflicts = kinds.filter(|kind| {
        matches!(kind, EventKind::Transition { reason: Some(Reason::Conflict), .. })
    });
    assert_eq!(conflicts.count(), 0);
}

#[test]
fn work_that_a_program_reported_is_counted_once_at_every_collector() {
    let (env, second_env) = (TestEnvironment::new(), TestEnvironment::new());
    let first = env.start_collector();
    // One master key, as for collectors that know nothing of each other.
    fs::create_dir_all(second_env.data_dir()).unwrap();
    for file in fs::read_dir(env.data_dir()).unwrap().flatten() {
        let name = file.file_name();
        if Path::new(&name).extension() == Some(OsStr::new("key")) {
            fs::copy(file.path(), second_env.data_dir().join(name)).unwrap();
        }
    }
    let second = second_env.start_collector();
    let list = format!("{},{}", first.address(), second.address());
    let mut process = run_agent(&env, &list, &["--agent", "mail"], "mail");
    let (operator, second_operator) = (env.operator(), second_env.operator());
    let has_worked =
        |operator: &TestOperator| operator.agent("mail").is_some_and(|it| it.vitals.total.ok >= 8);
    wait_until("both count", || has_worked(&operator) && has_worked(&second_operator));
    process.signal(Signal::TERM);
    process.wait();
    for (env, operator) in [(&env, &operator), (&second_env, &second_operator)] {
        wait_until("it has stopped", || {
            is(operator, "mail", State::Killed, Some(Reason::Shutdown))
        });
        assert_eq!(operator.agent("mail").unwrap().vitals.starts, 1);
        let total = operator.agent("mail").unwrap().vitals.total;
        wait_until("the rows are stored", || rollup_totals(&env.data_dir(), "mail") == total);
    }
    let total = |operator: &TestOperator| operator.agent("mail").unwrap().vitals.total;
    assert_eq!(total(&operator), total(&second_operator));
}

#[test]
fn agents_of_other_names_in_the_program_reach_the_collector() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let address = collector.address().to_string();
    let _process = run_agent(&env, &address, &["--agent", "mail"], "mail.1");
    wait_until("the replica works", || {
        operator.agent("mail.1").is_some_and(|it| it.vitals.total.ok >= 3)
    });
    wait_until("its state is seen", || is(&operator, "mail", State::Healthy, None));
    operator.command(Action::Kill, &["mail.1"], 1);
    wait_until("a push reaches it", || {
        let vitals = operator.agent("mail.1").unwrap().vitals;
        vitals.command.is_some_and(|it| it.obeyed_ms.is_some())
    });
}

#[test]
fn a_program_that_is_started_again_and_again_is_crash_looping() {
    let env = TestEnvironment::new();
    env.configure("[health]\ncrash_loop_restarts = 2\n");
    let collector = env.start_collector();
    let operator = env.operator();
    let flags = ["--agent", "loop", "--on-exit", "restart"];
    let mut process = run_script(&env, collector.address(), &flags, "exit 7");
    wait_until("it is crash-looping", || {
        let events = operator.events().into_iter().map(|event| event.kind);
        let mut reasons = events.filter_map(|kind| match kind {
            EventKind::Transition { reason, .. } => reason,
            _ => None,
        });
        reasons.any(|reason| reason == Reason::CrashLooping)
    });
    assert!(
        process.stderr().iter().any(|line| line.contains("exit code 7; it starts again in 1s"))
    );
    process.signal(Signal::TERM);
    assert_eq!(process.wait().code(), Some(128 + 15));
}

#[test]
fn a_kill_between_two_runs_without_a_fault_is_obeyed_and_a_resume_starts_the_next() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let flags = ["--agent", "often", "--on-exit", "restart"];
    // The pause after the fourth run is 8 s.
    let mut process = run_script(&env, collector.address(), &flags, "echo run");
    wait_until("it has run four times", || process.stdout().len() == 4);
    wait_until("it has stopped", || is(&operator, "often", State::Killed, Some(Reason::Shutdown)));
    operator.command(Action::Kill, &["often"], 1);
    let command = || operator.agent("often").and_then(|it| it.vitals.command);
    wait_until("the kill is obeyed", || command().is_some_and(|it| it.obeyed_ms.is_some()));
    operator.command(Action::Resume, &["often"], 2);
    wait_until("it runs again", || process.stdout().len() == 5);
    process.signal(Signal::TERM);
    process.wait();
}

#[test]
fn all_work_of_a_program_that_ends_with_a_fault_is_counted() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let agent = TestedProgram::ConformanceAgent.path();
    let report = r#"{"op":"report","success":true,"latency_us":1234,"cost_nano_usd":7,"tokens_in":1,"tokens_out":2}"#;
    // Work goes on while a segment is pending: more than one is left at the end.
    let script = format!(
        "for n in 1 2 3 4 5 6 7 8 9 10; do for m in 1 2 3 4 5; do echo '{report}'; done; \
         sleep 0.05; done | {} busy; exit 3",
        agent.display()
    );
    let mut process = run_script(&env, collector.address(), &["--agent", "busy"], &script);
    assert_eq!(process.wait().code(), Some(3), "{}", process.stderr().join("\n"));
    let total = operator.agent("busy").unwrap().vitals.total;
    assert_eq!((total.ok, total.cost_nano_usd), (50, 350));
}

/// A control group with a limit of its own for memory.
struct MemoryGroup {
    path: PathBuf,
}

impl MemoryGroup {
    /// # Panics
    /// If there can be none.
    #[track_caller]
    fn new(limit: &str) -> Self {
        let name = format!("heartline-test-{}", std::process::id());
        let version_1 = Path::new("/sys/fs/cgroup/memory");
        let (path, file) = match version_1.is_dir() {
            true => (version_1.join(name), "memory.limit_in_bytes"),
            false => (Path::new("/sys/fs/cgroup").join(name), "memory.max"),
        };
        let made = fs::create_dir(&path).and_then(|()| fs::write(path.join(file), limit));
        made.unwrap_or_else(|error| {
            panic!("this test needs a control group for memory; run it as root: {error}")
        });
        Self { path }
    }

    fn processes(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // Busy until the last process is reaped.
        for _ in 0..1_000 {
            if fs::remove_dir(&self.path).is_ok() {
                return;
            }
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_program_that_the_kernel_kills_for_memory_is_shown_so() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let group = MemoryGroup::new("60M");
    let mut command = env.command("sh");
    command.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]).arg(group.processes());
    let program = run(&env, &collector.address().to_string(), &["--agent", "hungry"]);
    command.arg(program.get_program()).args(program.get_args());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.args(["python3", "-c", "x = bytearray(400 << 20)"]);
    let mut process = TestProcess::start(&mut command);
    assert_eq!(process.wait().code(), Some(128 + 9), "{}", process.stderr().join("\n"));
    wait_until("its state is seen", || {
        is(&operator, "hungry", State::Unreachable, Some(Reason::Crashed))
    });
    wait_until("its end is stored", || {
        causes(&operator, "hungry").iter().any(|cause| cause.contains("OOM-killed"))
    });
    let mut other = run_script(&env, collector.address(), &["--agent", "other"], "kill -9 $$");
    assert_eq!(other.wait().code(), Some(128 + 9));
    wait_until("its end is stored", || {
        causes(&operator, "other").iter().any(|cause| cause.contains("SIGKILL (9)"))
    });
}

#[test]
fn as_process_1_it_reaps_what_others_leave_behind() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let program = run(&env, &collector.address().to_string(), &["--agent", "init"]);
    let mut command = env.command("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--pid", "--fork", "--mount-proc"]).arg(program.get_program());
    command.args(program.get_args());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // The grandchild loses its parent, and ends after it.
    let script = "sh -c 'sh -c \"read line < fifo\" & exit' \n echo > fifo \n \
                  while ls /proc | grep -q '^[0-9]*$' && \
                  grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null; do :; done; \
                  echo pid $(readlink /proc/1/exe)";
    assert!(Command::new("mkfifo").arg(env.path().join("fifo")).status().unwrap().success());
    let mut process = TestProcess::start(command.args(["sh", "-c", script]));
    let first = process.wait_for_line("no zombie is left", |line| {
        line.strip_prefix("pid ").map(ToOwned::to_owned)
    });
    assert!(first.ends_with("heartline"), "process 1 is {first}");
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn what_it_does_not_know_of_its_collector_is_said_once() {
    let env = TestEnvironment::new();
    let mut collector: CollectorProcess = env.start_collector();
    let address = collector.address();
    collector.kill_9();
    let mut process = run_script(&env, address, &["--agent", "quiet"], "exec sleep 60");
    let says_so = |line: &String| line.contains("no answer from");
    wait_until("the missing answers are said", || process.stderr().iter().any(says_so));
    let operator = env.operator();
    let _collector = env.start_collector_at(address);
    wait_until("it is healthy", || is(&operator, "quiet", State::Healthy, None));
    process.signal(Signal::TERM);
    assert_eq!(process.wait().code(), Some(128 + 15));
    let stderr = process.stderr();
    let missing = stderr.iter().filter(|line| says_so(line));
    assert_eq!((missing.count(), stderr.len() <= 2), (1, true), "{stderr:?}");
}
