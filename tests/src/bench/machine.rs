//! The machine that is measured on.

use std::fs;

use anyhow::{Context as _, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// One line about processor, cores, memory and kernel.
pub(super) fn describe() -> String {
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown CPU".into());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory_gib = kib("/proc/meminfo", "MemTotal").unwrap_or(0) >> 20;
    let system = rustix::system::uname();
    let kernel = system.release().to_string_lossy();
    let build = if cfg!(debug_assertions) { "; DEV BUILD: the numbers mean nothing" } else { "" };
    format!("{model}, {cores} cores, {memory_gib} GiB, Linux {kernel}{build}")
}

/// Keeps the calling thread on the `nth` of the cores that it may use.
///
/// # Errors
/// When the system refuses.
pub(super) fn pin(nth: usize) -> Result<()> {
    let allowed = sched_getaffinity(None).context("can't ask which cores may be used")?;
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect();
    let mut chosen = CpuSet::new();
    chosen.set(cores[nth % cores.len()]);
    sched_setaffinity(None, &chosen).context("can't choose a core")
}

/// Memory of this process that is resident, in bytes.
///
/// # Errors
/// When `/proc` does not tell.
pub(super) fn resident() -> Result<u64> {
    let kib = kib("/proc/self/status", "VmRSS").context("/proc/self/status has no VmRSS")?;
    Ok(kib << 10)
}

fn kib(path: &str, name: &str) -> Option<u64> {
    field(path, name)?.split_ascii_whitespace().next()?.parse().ok()
}

/// The value of the first line `name: value` in a file of `/proc`.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find_map(|(key, value)| (key.trim() == name).then(|| value.trim().to_owned()))
}
