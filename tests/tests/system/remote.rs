//! A collector on another machine, operated through ssh.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use heartline_tests::harness::{
    CollectorProcess, TestEnvironment, TestProcess, TestedProgram, wait_until,
};
use heartline_vocabulary::State;
use serde_json::Value;

const SSHD: &str = "/usr/sbin/sshd";

/// A collector with a healthy agent, in an environment of its own.
struct RemoteCollector {
    env: TestEnvironment,
    _collector: CollectorProcess,
    _agent: heartline::Heartline,
}

impl RemoteCollector {
    fn new() -> Self {
        let env = TestEnvironment::new();
        let collector = env.start_collector();
        let agent = env.emitter("remote", collector.address(), 200).start();
        let operator = env.operator();
        wait_until("the agent is healthy", || operator.collector().summary.healthy == 1);
        Self { env, _collector: collector, _agent: agent }
    }

    /// Runs `heartline --ssh far …` in `home`, whose `bin/ssh` is the only ssh.
    fn heartline(&self, home: &TestEnvironment, args: &str) -> Output {
        let directories = self.env.directories();
        let path = format!("{}:/usr/bin:/bin", home.path().join("bin").display());
        let mut command = home.command(TestedProgram::Heartline.path());
        command.env("PATH", path).args(["--ssh", "far"]);
        command.arg("--data-dir").arg(directories.data);
        command.arg("--socket-dir").arg(directories.sockets);
        command.args(args.split(' ')).output().expect("heartline can be started")
    }

    /// Checks that status, kill and resume work from `home`.
    fn assert_operable_from(&self, home: &TestEnvironment) {
        let shown = self.heartline(home, "status --json");
        assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(shown["agents"][0]["agent"], "remote");
        let killed = self.heartline(home, "kill remote --reason far --yes --wait 20s");
        assert!(killed.status.success(), "{}", String::from_utf8_lossy(&killed.stderr));
        let agent = self.env.operator().agent("remote").unwrap();
        assert_eq!(agent.vitals.state, State::Killed);
        let by = agent.vitals.command.unwrap().by;
        assert!(by.contains("(from "), "the audit has the origin of a command: {by}");
        assert!(self.heartline(home, "--read-only status").status.success());
        let read_only = self.heartline(home, "--read-only resume remote --yes");
        assert!(!read_only.status.success(), "resumed through a read-only connection");
        let resumed = self.heartline(home, "resume remote --yes --wait 20s");
        assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    }
}

fn write_executable(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Makes a directory with an executable `heartline`.
fn bin_with_heartline(env: &TestEnvironment) -> PathBuf {
    let bin = env.path().join("far-bin");
    fs::create_dir_all(&bin).unwrap();
    symlink(TestedProgram::Heartline.path(), bin.join("heartline")).unwrap();
    bin
}

#[test]
fn a_fleet_is_operated_through_any_program_named_ssh() {
    let (remote, home) = (RemoteCollector::new(), TestEnvironment::new());
    let bin = bin_with_heartline(&home);
    // Like the real ssh, it takes options and a host, and passes the rest to a shell.
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> '{}'\nwhile [ \"$1\" != far ]; do shift; done; shift\n\
         PATH='{}':$PATH exec sh -c \"$*\"\n",
        home.path().join("ssh.log").display(),
        bin.display()
    );
    write_executable(&home.path().join("bin/ssh"), &script);
    remote.assert_operable_from(&home);
    let log = fs::read_to_string(home.path().join("ssh.log")).unwrap();
    assert!(log.lines().all(|line| line.ends_with(" dial-stdio")), "{log}");
    assert!(log.contains("--read-only"), "{log}");
}

#[test]
fn the_error_of_a_failing_ssh_is_printed() {
    let (remote, home) = (RemoteCollector::new(), TestEnvironment::new());
    let script = "#!/bin/sh\necho 'ssh: no route to far' >&2\nexit 255\n";
    write_executable(&home.path().join("bin/ssh"), script);
    let output = remote.heartline(&home, "status");
    assert_eq!(output.status.code(), Some(3));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("no route to far"), "{stderr}");
}

/// On loopback, where an sshd is installed.
#[test]
fn a_fleet_is_operated_through_a_real_sshd() {
    if !Path::new(SSHD).exists() {
        println!("NOT RUN: there is no {SSHD}; `apt-get install openssh-server` brings it");
        return;
    }
    let (remote, home) = (RemoteCollector::new(), TestEnvironment::new());
    let (_sshd, port) = start_sshd(&home);
    let dir = home.path().display();
    let config = format!(
        "Host far\n HostName 127.0.0.1\n Port {port}\n IdentityFile {dir}/key\n \
         IdentitiesOnly yes\n StrictHostKeyChecking no\n UserKnownHostsFile {dir}/known\n \
         LogLevel ERROR\n"
    );
    fs::write(home.path().join("ssh_config"), config).unwrap();
    let script = format!("#!/bin/sh\nexec /usr/bin/ssh -F '{dir}/ssh_config' \"$@\"\n");
    write_executable(&home.path().join("bin/ssh"), &script);
    remote.assert_operable_from(&home);
}

/// Starts an sshd with keys of its own for this user.
fn start_sshd(home: &TestEnvironment) -> (TestProcess, u16) {
    let dir = home.path();
    for key in ["key", "host_key"] {
        let path = dir.join(key);
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path);
        assert!(keygen.status().expect("ssh-keygen comes with ssh").success());
    }
    fs::copy(dir.join("key.pub"), dir.join("authorized_keys")).unwrap();
    if rustix::process::geteuid().is_root() {
        // Its chroot when root starts it, which its service would make.
        fs::create_dir_all("/run/sshd").unwrap();
    }
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let text = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {0}/host_key\nPidFile none\n\
         AuthorizedKeysFile {0}/authorized_keys\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nPermitRootLogin prohibit-password\nSetEnv PATH={1}:/usr/bin:/bin\n",
        dir.display(),
        bin_with_heartline(home).display()
    );
    fs::write(dir.join("sshd_config"), text).unwrap();
    let mut command = Command::new(SSHD);
    command.args(["-D", "-e", "-f"]).arg(dir.join("sshd_config"));
    let mut sshd = TestProcess::start(&mut command);
    wait_until("sshd listens", || {
        assert!(!sshd.has_ended(), "sshd ended: {:?}", sshd.stderr());
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
    });
    (sshd, port)
}
