//! The collector as a process.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, ExitStatus};

use rustix::process::Signal;

use super::environment::TestEnvironment;
use super::process::TestProcess;
use super::program::TestedProgram;

/// A running `heartlined`, killed on drop.
pub struct CollectorProcess {
    process: TestProcess,
    address: SocketAddr,
}

impl TestEnvironment {
    /// Returns a command for `heartlined` on a port that the kernel picks, with the config file of
    /// [`Self::configure`], if there is one.
    #[track_caller]
    pub fn heartlined(&self, listen: &str) -> Command {
        let mut command = self.command(TestedProgram::Heartlined.path());
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
        fs::write(self.path().join("heartline.toml"), text)
            .expect("the directory can be written to");
    }

    /// Starts a collector on any port, and waits until it is ready.
    #[track_caller]
    pub fn start_collector(&self) -> CollectorProcess {
        CollectorProcess::start(&mut self.heartlined("127.0.0.1:0"))
    }

    /// Starts a collector at an address, and waits until it is ready.
    #[track_caller]
    pub fn start_collector_at(&self, address: SocketAddr) -> CollectorProcess {
        CollectorProcess::start(&mut self.heartlined(&address.to_string()))
    }

    /// Starts a collector that must fail; returns its exit code and standard error.
    ///
    /// # Panics
    /// If it becomes ready.
    #[track_caller]
    pub fn start_expecting_failure(&self, listen: &str) -> (Option<i32>, String) {
        let mut process = TestProcess::start(&mut self.heartlined(listen));
        let status = process.wait();
        // Its last line may still be on its way through the pipe.
        super::wait_until("standard error is read", || !process.stderr().is_empty());
        assert_eq!(process.stdout(), [""; 0], "it must not become ready");
        (status.code(), process.stderr().join("\n"))
    }
}

impl CollectorProcess {
    /// Starts a collector and waits for its line on standard output.
    ///
    /// # Panics
    /// If it ends, or does not become ready.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let mut process = TestProcess::start(command);
        let address = process.wait_for_line("heartlined is ready", |line| {
            let udp = line.strip_prefix("ready udp=")?.split(' ').next()?;
            udp.split(',').next()?.parse().ok()
        });
        Self { process, address }
    }

    /// Returns the address that receives beats.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the process.
    pub fn process(&mut self) -> &mut TestProcess {
        &mut self.process
    }

    /// Returns the log so far.
    pub fn log(&self) -> String {
        self.process.stderr().join("\n")
    }

    /// Ends it with SIGKILL.
    pub fn kill_9(&mut self) {
        self.process.kill_9();
    }

    /// Sends SIGTERM, and waits until it has ended.
    ///
    /// # Panics
    /// If it does not end.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.signal(Signal::TERM);
        self.process.wait()
    }

    /// Stops it with SIGSTOP.
    #[track_caller]
    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Continues it with SIGCONT.
    #[track_caller]
    pub fn unfreeze(&self) {
        self.process.signal(Signal::CONT);
    }
}
