//! How soon the timeline of a large fleet answers a key that moves its cursor over what is loaded.

use std::io::{Read as _, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;

use super::{BenchMode, start_app};
use crate::bench::live_agents::{LiveAgents, LiveAgentsConfig, REGISTRATION_CONFIG, WorkPattern};
use crate::clock;
use crate::harness::TestEnvironment;
use crate::result_table::ResultTable;

const SIZE: (u16, u16) = (120, 36);
/// Interval of each agent, in ms: none is late while it is measured.
const INTERVAL_MS: u32 = 600_000;
/// First beats of all agents a second.
const BEATS_PER_SECOND: u32 = 10_000;
/// Longest wait for all agents, and for the screen.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A frame is over when nothing has come for so long.
const QUIET: Duration = Duration::from_millis(15);
/// How long the app is left alone after a frame: as between the repeats of a held key.
const PAUSE: Duration = Duration::from_millis(20);
/// A key that is not answered for so long changes nothing.
const UNANSWERED: Duration = Duration::from_millis(300);
/// The request for the status of a terminal, and its answer (DSR, ECMA-48 8.3.35).
const STATUS_REQUEST: &[u8] = b"\x1b[5n";
const STATUS_OK: &[u8] = b"\x1b[0n";
/// How long pages are waited for before the first key.
const LOADING: Duration = Duration::from_secs(3);
/// Keys that zoom in to a second a cell, from wherever.
const ZOOM_IN: &[u8] = b"++++++++++++";

pub(super) fn run(mode: BenchMode) -> Result<()> {
    let (agents, stretches, stretch) = match mode {
        BenchMode::Full => (10_000, 20, 20),
        BenchMode::Smoke => (200, 2, 3),
    };
    let env = TestEnvironment::new();
    env.configure(REGISTRATION_CONFIG);
    let collector = env.start_collector();
    let operator = env.operator();
    let config =
        LiveAgentsConfig { agents, interval_ms: INTERVAL_MS, work: WorkPattern::Idle, sockets: 8 };
    let mut fleet = LiveAgents::new(config, &env.token(), collector.address())?;
    let end = clock::monotonic() + TIMEOUT;
    while operator.collector().summary.healthy < agents {
        ensure!(clock::monotonic() < end, "not all of {agents} agents became live");
        fleet.beat(u64::from(BEATS_PER_SECOND.min(agents)), Duration::from_secs(1))?;
    }

    let (mut app, terminal) = start_app(&env, SIZE)?;
    let mut reader = terminal.try_clone_reader().context("can't read the terminal")?;
    let keyboard = terminal.take_writer().context("can't write to the terminal")?;
    let keyboard = Arc::new(Mutex::new(keyboard));
    let (drawn, screen) = mpsc::channel();
    thread::spawn({
        let keyboard = Arc::clone(&keyboard);
        move || {
            let mut buffer = [0; 65_536];
            while let Ok(len @ 1..) = reader.read(&mut buffer) {
                let _ = drawn.send(clock::monotonic());
                // A terminal that does not say when it has shown a frame gets few of them.
                if buffer[..len].windows(STATUS_REQUEST.len()).any(|it| it == STATUS_REQUEST) {
                    let _ = press(&keyboard, STATUS_OK);
                }
            }
        }
    });
    screen.recv_timeout(TIMEOUT).context("heartline drew nothing")?;
    thread::sleep(LOADING);
    press(&keyboard, b"4")?;
    thread::sleep(LOADING);
    press(&keyboard, ZOOM_IN)?;
    // There is no past before the first beat.
    thread::sleep(Duration::from_secs(stretch));
    println!("timeline of {agents} agents at 120×36, from a key to its frame\n");
    let mut table = ResultTable::new(&["keys", "answered", "p50 ms", "p99 ms", "max ms", "goal"]);
    for (name, there, back) in
        [("in time: h, l", b"h", b"l"), ("from row to row: j, k", b"j", b"k")]
    {
        let mut frames = Histogram::<u64>::new(3)?;
        let ways = (0..stretches).flat_map(|_| [there, back]);
        for key in ways.flat_map(|key| (0..stretch).map(move |_| key)) {
            while screen.try_recv().is_ok() {}
            let pressed = clock::monotonic();
            press(&keyboard, key)?;
            if let Some(drawn) = wait_for_frame(&screen)? {
                frames.saturating_record(drawn.saturating_sub(pressed).as_micros() as u64);
            }
            thread::sleep(PAUSE);
        }
        let ms = |quantile| format!("{:.2}", frames.value_at_quantile(quantile) as f64 / 1e3);
        let answered = format!("{} of {}", frames.len(), 2 * stretches * stretch);
        table.row(&[name.into(), answered, ms(0.5), ms(0.99), ms(1.0), "p99 <= 16".into()]);
    }
    app.kill().context("can't end heartline")?;
    table.print();
    Ok(())
}

fn press(keyboard: &Mutex<Box<dyn Write + Send>>, keys: &[u8]) -> Result<()> {
    let mut keyboard = keyboard.lock().map_err(|_| anyhow::anyhow!("the terminal has ended"))?;
    keyboard.write_all(keys).context("can't write to the terminal")
}

/// Returns when the last part of the next frame came; `None` where a key changes nothing, as at an end.
fn wait_for_frame(screen: &Receiver<Duration>) -> Result<Option<Duration>> {
    let mut last = match screen.recv_timeout(UNANSWERED) {
        Ok(at) => at,
        Err(RecvTimeoutError::Timeout) => return Ok(None),
        Err(RecvTimeoutError::Disconnected) => anyhow::bail!("heartline ended"),
    };
    loop {
        match screen.recv_timeout(QUIET) {
            Ok(at) => last = at,
            Err(RecvTimeoutError::Timeout) => return Ok(Some(last)),
            Err(RecvTimeoutError::Disconnected) => anyhow::bail!("heartline ended"),
        }
    }
}
