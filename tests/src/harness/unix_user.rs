//! Other unix users of this machine, for programs that a test runs as one of them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::environment::TestEnvironment;
use super::program::TestedProgram;

/// A user of this machine.
#[derive(Clone, Debug)]
pub struct UnixUser {
    pub name: String,
    uid: u32,
    gid: u32,
}

impl UnixUser {
    /// Returns true when this process can run programs as other users.
    pub fn can_switch() -> bool {
        rustix::process::geteuid().is_root()
    }

    /// Returns a user by its name.
    ///
    /// # Panics
    /// If this machine has none of that name.
    #[track_caller]
    pub fn named(name: &str) -> Self {
        let passwd = fs::read_to_string("/etc/passwd").expect("every machine has users");
        let found = passwd.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let is_it = fields.first() == Some(&name);
            is_it.then(|| Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)))?
        });
        let (uid, gid) = found.unwrap_or_else(|| panic!("this machine has no user {name}"));
        Self { name: name.to_owned(), uid, gid }
    }

    /// Has a program run as this user.
    pub fn run(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}

impl TestEnvironment {
    /// Lets other users enter the directories above the sockets, and returns a copy of `heartline`
    /// that they can run.
    ///
    /// # Panics
    /// If a file can't be changed.
    pub fn share(&self) -> PathBuf {
        let open = |path: &Path| {
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(path, mode).expect("it belongs to this test");
        };
        for dir in ["", "home", "state", "run"] {
            open(&self.path().join(dir));
        }
        let copy = self.path().join("heartline");
        fs::copy(TestedProgram::Heartline.path(), &copy).expect("there is room for a copy");
        open(&copy);
        copy
    }
}
