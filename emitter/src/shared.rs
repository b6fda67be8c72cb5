//! What the agent's threads and the sender's thread share.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::bell::Bell;
use crate::board::Board;
use crate::clock::Clock;
use crate::counters::{Counters, Sum};
use crate::engine::Desired;
use crate::gate::Gate;
use crate::hooks::{Change, Hooks};
use crate::problem::Problem;
use crate::status::{Bulletin, Status};

/// What the agent's threads and the sender's thread share.
pub(crate) struct Shared {
    pub(crate) counters: Counters,
    pub(crate) gate: Gate,
    pub(crate) board: Board,
    pub(crate) clock: Clock,
    pub(crate) hooks: Hooks,
    pub(crate) bulletin: Bulletin,
    /// `None`: nothing is sent, so nobody is to be woken.
    bell: Option<Bell>,
    pid: u32,
    leave: AtomicU8,
    left: Mutex<bool>,
    has_left: Condvar,
}

/// How the sender shall end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Leave {
    /// Not yet.
    Stay,
    /// With a goodbye.
    Goodbye,
    /// Without a word: the agent has panicked, and shall be missed.
    Silently,
}

impl Shared {
    pub(crate) fn new(bell: Option<Bell>) -> Self {
        Self {
            counters: Counters::new(),
            gate: Gate::default(),
            board: Board::new(),
            clock: Clock::start(),
            hooks: Hooks::default(),
            bulletin: Bulletin::default(),
            bell,
            pid: std::process::id(),
            leave: AtomicU8::new(Leave::Stay as u8),
            left: Mutex::new(false),
            has_left: Condvar::new(),
        }
    }

    /// Wakes the sender.
    pub(crate) fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell.ring();
        }
    }

    /// Makes the desired state the one that tasks see.
    pub(crate) fn obey(&self, desired: Desired) {
        if desired.killed {
            self.gate.close();
        } else {
            self.gate.open();
        }
        self.bulletin.lock().desired = desired;
        self.hooks.fire(if desired.killed { Change::Killed } else { Change::Resumed });
    }

    /// How the sender shall end.
    pub(crate) fn leave(&self) -> Leave {
        match self.leave.load(Ordering::Acquire) {
            0 => Leave::Stay,
            1 => Leave::Goodbye,
            _ => Leave::Silently,
        }
    }

    /// Tells the sender to end, and waits until it has, but no longer than `patience`.
    pub(crate) fn stop(&self, how: Leave, patience: Duration) {
        if self.bell.is_none() || self.is_forked() {
            return;
        }
        self.leave.fetch_max(how as u8, Ordering::AcqRel);
        self.ring();
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.has_left.wait_timeout_while(left, patience, |left| !*left);
    }

    /// The sender has ended.
    pub(crate) fn sender_has_left(&self) {
        self.bulletin.lock().contact = None;
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.has_left.notify_all();
    }

    pub(crate) fn status(&self) -> Status {
        let news = self.bulletin.lock().clone();
        let mut problems = news.problems();
        if self.is_forked() {
            problems.push(Problem::Forked);
        }
        Status {
            contact: news.contact,
            desired: news.desired,
            last_answer_age: news.last_answer.map(|at| self.clock.now().since(at)),
            in_flight: self.counters.in_flight(),
            lost_observations: self.counters.total(Sum::Lost),
            refused_datagrams: news.refused_datagrams,
            problems,
        }
    }

    /// Whether this process is a fork of the one with the sender's thread.
    fn is_forked(&self) -> bool {
        self.pid != std::process::id()
    }
}
