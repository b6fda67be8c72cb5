//! The stages that need no fleet: the least that any receiver must do, up to decoding.

use std::hint::black_box;

use anyhow::{Context as _, Result};
use heartline_collector::ingest::{DatagramBatch, IngestSocket};
use heartline_protocol::limits::TAG_LEN;
use heartline_protocol::{AgentKey, Datagram};
use ring::hmac;

use super::PipelineStage;
use super::burst_sender::{BeatRound, BurstSender};
use super::measurement::{CpuMeasurement, measure_bursts};
use crate::bench::synthetic_fleet::{BeatPayload, SHARED_KEY, SyntheticFleet};

/// Takes at least so many packets up to `stage`, which is [`PipelineStage::Decode`] at most.
pub(super) fn measure(stage: PipelineStage, packets: u64) -> Result<CpuMeasurement> {
    let socket = IngestSocket::bind("127.0.0.1:0".parse().context("an address")?)?;
    let sender = BurstSender::start(SyntheticFleet::with_shared_key(4_096), socket.address())?;
    let prepared = hmac::Key::new(hmac::HMAC_SHA256, &SHARED_KEY);
    let mut batch = DatagramBatch::new(&socket);
    let mut measurement = CpuMeasurement::default();
    let mut sequence = 0;
    while measurement.packets < packets {
        sequence += 1;
        let round = BeatRound { sequence, echo_ms: 0, payload: BeatPayload::Segment(1) };
        measurement += measure_bursts(&sender, round, || {
            drain(&socket, &mut batch, |bytes| process(stage, &prepared, bytes))
        })?;
    }
    Ok(measurement)
}

fn drain(
    socket: &IngestSocket,
    batch: &mut DatagramBatch,
    process: impl Fn(&[u8]) -> Option<()>,
) -> Result<u64> {
    let mut received = 0;
    loop {
        let count = batch.receive(socket).context("can't receive")?;
        if count == 0 {
            return Ok(received);
        }
        received += count as u64;
        for (bytes, from) in batch.datagrams() {
            black_box(from);
            process(bytes).context("a beat was refused: nothing was measured")?;
        }
    }
}

fn process(stage: PipelineStage, prepared: &hmac::Key, bytes: &[u8]) -> Option<()> {
    match stage {
        PipelineStage::Receive => {}
        PipelineStage::Verify => {
            let (covered, tag) = bytes.split_at(bytes.len() - TAG_LEN);
            hmac::verify(prepared, covered, tag).ok()?;
        }
        _ => {
            let key = AgentKey::new(black_box(&SHARED_KEY));
            let verified = Datagram::parse(bytes).ok()?.verify(&key).ok()?;
            if stage >= PipelineStage::Decode {
                black_box(verified.decode().ok()?);
            }
        }
    }
    Some(())
}
