//! The collector as a process.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, ExitStatus};

use rustix::process::Signal;

use super::place::World;
use super::process::Process;
use super::program::Program;

/// A running `heartlined`. It is killed when this is dropped.
pub struct Collector {
    process: Process,
    address: SocketAddr,
}

impl World {
    /// `heartlined` in this world, on a port that the kernel picks, with the config file that
    /// [`World::configure`] wrote, if it did.
    #[must_use]
    #[track_caller]
    pub fn heartlined(&self, listen: &str) -> Command {
        let mut command = self.command(Program::Heartlined.path());
        command.args(["--listen", listen]);
        let config = self.path().join("heartline.toml");
        if config.exists() {
            command.arg("--config").arg(config);
        }
        command
    }

    /// Writes the collector's config file.
    ///
    /// # Panics
    /// If it can't.
    pub fn configure(&self, text: &str) {
        fs::write(self.path().join("heartline.toml"), text).expect("the world can be written to");
    }

    /// Starts a collector on any port, and waits until it serves.
    #[must_use]
    #[track_caller]
    pub fn start_collector(&self) -> Collector {
        Collector::start(&mut self.heartlined("127.0.0.1:0"))
    }

    /// Starts a collector where another one was, and waits until it serves.
    #[must_use]
    #[track_caller]
    pub fn start_collector_at(&self, address: SocketAddr) -> Collector {
        Collector::start(&mut self.heartlined(&address.to_string()))
    }

    /// Starts a collector that can't, and gives its exit code and what it says.
    ///
    /// # Panics
    /// If it goes on to serve.
    #[must_use]
    #[track_caller]
    pub fn start_in_vain(&self, listen: &str) -> (Option<i32>, String) {
        let mut process = Process::start(&mut self.heartlined(listen));
        let status = process.wait();
        // The end of the process is the end of what it says, once that has been read.
        super::wait_until("its last words are read", || !process.stderr().is_empty());
        assert_eq!(process.stdout(), [""; 0], "it must not be ready");
        (status.code(), process.stderr().join("\n"))
    }
}

impl Collector {
    /// Starts a collector and waits for its line on standard output.
    ///
    /// # Panics
    /// If it ends, or does not say that it is ready.
    #[must_use]
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let mut process = Process::start(command);
        let address = process.wait_for_line("heartlined is ready", |line| {
            let udp = line.strip_prefix("ready udp=")?.split(' ').next()?;
            udp.split(',').next()?.parse().ok()
        });
        Self { process, address }
    }

    /// Where it receives beats.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    #[must_use]
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.stderr().join("\n")
    }

    /// Ends it in the middle of whatever it does.
    pub fn kill_9(&mut self) {
        self.process.kill_9();
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.signal(Signal::TERM);
        self.process.wait()
    }

    /// From now on it does not run.
    #[track_caller]
    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// It runs again.
    #[track_caller]
    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }
}
