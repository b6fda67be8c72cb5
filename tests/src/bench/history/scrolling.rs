//! What beats cost beside operators who scroll through history all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use heartline_collector::store::{ReaderPool, ReaderPoolConfig};

use super::questions::Questions;
use super::{DAY_MS, HOUR_MS};
use crate::bench::ingest::DurableBeats;

/// Operators.
const CLIENTS: u64 = 4;
/// Pause of a client that does not scroll.
const PAUSE: Duration = Duration::from_millis(5);

/// Beats of one measurement, and how many pairs there are.
#[derive(Clone, Copy)]
pub(super) struct ScrollingBench {
    pub(super) agents: u32,
    pub(super) beats: u64,
    pub(super) pairs: usize,
}

impl ScrollingBench {
    /// Measures CPU of the receiving thread and of the store's writer for a beat with new work, alone and beside
    /// the clients, in turns, and prints both.
    pub(super) fn run(self, questions: Questions) -> Result<()> {
        let mut beats = DurableBeats::start(self.agents)?;
        let (is_scrolling, is_over) =
            (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (questions, pages) = (Arc::new(questions), Arc::new(AtomicU64::new(0)));
        let pool = ReaderPool::open(&questions.dir, &ReaderPoolConfig::OPERATORS)?;
        let clients = (0..CLIENTS).map(|client| {
            let (pool, questions, pages) =
                (pool.clone(), Arc::clone(&questions), Arc::clone(&pages));
            let (is_scrolling, is_over) = (Arc::clone(&is_scrolling), Arc::clone(&is_over));
            thread::spawn(move || -> Result<()> {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                let mut turn = client << 32;
                while !is_over.load(Ordering::Relaxed) {
                    if !is_scrolling.load(Ordering::Relaxed) {
                        thread::sleep(PAUSE);
                        continue;
                    }
                    turn += 1;
                    let questions = Arc::clone(&questions);
                    let spans = [HOUR_MS, DAY_MS, 30 * DAY_MS];
                    let span_ms = spans[usize::try_from(turn % 3)?];
                    let page = pool.read(move |reader| {
                        Ok(questions.page(reader, turn, span_ms).map_err(|error| error.to_string()))
                    });
                    runtime.block_on(page)?.map_err(anyhow::Error::msg)?;
                    pages.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        });
        let clients: Vec<_> = clients.collect();
        let (mut alone, mut beside) = (Vec::new(), Vec::new());
        for _ in 0..self.pairs {
            alone.push(beats.measure(self.beats)?);
            is_scrolling.store(true, Ordering::Relaxed);
            beside.push(beats.measure(self.beats)?);
            is_scrolling.store(false, Ordering::Relaxed);
        }
        is_over.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().ok().context("a client has panicked")??;
        }
        let mut ratios: Vec<f64> =
            alone.iter().zip(&beside).map(|(alone, beside)| beside / alone).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        alone.sort_unstable_by(f64::total_cmp);
        println!(
            "CPU of a beat with new work, until it is durable: {:.0} ns; beside {CLIENTS} clients that read {} \
             pages: {:.3} times that, the median of {} pairs (goal: <= 1.05; from {:.3} to {:.3})",
            alone[alone.len() / 2],
            pages.load(Ordering::Relaxed),
            ratios[ratios.len() / 2],
            ratios.len(),
            ratios[0],
            ratios[ratios.len() - 1],
        );
        Ok(())
    }
}
