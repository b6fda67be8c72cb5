//! Files and directories that are removed, replaced, prepared or damaged by others.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use heartline_tests::harness::{TestEnvironment, wait_until};

fn make_dir(path: &Path, mode: u32) {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn assert_start_fails(env: &TestEnvironment, expected: &[&str]) {
    let (code, stderr) = env.start_expecting_failure("127.0.0.1:0");
    assert_eq!(code, Some(3), "{stderr}");
    for text in expected {
        assert!(stderr.contains(text), "{text:?} is not in: {stderr}");
    }
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    let env = TestEnvironment::new();
    let sockets = env.directories().sockets;
    for (dir, flag) in [(env.data_dir(), "--data-dir"), (sockets, "--socket-dir")] {
        for mode in [0o777, 0o1777, 0o770] {
            make_dir(&dir, mode);
            assert_start_fails(&env, &[dir.to_str().unwrap(), "written by others", flag]);
        }
        make_dir(&dir, 0o755);
    }
    env.start_collector();
}

#[test]
fn prepared_links_are_neither_followed_nor_used() {
    let env = TestEnvironment::new();
    make_dir(&env.data_dir(), 0o700);
    let target = env.path().join("target");
    fs::write(&target, "of somebody else").unwrap();
    for name in ["master.new", "local.new"] {
        symlink(&target, env.data_dir().join(name)).unwrap();
    }
    drop(env.start_collector());
    assert_eq!(fs::read_to_string(&target).unwrap(), "of somebody else");
    let lock = env.data_dir().join("heartlined.lock");
    fs::remove_file(&lock).unwrap();
    symlink(&target, &lock).unwrap();
    assert_start_fails(&env, &["heartlined.lock"]);
    assert_eq!(fs::read_to_string(&target).unwrap(), "of somebody else");
}

#[test]
fn a_token_that_others_can_read_is_refused() {
    let env = TestEnvironment::new();
    drop(env.start_collector());
    let token = env.data_dir().join("local.token");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    assert_start_fails(&env, &["local.token", "644", "chmod 600"]);
}

#[test]
fn a_file_with_the_name_of_a_socket_is_left_alone() {
    let env = TestEnvironment::new();
    let sockets = env.directories().sockets;
    make_dir(&sockets, 0o700);
    for name in ["view.sock", "ctl.sock"] {
        fs::write(sockets.join(name), "notes").unwrap();
        assert_start_fails(&env, &[name, "left alone", "--socket-dir"]);
        assert_eq!(fs::read_to_string(sockets.join(name)).unwrap(), "notes");
        fs::remove_file(sockets.join(name)).unwrap();
    }
}

#[test]
fn a_removed_lock_file_lets_no_second_collector_in() {
    let env = TestEnvironment::new();
    let _collector = env.start_collector();
    fs::remove_file(env.data_dir().join("heartlined.lock")).unwrap();
    let mut second = env.heartlined("127.0.0.1:0");
    second.arg("--socket-dir").arg(env.path().join("elsewhere"));
    let output = second.output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("another heartlined"), "{stderr}");
}

#[test]
fn files_are_private_whatever_the_umask() {
    let env = TestEnvironment::new();
    let mut command = env.command("sh");
    let heartlined = env.heartlined("127.0.0.1:0");
    let program = heartlined.get_program().to_str().unwrap().to_owned();
    command.args(["-c", &format!("umask 000; exec {program} --listen 127.0.0.1:0")]);
    let collector = heartline_tests::harness::CollectorProcess::start(&mut command);
    let _agent = env.start_agent("someone", collector.address(), 100);
    let operator = env.operator();
    wait_until("the agent is healthy", || operator.collector().summary.healthy == 1);
    for dir in [env.data_dir(), env.directories().sockets] {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode & 0o077, 0, "{} has mode {mode:03o}", entry.path().display());
        }
    }
}

#[test]
fn swept_sockets_are_there_again_within_seconds() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let sockets = env.directories().sockets;
    let is_socket = |name: &str| {
        fs::symlink_metadata(sockets.join(name)).is_ok_and(|it| it.file_type().is_socket())
    };
    for name in ["view.sock", "ctl.sock"] {
        fs::remove_file(sockets.join(name)).unwrap();
        wait_until("it is there again", || is_socket(name));
    }
    fs::remove_dir_all(&sockets).unwrap();
    wait_until("both are there again", || is_socket("view.sock") && is_socket("ctl.sock"));
    let operator = env.operator();
    wait_until("operators are told", || {
        let banners = operator.try_fleet().map(|it| it.1.banners.join("\n")).unwrap_or_default();
        banners.contains("ctl.sock was removed") && banners.contains("view.sock was removed")
    });
    assert_eq!(env.heartline("status").status.code(), Some(0));
    let log = collector.log();
    assert!(log.contains("ctl.sock was removed"), "{log}");
}

#[test]
fn removed_keys_are_there_again_within_seconds() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let read = |name: &str| fs::read_to_string(env.data_dir().join(name)).unwrap_or_default();
    let before = ["master.key", "local.token"].map(read);
    for name in ["master.key", "local.token"] {
        fs::remove_file(env.data_dir().join(name)).unwrap();
    }
    wait_until("they are there again", || ["master.key", "local.token"].map(read) == before);
    wait_until("it is logged", || collector.log().contains("master.key was removed"));
}

#[test]
fn an_address_that_takes_one_family_alone_is_said() {
    let env = TestEnvironment::new();
    let collector = env.start_collector_at("[::]:0".parse().unwrap());
    wait_until("it is logged", || collector.log().contains("takes IPv6 alone"));
}
