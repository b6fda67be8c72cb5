//! Goodbyes when the process is asked to end by SIGTERM or SIGINT.
//!
//! 1. A signal is the emitter's business only where it would end the process: the program neither
//!    handles nor ignores it, when its first emitter starts and when the signal arrives.
//! 2. All emitters of the process say goodbye, together as long as one `stop` may take.
//! 3. Then the signal does what it would have done: its default is restored, and it is raised anew.

mod disposition;

use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use self::disposition::{Registrations, SignalSet};
use crate::shared::{STOP_TIMEOUT, SharedState, StopRequest};

/// The signals that ask a process to end.
const WATCHED: [i32; 2] = [SIGTERM, SIGINT];

static EMITTERS: Mutex<SignalEmitters> =
    Mutex::new(SignalEmitters { installed: None, emitters: Vec::new() });

/// The emitters that say goodbye at a signal.
struct SignalEmitters {
    installed: Option<InstalledHandlers>,
    emitters: Vec<Weak<SharedState>>,
}

/// Handlers of this process, or of the one that it was forked from.
#[derive(Clone)]
struct InstalledHandlers {
    pid: u32,
    signals: Vec<i32>,
    registrations: Registrations,
}

/// Lets an emitter say goodbye when the process is asked to end.
pub(crate) fn say_goodbye_at_end(emitter: &Arc<SharedState>) {
    let mut all = lock();
    all.emitters.retain(|emitter| emitter.strong_count() > 0);
    all.emitters.push(Arc::downgrade(emitter));
    let inherited = match all.installed.take() {
        Some(installed) if installed.pid == process::id() => {
            all.installed = Some(installed);
            return;
        }
        inherited => inherited,
    };
    all.installed = install(inherited);
}

/// Installs handlers, and starts the thread that acts on them. A forked process has inherited its
/// parent's handlers, and no thread.
fn install(inherited: Option<InstalledHandlers>) -> Option<InstalledHandlers> {
    let (signals, mut registrations) = match inherited {
        Some(inherited) => (inherited.signals, inherited.registrations),
        None => {
            let handled = SignalSet::caught_or_ignored()?;
            let mut signals = WATCHED.to_vec();
            signals.retain(|&signal| !handled.contains(signal));
            let registrations = Registrations::now(handled, &signals)?;
            (signals, registrations)
        }
    };
    // The thread first: a handler that nobody acts on would take the signal its effect.
    let (handlers, installed) = mpsc::sync_channel::<Signals>(1);
    let thread = thread::Builder::new().name("heartline-signals".to_owned());
    let spawned = thread.spawn(move || {
        let mut signals = installed.recv();
        signals.iter_mut().flat_map(Signals::forever).for_each(on_signal);
    });
    spawned.ok()?;
    handlers.send(Signals::new(&signals).ok()?).ok()?;
    registrations.add_own(signals.len());
    Some(InstalledHandlers { pid: process::id(), signals, registrations })
}

fn on_signal(signal: i32) {
    let (emitters, is_handled) = {
        let mut all = lock();
        let is_handled = match &mut all.installed {
            Some(installed) => installed.registrations.program_handles(signal),
            None => true,
        };
        (all.emitters.clone(), is_handled)
    };
    if is_handled {
        // The program's own handler decides; if it ends, dropped handles say goodbye.
        return;
    }
    let emitters: Vec<Arc<SharedState>> = emitters.iter().filter_map(Weak::upgrade).collect();
    for emitter in &emitters {
        emitter.request_stop(StopRequest::WithGoodbye);
    }
    let mut left = STOP_TIMEOUT;
    for emitter in &emitters {
        let begun = emitter.clock.now();
        emitter.stop(StopRequest::WithGoodbye, left);
        left = left.saturating_sub(emitter.clock.now().since(begun));
    }
    if process::id() == 1 {
        // The kernel drops signals to the first process of a container whose default would end it.
        low_level::exit(128 + signal);
    }
    // This returns only for signals that it does not know.
    let _ = low_level::emulate_default_handler(signal);
}

fn lock() -> MutexGuard<'static, SignalEmitters> {
    EMITTERS.lock().unwrap_or_else(PoisonError::into_inner)
}
