//! A log that nobody reads, or that can't be written.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use heartline_tests::harness::{TestEnvironment, wait_for, wait_until};
use rustix::process::{Pid, Signal, kill_process};

/// A collector with streams that a test chooses; killed on drop.
struct Collector(Child);

impl Collector {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }

    fn wait_ready(&mut self) -> BufReader<ChildStdout> {
        let mut stdout = BufReader::new(self.0.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.starts_with("ready "), "{line:?}");
        stdout
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lets a collector write log lines, and asserts that it goes on and ends in order.
#[track_caller]
fn assert_goes_on(env: &TestEnvironment, collector: &mut Collector) {
    let operator = env.operator();
    for limit in [7, 8, 9] {
        env.configure(&format!("[health]\nlate_factor = {limit}\n"));
        collector.signal(Signal::HUP);
        // An answer that comes after the signal was handled would come after a panic, too: the end
        // in order below is what counts.
        assert_eq!(operator.collector().summary.total, 0);
    }
    collector.signal(Signal::TERM);
    let status = wait_for("it ends", || collector.0.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_log_that_cannot_be_written_ends_nothing() {
    for what in ["a pipe without a reader", "a full disk", "a closed terminal"] {
        let env = TestEnvironment::new();
        env.configure("");
        let mut command = env.heartlined("127.0.0.1:0");
        command.stdout(Stdio::piped());
        let (reader, writer) = std::io::pipe().unwrap();
        let pair = portable_pty::native_pty_system().openpty(Default::default()).unwrap();
        match what {
            "a pipe without a reader" => command.stderr(writer),
            "a full disk" => command.stderr(File::options().write(true).open("/dev/full").unwrap()),
            _ => {
                let terminal = pair.master.tty_name().unwrap();
                command.stderr(File::options().write(true).open(terminal).unwrap())
            }
        };
        let mut collector = Collector::start(&mut command);
        let _stdout = collector.wait_ready();
        drop((command, reader, pair));
        assert_goes_on(&env, &mut collector);
    }
}

#[test]
fn a_standard_output_that_nobody_reads_ends_nothing() {
    let env = TestEnvironment::new();
    env.configure("");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = env.heartlined("127.0.0.1:0");
    let mut collector = Collector::start(command.stdout(writer).stderr(Stdio::null()));
    let operator = env.operator();
    wait_until("it answers", || operator.try_fleet().is_ok());
    assert_goes_on(&env, &mut collector);
}

#[test]
fn an_error_is_told_although_standard_output_is_closed() {
    let env = TestEnvironment::new();
    let mut command = env.heartlined("nowhere");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    env.configure("[health]\nlate_factor = 0\n");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = env.heartlined("127.0.0.1:0");
    let mut collector = Collector::start(command.stdout(writer).stderr(Stdio::piped()));
    let mut text = String::new();
    collector.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(text.contains("late_factor") && text.starts_with("heartlined: "), "{text}");
    assert_eq!(collector.0.wait().unwrap().code(), Some(2));
}
