//! CPU time and memory of a process and its children, from `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

/// What a process and its children use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// CPU time since the sample before, in thousandths of a core.
    pub(crate) cpu_permille: u32,
    /// Resident memory, in bytes.
    pub(crate) memory_bytes: u64,
}

/// Samples what a process and its children use.
#[derive(Debug)]
pub(crate) struct UsageSampler {
    pid: u32,
    taken_at: Instant,
    cpu: Duration,
}

/// What is read of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ProcessStat {
    parent: u32,
    /// CPU time of the process, and of those of its children that have ended, in clock ticks.
    ticks: u64,
    pages: u64,
}

impl UsageSampler {
    pub(crate) fn new(pid: u32, now: Instant) -> Self {
        Self { pid, taken_at: now, cpu: Duration::ZERO }
    }

    /// Takes a sample; `None` where the system has no `/proc`, or the process has ended.
    pub(crate) fn sample(&mut self, now: Instant) -> Option<Usage> {
        let tree = tree_of(self.pid, &read_all());
        if tree.is_empty() {
            return None;
        }
        let ticks: u64 = tree.iter().map(|stat| stat.ticks).sum();
        let pages: u64 = tree.iter().map(|stat| stat.pages).sum();
        let cpu = Duration::from_secs_f64(ticks as f64 / ticks_per_second());
        let (elapsed, used) = (now - self.taken_at, cpu.saturating_sub(self.cpu));
        (self.taken_at, self.cpu) = (now, cpu);
        let share = used.as_secs_f64() / elapsed.as_secs_f64().max(0.001);
        let memory_bytes = pages * rustix::param::page_size() as u64;
        Some(Usage { cpu_permille: (share * 1_000.0) as u32, memory_bytes })
    }
}

fn ticks_per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

/// Returns the process and all below it.
fn tree_of(pid: u32, all: &BTreeMap<u32, ProcessStat>) -> Vec<ProcessStat> {
    let is_below = |mut of: u32| {
        // Bounded: what is read while processes come and go may be a circle.
        for _ in 0..all.len() {
            if of == pid {
                return true;
            }
            match all.get(&of) {
                Some(stat) => of = stat.parent,
                None => return false,
            }
        }
        false
    };
    all.iter().filter(|(id, _)| is_below(**id)).map(|(_, stat)| *stat).collect()
}

fn read_all() -> BTreeMap<u32, ProcessStat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(|pid: u32| {
        let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Some((pid, parse(&String::from_utf8_lossy(&text))?))
    })
    .collect()
}

/// Parses a line of `/proc/PID/stat` (proc(5)). The name of the program stands in parentheses, and may
/// itself have some.
fn parse(line: &str) -> Option<ProcessStat> {
    let (_, after) = line.rsplit_once(')')?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(ProcessStat {
        parent: u32::try_from(number(1)?).ok()?,
        ticks: number(11)? + number(12)? + number(13)? + number(14)?,
        pages: number(21)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_parsed_whatever_the_program_is_called() {
        let line =
            "4411 (a) b (c) S 17 4411 4411 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 7 0 55 999 640 1";
        let expected = ProcessStat { parent: 17, ticks: 127, pages: 640 };
        assert_eq!(parse(line), Some(expected));
        assert_eq!(parse("4411 (cut"), None);
    }

    #[test]
    fn children_count_and_others_do_not() {
        let stat = |parent| ProcessStat { parent, ticks: 1, pages: 1 };
        let all =
            BTreeMap::from([(1, stat(0)), (7, stat(1)), (8, stat(7)), (9, stat(8)), (5, stat(1))]);
        assert_eq!(tree_of(7, &all).len(), 3);
        assert_eq!(tree_of(77, &all).len(), 0);
        let circle = BTreeMap::from([(3, stat(4)), (4, stat(3))]);
        assert_eq!(tree_of(7, &circle).len(), 0);
    }
}
