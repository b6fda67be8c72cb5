//! What a program does about signals, as far as it can be seen from within.

use std::fs;
use std::hash::{Hash as _, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::SigId;
use signal_hook::consts::SIGINT;
use signal_hook::{flag, low_level};

/// A set of signals, as the kernel keeps it: bit 0 is signal 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SignalSet(u64);

impl SignalSet {
    /// Returns the signals of this process that do not have their default effect; `None` where the
    /// system does not say.
    pub(super) fn caught_or_ignored() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        Some(Self(mask(&status, "SigCgt:")? | mask(&status, "SigIgn:")?))
    }

    pub(super) fn contains(self, signal: i32) -> bool {
        self.0 & 1 << (signal - 1) != 0
    }

    /// Returns how many signals are in this set and not in `other`.
    fn count_beyond(self, other: Self) -> u64 {
        (self.0 & !other.0).count_ones().into()
    }
}

fn mask(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// The registrations of handlers that a process has made through `signal-hook`, as tokio and others
/// do, too. All handlers registered for a signal are called, and which there are can't be asked;
/// but registrations are numbered, and the kernel shows which signals are handled at all.
#[derive(Clone, Debug)]
pub(super) struct Registrations {
    /// One of the emitter's signals, to draw numbers with.
    own_signal: i32,
    next_number: u64,
    handled: SignalSet,
}

impl Registrations {
    /// Returns those of now, given what is handled now; the emitter is about to handle `own`
    /// signals, too. `None` if there are none, or if registrations have no numbers.
    pub(super) fn now(handled: SignalSet, own: &[i32]) -> Option<Self> {
        let own_signal = *own.first()?;
        let handled = own.iter().fold(handled.0, |set, &signal| set | 1 << (signal - 1));
        let next_number = next_number(own_signal)?;
        Some(Self { own_signal, next_number, handled: SignalSet(handled) })
    }

    /// Counts registrations of the emitter.
    pub(super) fn add_own(&mut self, count: usize) {
        self.next_number += count as u64;
    }

    /// Returns whether the program has registered a handler of its own for a signal since. Each
    /// registration that is not for a newly handled signal is for SIGINT or SIGTERM: a single one
    /// for SIGINT, which many programs handle alone, as by `tokio::signal::ctrl_c`; more than one
    /// for both.
    pub(super) fn program_handles(&mut self, signal: i32) -> bool {
        let next_number = next_number(self.own_signal);
        let (Some(next_number), Some(handled)) = (next_number, SignalSet::caught_or_ignored())
        else {
            return false;
        };
        let registered = next_number.saturating_sub(self.next_number);
        // The number that was drawn for this is the emitter's own.
        self.add_own(1);
        match registered.saturating_sub(1).saturating_sub(handled.count_beyond(self.handled)) {
            0 => false,
            1 => signal == SIGINT,
            _ => true,
        }
    }
}

/// Returns the number of the next registration, after one that has no effect.
fn next_number(own_signal: i32) -> Option<u64> {
    let id = flag::register(own_signal, Arc::new(AtomicBool::new(false))).ok()?;
    low_level::unregister(id);
    number(&id).map(|number| number + 1)
}

/// Returns the number of a registration, which shows in its hash alone.
fn number(id: &SigId) -> Option<u64> {
    let mut hasher = NumberHasher(None);
    id.hash(&mut hasher);
    hasher.0
}

/// Keeps the number that is hashed, instead of a hash.
struct NumberHasher(Option<u64>);

impl Hasher for NumberHasher {
    fn write(&mut self, _: &[u8]) {}

    fn write_u128(&mut self, number: u128) {
        self.0 = u64::try_from(number).ok();
    }

    fn finish(&self) -> u64 {
        self.0.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use signal_hook::consts::{SIGHUP, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};

    use super::*;

    /// Registers a handler without effect, as a program does.
    fn register(signal: i32) {
        flag::register(signal, Arc::new(AtomicBool::new(false))).unwrap();
    }

    #[test]
    fn masks_are_read_as_the_kernel_writes_them() {
        let status =
            "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000004002\n";
        assert_eq!(mask(status, "SigCgt:"), Some(0x4002));
        assert!(SignalSet(0x4002).contains(SIGTERM) && SignalSet(0x4002).contains(SIGINT));
        assert!(!SignalSet(0x4002).contains(SIGHUP));
        assert_eq!(mask(status, "SigShd:"), None);
    }

    /// One test, as registrations are of the whole process: SIGUSR1 stands for SIGTERM here, which
    /// no handler of a test should catch.
    #[test]
    fn handlers_that_a_program_registers_later_are_noticed() {
        let before = SignalSet::caught_or_ignored().unwrap();
        assert!(!before.contains(SIGUSR1));
        let mut registrations = Registrations::now(before, &[SIGUSR1]).unwrap();
        register(SIGUSR1);
        registrations.add_own(1);
        let mut handles = |signal| registrations.program_handles(signal);
        assert_eq!((handles(SIGTERM), handles(SIGINT)), (false, false));
        register(SIGWINCH);
        register(SIGUSR2);
        assert_eq!((handles(SIGTERM), handles(SIGINT)), (false, false), "others are no matter");
        register(SIGUSR1);
        assert_eq!((handles(SIGTERM), handles(SIGINT)), (false, true), "one may be for SIGINT");
        register(SIGUSR1);
        assert_eq!((handles(SIGTERM), handles(SIGINT)), (true, true));
    }
}
