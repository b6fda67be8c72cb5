//! Whether the kernel has ended a process for want of memory.

use std::fs;
use std::path::{Path, PathBuf};

/// The count of out-of-memory kills of a control group.
#[derive(Debug)]
pub(crate) struct OomCounter {
    path: PathBuf,
    before: u64,
}

impl OomCounter {
    /// Reads the count of the group that a process is in; `None` where there is none to be read.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
        candidates(&groups, &mounts).into_iter().find_map(|path| {
            let before = oom_kills(&fs::read_to_string(&path).ok()?)?;
            Some(Self { path, before })
        })
    }

    /// Returns whether there was a kill since.
    pub(crate) fn has_grown(&self) -> bool {
        let now = fs::read_to_string(&self.path).ok();
        now.and_then(|text| oom_kills(&text)).is_some_and(|now| now > self.before)
    }
}

/// Returns the files that may count the kills of a process: the group's own (version 2 of control
/// groups, version 1), and where a container sees its own group as the root.
fn candidates(groups: &str, mounts: &str) -> Vec<PathBuf> {
    let mount_of = |kind: &str, option: Option<&str>| {
        mounts.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            let has_option = |wanted| fields.get(3)?.split(',').find(|it| *it == wanted);
            let is_it = fields.get(2) == Some(&kind)
                && option.is_none_or(|option| has_option(option).is_some());
            is_it.then(|| fields.get(1).map(PathBuf::from))?
        })
    };
    let mut found = Vec::new();
    let mut add = |mount: Option<PathBuf>, group: &str, file: &str| {
        let Some(mount) = mount else { return };
        found.push(mount.join(group.trim_start_matches('/')).join(file));
        found.push(Path::new(&mount).join(file));
    };
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (_, Some(controllers), Some(group)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        if controllers.is_empty() {
            add(mount_of("cgroup2", None), group, "memory.events");
        } else if controllers.split(',').any(|it| it == "memory") {
            add(mount_of("cgroup", Some("memory")), group, "memory.oom_control");
        }
    }
    found
}

/// Reads the count, which both versions have in a line of its own.
fn oom_kills(text: &str) -> Option<u64> {
    let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
    count.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_either_version_is_found() {
        let mounts = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n\
                      cgroup /sys/fs/v1/memory cgroup rw,relatime,memory 0 0\n";
        let paths = |groups| {
            let paths = candidates(groups, mounts).into_iter();
            paths.map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            paths("0::/system.slice/mail.service\n"),
            [
                "/sys/fs/cgroup/system.slice/mail.service/memory.events",
                "/sys/fs/cgroup/memory.events"
            ]
        );
        assert_eq!(
            paths("5:cpu,memory:/jobs/7\n1:name=systemd:/\n"),
            ["/sys/fs/v1/memory/jobs/7/memory.oom_control", "/sys/fs/v1/memory/memory.oom_control"]
        );
        assert!(paths("garbage\n").is_empty());
    }

    #[test]
    fn the_count_is_read_from_either_format() {
        assert_eq!(oom_kills("low 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n"), Some(2));
        assert_eq!(oom_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"), Some(5));
        assert_eq!(oom_kills("under_oom 0\n"), None);
    }
}
