//! What an operator does in the terminal app, in a pseudo-terminal.

use std::io::{Read as _, Write};
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::thread;

use heartline::Heartline;
use heartline_tests::harness::{
    CollectorProcess, TestEnvironment, TestedProgram, task_count, wait_until,
};
use portable_pty::{Child, CommandBuilder, MasterPty, NativePtySystem, PtySize, PtySystem as _};
use rustix::process::Signal;
use vt100::Parser;

const SIZE: PtySize = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };

/// The app in a pseudo-terminal, ended on drop.
struct AppTerminal {
    app: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    shown: Arc<Mutex<Parser>>,
    /// Everything that it wrote.
    written: Arc<Mutex<Vec<u8>>>,
    _terminal: Box<dyn MasterPty + Send>,
}

impl AppTerminal {
    fn open(env: &TestEnvironment) -> Self {
        Self::open_with(env, &[])
    }

    fn open_with(env: &TestEnvironment, words: &[&str]) -> Self {
        let base = env.command(TestedProgram::Heartline.path());
        let mut command = CommandBuilder::new(base.get_program());
        command.args(words);
        command.env_clear();
        for (name, value) in base.get_envs() {
            command.env(name, value.expect("nothing is taken away from an empty environment"));
        }
        command.env("TERM", "xterm-256color");
        let pty = NativePtySystem::default().openpty(SIZE).unwrap();
        let app = pty.slave.spawn_command(command).unwrap();
        let cells = |n| NonZero::new(n).unwrap();
        let shown = Arc::new(Mutex::new(Parser::new(cells(SIZE.rows), cells(SIZE.cols), 0)));
        let mut output = pty.master.try_clone_reader().unwrap();
        let screen = Arc::clone(&shown);
        let written: Arc<Mutex<Vec<u8>>> = Arc::default();
        let all = Arc::clone(&written);
        thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                screen.lock().unwrap().process(&bytes[..n]);
                all.lock().unwrap().extend(&bytes[..n]);
            }
        });
        let keys = pty.master.take_writer().unwrap();
        Self { app, keys, shown, written, _terminal: pty.master }
    }

    fn text(&self) -> String {
        self.shown.lock().unwrap().screen().contents()
    }

    /// Returns whether it wrote a sequence.
    fn has_written(&self, sequence: &str) -> bool {
        let written = self.written.lock().unwrap();
        written.windows(sequence.len()).any(|bytes| bytes == sequence.as_bytes())
    }

    #[track_caller]
    fn wait_for(&self, text: &str) {
        wait_until(&format!("{text:?} is shown"), || self.text().contains(text));
    }

    fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
        self.keys.flush().unwrap();
    }
}

impl Drop for AppTerminal {
    fn drop(&mut self) {
        let _ended = self.app.kill().and_then(|()| self.app.wait());
    }
}

/// Starts `web`, which goes on, and `batch.1`, which has stopped.
fn start_one_of_two(env: &TestEnvironment, collector: &CollectorProcess) -> [Heartline; 2] {
    let operator = env.operator();
    let agents =
        ["batch.1", "web"].map(|name| env.emitter(name, collector.address(), 60_000).start());
    wait_until("both are healthy", || operator.collector().summary.healthy == 2);
    agents[0].stop();
    wait_until("one has stopped", || operator.collector().summary.stopped == 1);
    agents
}

#[test]
fn a_stopped_agent_is_forgotten_from_the_app_and_its_history_stays() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let _agents = start_one_of_two(&env, &collector);

    let mut app = AppTerminal::open(&env);
    app.wait_for("STOPPED");
    app.press(b"/agent=batch.1\r");
    app.wait_for("1 of 2");
    app.press(b"F");
    app.wait_for("FORGET 1 agent");
    // The focus is on Cancel; then the field, where Enter only goes on to Cancel.
    app.press(b"\tbatch.1\r");
    app.press(b"\t");
    app.wait_for("[ Forget ]");
    app.press(b"\r");
    app.wait_for("forgotten: batch.1 (its history stays)");

    let printed = |args: &str| String::from_utf8(env.heartline(args).stdout).unwrap();
    let status = printed("status");
    assert!(status.contains("web") && !status.contains("batch.1"), "{status}");
    let events = printed("events --since 1h");
    let of_it: Vec<&str> = events.lines().filter(|line| line.contains("batch.1")).collect();
    let has = |what: &str| of_it.iter().any(|line| line.contains(what));
    assert!(has("STOPPED") && has("forgotten"), "{events}");
}

#[test]
fn the_charts_of_an_agent_are_of_all_its_tasks() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let mut worker = env.start_worker("worker", collector.address(), 7);
    wait_until("it has worked", || worker.begun() > 40);
    let tasks = task_count(&worker.finish());
    let operator = env.operator();
    wait_until("all is counted", || {
        operator.agent("worker").is_some_and(|it| task_count(&it.vitals.total) == tasks)
    });

    let mut app = AppTerminal::open(&env);
    app.wait_for("worker");
    app.press(b"/agent=worker\r");
    app.press(b"2");
    app.wait_for("[1h]");
    app.wait_for(&format!("n {tasks} "));
    // Its bands and states; those may be of a moment before it was there, until it is asked again.
    app.wait_for("latency heat map");
    app.wait_for("up 100 %");
    app.press(b"x");
    app.wait_for("latency histogram");
    let shares = app.text().lines().filter(|line| line.contains(" % ")).count();
    assert!(shares > 1, "{}", app.text());
    app.press(b"xw");
    app.wait_for("[24h]");
    app.wait_for("latency percentiles");
    app.wait_for(&format!("n {tasks} "));
    // The same screen as text.
    let printed = env.heartline("snapshot --screen agent --agent worker --size 120x36");
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(printed.contains("latency heat map, 1h"), "{printed}");
    assert!(printed.contains("success") && printed.contains("p99"), "{printed}");
}

