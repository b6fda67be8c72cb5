//! A collector on another machine, by way of ssh.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use heartline_tests::world::{Collector, Process, Program, World, wait_until};
use heartline_vocabulary::State;
use serde_json::Value;

const SSHD: &str = "/usr/sbin/sshd";

/// A collector with a healthy agent, in a world of its own.
struct Far {
    world: World,
    _collector: Collector,
    _agent: heartline::Heartline,
}

impl Far {
    fn new() -> Self {
        let world = World::new();
        let collector = world.start_collector();
        let agent = world.emitter("remote", collector.address(), 200).start();
        let operator = world.operator();
        wait_until("the agent is healthy", || operator.collector().summary.healthy == 1);
        Self { world, _collector: collector, _agent: agent }
    }

    /// Runs `heartline --ssh far …` at home, where `home`'s `bin/ssh` is the only ssh.
    fn heartline(&self, home: &World, words: &str) -> Output {
        let directories = self.world.directories();
        let path = format!("{}:/usr/bin:/bin", home.path().join("bin").display());
        let mut command = home.command(Program::Heartline.path());
        command.env("PATH", path).args(["--ssh", "far"]);
        command.arg("--data-dir").arg(directories.data);
        command.arg("--socket-dir").arg(directories.sockets);
        command.args(words.split(' ')).output().expect("heartline can be started")
    }

    /// Looks, kills and resumes from `home`.
    fn is_operated_from(&self, home: &World) {
        let shown = self.heartline(home, "status --json");
        assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(shown["agents"][0]["agent"], "remote");
        let killed = self.heartline(home, "kill remote --reason far --yes --wait 20s");
        assert!(killed.status.success(), "{}", String::from_utf8_lossy(&killed.stderr));
        let agent = self.world.operator().agent("remote").unwrap();
        assert_eq!(agent.vitals.state, State::Killed);
        let by = agent.vitals.command.unwrap().by;
        assert!(by.contains("(from "), "the audit tells where an order came from: {by}");
        assert!(self.heartline(home, "--read-only status").status.success());
        let looking = self.heartline(home, "--read-only resume remote --yes");
        assert!(!looking.status.success(), "who may only look has resumed");
        let resumed = self.heartline(home, "resume remote --yes --wait 20s");
        assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    }
}

fn write_program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A directory in which `heartline` can be found by its name.
fn bin_with_heartline(world: &World) -> PathBuf {
    let bin = world.path().join("far-bin");
    fs::create_dir_all(&bin).unwrap();
    symlink(Program::Heartline.path(), bin.join("heartline")).unwrap();
    bin
}

#[test]
fn a_fleet_is_operated_through_any_program_named_ssh() {
    let (far, home) = (Far::new(), World::new());
    let bin = bin_with_heartline(&home);
    // Like the real one it takes options and a host, and gives the rest to a shell over there.
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> '{}'\nwhile [ \"$1\" != far ]; do shift; done; shift\n\
         PATH='{}':$PATH exec sh -c \"$*\"\n",
        home.path().join("ssh.log").display(),
        bin.display()
    );
    write_program(&home.path().join("bin/ssh"), &script);
    far.is_operated_from(&home);
    let log = fs::read_to_string(home.path().join("ssh.log")).unwrap();
    assert!(log.lines().all(|line| line.ends_with(" dial-stdio")), "{log}");
    assert!(log.contains("--read-only"), "{log}");
}

#[test]
fn what_ssh_says_is_said_when_it_fails() {
    let (far, home) = (Far::new(), World::new());
    let script = "#!/bin/sh\necho 'ssh: no route to far' >&2\nexit 255\n";
    write_program(&home.path().join("bin/ssh"), script);
    let output = far.heartline(&home, "status");
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no route to far"), "{said}");
}

/// With the real ones, on loopback, where an sshd is installed.
#[test]
fn a_fleet_is_operated_through_a_real_sshd() {
    if !Path::new(SSHD).exists() {
        println!("NOT RUN: there is no {SSHD}; `apt-get install openssh-server` brings it");
        return;
    }
    let (far, home) = (Far::new(), World::new());
    let (_sshd, port) = start_sshd(&home);
    let dir = home.path().display();
    let config = format!(
        "Host far\n HostName 127.0.0.1\n Port {port}\n IdentityFile {dir}/key\n \
         IdentitiesOnly yes\n StrictHostKeyChecking no\n UserKnownHostsFile {dir}/known\n \
         LogLevel ERROR\n"
    );
    fs::write(home.path().join("ssh_config"), config).unwrap();
    let script = format!("#!/bin/sh\nexec /usr/bin/ssh -F '{dir}/ssh_config' \"$@\"\n");
    write_program(&home.path().join("bin/ssh"), &script);
    far.is_operated_from(&home);
}

/// An sshd for this user alone, with keys of its own.
fn start_sshd(home: &World) -> (Process, u16) {
    let dir = home.path();
    for key in ["key", "host_key"] {
        let path = dir.join(key);
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path);
        assert!(keygen.status().expect("ssh-keygen comes with ssh").success());
    }
    fs::copy(dir.join("key.pub"), dir.join("authorized_keys")).unwrap();
    if rustix::process::geteuid().is_root() {
        // Where it confines itself when root starts it; its service would make it.
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
    let mut sshd = Process::start(&mut command);
    wait_until("sshd listens", || {
        assert!(!sshd.has_ended(), "sshd ended: {:?}", sshd.stderr());
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
    });
    (sshd, port)
}
