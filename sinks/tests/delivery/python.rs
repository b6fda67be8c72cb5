//! Programs in Python that the tests speak to, in the environment that `cargo xtask test` prepares.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::server::WAIT;

/// A running script. It is killed when it is dropped.
pub struct PythonScript {
    child: Child,
    lines: Receiver<String>,
}

impl PythonScript {
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/delivery");
        let mut child = Command::new(interpreter())
            .arg(folder.join(name))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|it| sender.send(it))
        });
        Self { child, lines }
    }

    pub fn input(&mut self) -> &mut ChildStdin {
        self.child.stdin.as_mut().unwrap()
    }

    pub fn next_line(&self) -> String {
        self.lines.recv_timeout(WAIT).expect("the script prints a line")
    }

    pub fn has_printed(&self) -> bool {
        self.lines.try_recv().is_ok()
    }
}

impl Drop for PythonScript {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Returns the Python of the environment below the target directory.
fn interpreter() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let target = own.ancestors().nth(3).unwrap();
    let path = target.join("python/sinks/bin/python");
    assert!(path.is_file(), "{} is missing: `cargo xtask test` makes it", path.display());
    path
}
