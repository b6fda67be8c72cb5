//! The machine, and what its kernel reports of processes.

use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Returns one line about processor, cores, memory and kernel.
pub(super) fn describe() -> String {
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown CPU".into());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory_gib = kib("/proc/meminfo", "MemTotal").unwrap_or(0) >> 20;
    let system = rustix::system::uname();
    let kernel = system.release().to_string_lossy();
    let build = if cfg!(debug_assertions) { "; DEV BUILD: the numbers mean nothing" } else { "" };
    format!("{model}, {cores} cores, {memory_gib} GiB, Linux {kernel}{build}")
}

/// Pins the calling thread to the `nth` of the cores that it may use.
///
/// # Errors
/// When the system refuses.
pub(super) fn pin(nth: usize) -> Result<()> {
    // Asked once: a pinned thread may use no other core.
    static CORES: OnceLock<Vec<usize>> = OnceLock::new();
    let cores = match CORES.get() {
        Some(cores) => cores,
        None => {
            let allowed = sched_getaffinity(None).context("can't ask which cores may be used")?;
            let all = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
            CORES.get_or_init(|| all.collect())
        }
    };
    let mut chosen = CpuSet::new();
    chosen.set(cores[nth % cores.len()]);
    sched_setaffinity(None, &chosen).context("can't choose a core")
}

/// Returns the resident memory of this process, in bytes.
///
/// # Errors
/// When `/proc` has no such line.
pub(super) fn resident() -> Result<u64> {
    let kib = kib("/proc/self/status", "VmRSS").context("/proc/self/status has no VmRSS")?;
    Ok(kib << 10)
}

/// Returns the CPU time of all threads of this process with this name, in steps of 10 ms.
pub(super) fn thread_cpu_of(name: &str) -> Duration {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return Duration::ZERO };
    let stats = threads.filter_map(|it| fs::read_to_string(it.ok()?.path().join("stat")).ok());
    stats.filter_map(|stat| cpu_of_stat(&stat, Some(name))).sum()
}

/// Returns the CPU time of a process and its ended children.
pub(super) fn process_cpu_of(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    cpu_of_stat(&stat, None).unwrap_or_default()
}

/// Unit of CPU time in `/proc`: Linux reports 100 ticks a second on every machine.
const MS_PER_TICK: u64 = 10;

/// Returns user and system time of a `stat` file (proc(5)), if its thread has this name.
fn cpu_of_stat(stat: &str, name: Option<&str>) -> Option<Duration> {
    let (head, rest) = stat.rsplit_once(") ")?;
    let (_, found) = head.split_once('(')?;
    if name.is_some_and(|name| name != found) {
        return None;
    }
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * MS_PER_TICK))
}

/// Returns the resident memory of another process, in bytes; 0 when it has ended.
pub(super) fn resident_of(pid: u32) -> u64 {
    kib(&format!("/proc/{pid}/status"), "VmRSS").unwrap_or(0) << 10
}

fn kib(path: &str, name: &str) -> Option<u64> {
    field(path, name)?.split_ascii_whitespace().next()?.parse().ok()
}

/// Returns the value of the first line `name: value` in a file of `/proc`.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find_map(|(key, value)| (key.trim() == name).then(|| value.trim().to_owned()))
}
