//! The limits of agents' latencies by their own past: read at the start and at the begin of each hour, a
//! part of the fleet at a time, and handed to the driver.

use std::time::Duration;

use tokio::time::sleep;

use crate::clock;
use crate::driver::{DriverHandle, DriverRequest};
use crate::store::ReaderPool;

/// Agents of one part: what the driver takes in at once.
const PART_AGENTS: i64 = 1_000;
/// Pause between two parts, so that other readers and the driver have their turns.
const PAUSE: Duration = Duration::from_millis(20);
const HOUR_MS: i64 = 3_600_000;
/// Longest sleep: the wall clock may be set.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// Hands the limits of each hour to the driver, for as long as the runtime lives.
pub async fn publish_baselines(driver: DriverHandle, reader: ReaderPool) {
    let mut published = None;
    loop {
        let hour = clock::wall_ms().div_euclid(HOUR_MS);
        if published != Some(hour) {
            publish_hour(&driver, &reader, hour * HOUR_MS).await;
            published = Some(hour);
        }
        let left_ms = (hour + 1) * HOUR_MS - clock::wall_ms();
        let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or(0));
        sleep(left.clamp(PAUSE, SLEEP_MAX)).await;
    }
}

async fn publish_hour(driver: &DriverHandle, reader: &ReaderPool, hour_ms: i64) {
    let mut first = Some(1);
    while let Some(from) = first {
        let part = reader.read(move |reader| reader.baselines(hour_ms, from, PART_AGENTS)).await;
        match part {
            Ok(part) => {
                driver.send(DriverRequest::Baselines(part.limits));
                first = part.next;
            }
            Err(error) => {
                tracing::warn!(
                    "can't read what latencies are usual: {error}; those of before stay"
                );
                return;
            }
        }
        sleep(PAUSE).await;
    }
}
