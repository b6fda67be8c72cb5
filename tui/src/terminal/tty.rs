//! The device of the terminal: opened without blocking, set to raw mode, and given back.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::queue;
use crossterm::style::ResetColor;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl, open};
use rustix::process::getpgrp;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr};

use super::output::write_last;

/// Returns the sequences that take the terminal over: alternate screen, no cursor, bracketed paste.
pub(super) fn enter_sequences() -> Vec<u8> {
    let mut out = Vec::new();
    queue!(out, EnterAlternateScreen, Hide, EnableBracketedPaste).expect(INFALLIBLE);
    out
}

/// Returns the sequences that undo those of [`enter_sequences`], and every other mode that this
/// program sets.
fn leave_sequences() -> Vec<u8> {
    let mut out = MOUSE_OFF.to_vec();
    queue!(out, DisableBracketedPaste, ResetColor, Show, LeaveAlternateScreen).expect(INFALLIBLE);
    out
}

const INFALLIBLE: &str = "a Vec takes every write";
/// Reports of clicks and wheel, in SGR form; crossterm's capture asks for every motion, too.
pub(super) const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
pub(super) const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";

/// The largest screen that is drawn, whatever size a terminal claims to have.
const MAX_SIZE: (u16, u16) = (1_000, 300);

/// What is given back; there while the terminal is taken over. A panic finds it here.
static TAKEN: Mutex<Option<TakenTerminal>> = Mutex::new(None);
static PANIC_HOOK: Once = Once::new();

/// The terminal as it is to be given back.
#[derive(Debug)]
struct TakenTerminal {
    terminal: OwnedFd,
    modes: Termios,
}

/// Holds the terminal in raw mode, and gives it back when dropped or when the program panics.
#[derive(Debug)]
pub(crate) struct TerminalGuard {
    /// The modes of before.
    modes: Termios,
}

impl TerminalGuard {
    pub(super) fn acquire() -> io::Result<Self> {
        PANIC_HOOK.call_once(restore_on_panic);
        let guard = Self { modes: tcgetattr(io::stdin())? };
        guard.set_raw()?;
        Ok(guard)
    }

    pub(super) fn set_raw(&self) -> io::Result<()> {
        let terminal = open_again(&io::stdout())?;
        *taken() = Some(TakenTerminal { terminal, modes: self.modes.clone() });
        let mut raw = self.modes.clone();
        raw.make_raw();
        Ok(tcsetattr(io::stdin(), OptionalActions::Now, &raw)?)
    }

    /// Returns columns and lines, as far as they are drawn.
    pub(crate) fn size(&self) -> (u16, u16) {
        // A terminal without a size has room for nothing.
        let size = tcgetwinsize(io::stdout()).map_or((0, 0), |size| (size.ws_col, size.ws_row));
        (size.0.min(MAX_SIZE.0), size.1.min(MAX_SIZE.1))
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, until [`TerminalGuard::set_raw`].
pub(crate) fn restore() {
    let Some(TakenTerminal { terminal, modes }) = taken().take() else { return };
    write_last(&terminal, &leave_sequences());
    // In the background it is the shell's, which has set its own modes.
    if tcgetpgrp(&terminal).is_ok_and(|group| group == getpgrp()) {
        // An error means that the terminal is gone: there is nothing left to restore.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
    }
    for shared in [io::stdin().as_fd(), io::stdout().as_fd()] {
        let flags = fcntl_getfl(shared).unwrap_or(OFlags::empty());
        if flags.contains(OFlags::NONBLOCK) {
            let _ = fcntl_setfl(shared, flags - OFlags::NONBLOCK);
        }
    }
}

fn restore_on_panic() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        restore();
        previous(panic);
    }));
}

fn taken() -> MutexGuard<'static, Option<TakenTerminal>> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens a terminal once more, so that it does not block here, and does everywhere else. One that
/// belongs to another user, as after `su`, can't be opened: then nobody is blocked by it until
/// [`restore`].
pub(super) fn open_again(terminal: &impl AsFd) -> io::Result<OwnedFd> {
    let fd = terminal.as_fd();
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let own = format!("/proc/self/fd/{}", fd.as_raw_fd());
    if let Ok(opened) = open(own, flags, Mode::empty()) {
        return Ok(opened);
    }
    fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)?;
    fd.try_clone_to_owned()
}
