//! Copying: inside tmux, played by a program that keeps what it is given, and without it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::harness::AppTerminal;

#[test]
fn inside_tmux_a_text_is_copied_by_tmux() {
    let dir = tempfile::tempdir().unwrap();
    let copied = dir.path().join("copied");
    let tmux = dir.path().join("tmux");
    let script = format!("#!/bin/sh\necho \"$@\" >{0}.arguments; cat >{0}\n", copied.display());
    fs::write(&tmux, script).unwrap();
    fs::set_permissions(&tmux, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", dir.path().display());
    let variables = [("PATH", path.as_str()), ("TMUX", "/tmp/tmux-0/default,1,0")];
    let mut terminal = AppTerminal::open_demo(dir.path(), &variables);
    terminal.wait_for("HEALTHY");
    terminal.press(b"y");
    terminal.wait_for("copied to tmux and its clipboard: ");
    let name = fs::read_to_string(&copied).unwrap();
    assert!(terminal.text().contains(&format!("clipboard: {name}")), "{name:?}");
    let arguments = fs::read_to_string(copied.with_extension("arguments")).unwrap();
    assert_eq!(arguments, "load-buffer -w -\n");
    terminal.press(b"\x03");
    assert_eq!(terminal.wait_for_exit(), 0);
}

#[test]
fn a_text_that_tmux_did_not_take_is_said_to_be_sent() {
    let dir = tempfile::tempdir().unwrap();
    // There is no such program.
    let variables = [("PATH", "/nowhere"), ("TMUX", "/tmp/tmux-0/default,1,0")];
    let mut terminal = AppTerminal::open_demo(dir.path(), &variables);
    terminal.wait_for("HEALTHY");
    terminal.press(b"y");
    terminal.wait_for("sent to the terminal's clipboard, as tmux did not take it");
    terminal.press(b"\x03");
    assert_eq!(terminal.wait_for_exit(), 0);
}