/// An agent hangs and comes back; what the operator finds of it afterwards.
#[test]
fn an_outage_is_found_looked_at_and_acknowledged_on_the_timeline() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let agents = ["hangs", "works"].map(|name| env.start_agent(name, collector.address(), 200));
    let healthy = || operator.collector().summary.healthy;
    wait_until("both are healthy", || healthy() == 2);
    agents[0].signal(Signal::STOP);
    wait_until("it is unreachable", || operator.collector().summary.unreachable == 1);
    agents[0].signal(Signal::CONT);
    wait_until("both are healthy again", || healthy() == 2);

    let mut app = AppTerminal::open(&env);
    app.wait_for("hangs");
    app.press(b"4+++");
    app.wait_for("1 cell = 1s");
    app.wait_for("1 outage in view");
    app.press(b"{");
    app.wait_for("HISTORY");
    app.wait_for("hangs: LATE");
    // The whole fleet as it was at the begin of the outage, where nothing can be killed.
    app.press(b"\r");
    app.wait_for("[1 Fleet]");
    wait_until("it is late", || {
        app.text().lines().any(|line| line.contains("hangs") && line.contains("LATE"))
    });
    app.press(b"K");
    app.wait_for("HISTORY: what was can't be changed");
    app.press(b"4\tcthe writer hung\r");
    app.wait_for("the note is written");
    app.wait_for("the writer hung");
    app.press(b"a\r");
    app.wait_for("acknowledged by ");
    app.press(b".");
    wait_until("it is live", || {
        app.text().lines().next().is_some_and(|line| line.contains("LIVE"))
    });

    let printed = String::from_utf8(env.heartline("outages --json").stdout).unwrap();
    let outage: serde_json::Value = serde_json::from_str(printed.trim()).expect("it is one outage");
    assert_eq!(outage["notes"][0]["text"], "the writer hung");
    assert!(outage["acknowledged_by"].as_str().is_some_and(|by| by.contains('@')), "{outage}");
}

/// An agent is killed: the incident is on the screen with who was told, the terminal rings, and it is acknowledged there.
#[test]
fn an_incident_rings_is_shown_whole_and_is_acknowledged_in_the_app() {
    let env = TestEnvironment::new();
    let told = env.path().join("told");
    env.configure(&format!(
        "[[sink]]\nname = \"desk\"\ntype = \"bell\"\n[[sink]]\nname = \"file\"\ntype = \"command\"\n\
         command = [\"/bin/sh\", \"-c\", \"cat >> {}\"]\n[[route]]\nto = [\"desk\", \"file\"]\n",
        told.display()
    ));
    let collector = env.start_collector();
    let printed = |args: &str| {
        let output = env.heartline(args);
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    let nobody = printed("alerts test desk");
    assert!(nobody.contains("desk took nothing: nobody attached"), "{nobody}");

    let mut app = AppTerminal::open(&env);
    app.wait_for("LIVE");
    let mut agent = env.start_agent("mail.7", collector.address(), 200);
    app.wait_for("HEALTHY");
    agent.kill_9();
    app.press(b"5");
    app.wait_for("UNREACH");
    app.wait_for("desk, file");
    wait_until("the terminal rings", || {
        app.has_written("\x1b]9;Heartline: mail.7") && app.has_written("\x1b\\\x07")
    });
    app.press(b"\r");
    app.wait_for("1 terminal app rang");
    app.wait_for("exit code 0");
    app.press(b"a");
    app.wait_for("Acknowledge incident");
    app.press(b"\r");
    app.wait_for("acknowledged: incident");
    app.wait_for("1 of 1 members in trouble");
    wait_until("it is said by whom", || !app.text().contains("nobody yet"));
    app.press(b"\r");
    app.wait_for("taken care of by");
    let alerts: serde_json::Value = serde_json::from_str(&printed("alerts --json")).unwrap();
    let by = alerts["incidents"][0]["acknowledged_by"].as_str();
    assert!(by.is_some_and(|by| by.contains('@')), "{alerts}");
}

/// The app on an incident file: every screen shows what was, time stands still, and nothing can be changed.
#[test]
fn the_app_looks_at_an_incident_file_without_a_collector() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let _agents = start_one_of_two(&env, &collector);
    let made = env.heartline("export --incident --between first..now --yes incident");
    assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
    collector.terminate();

    let path = env.path().join("incident");
    let mut app = AppTerminal::open_with(&env, &["--open", path.to_str().unwrap()]);
    app.wait_for("STOPPED");
    app.wait_for("an incident file");
    let first = app.text().lines().next().unwrap_or_default().to_owned();
    assert!(first.contains("FILE") && !first.contains("LIVE"), "{first}");
    app.press(b"/agent=web\r");
    app.wait_for("1 of 2");
    app.press(b"\r");
    app.wait_for("web");
    app.wait_for("HEALTHY");
    app.press(b"K");
    app.wait_for("read-only connection");
    app.press(b"3");
    app.wait_for("first seen");
    app.press(b"5");
    app.wait_for("An incident file has no alerts");
}
