//! The watchdog: each ping is granted here, by the loop that judges agents.

use heartline_fleet::MonoTime;
use heartline_operator::message::{PingKind, PingResult, WatchdogHealth};
use heartline_sinks::{Ping, PingRefusal, PingReport, Pinger};

use super::ping_schedule::{Certainty, PingSchedule};

/// The watchdog, if there is one.
#[derive(Default)]
pub(super) struct Watchdog(Option<Watched>);

struct Watched {
    pinger: Box<Pinger>,
    schedule: PingSchedule,
    taken: u64,
    failed: u64,
    last: Option<PingResult>,
}

impl Watchdog {
    /// Pings another one from now on. One that is configured as the one before is the one before.
    pub(super) fn replace(&mut self, pinger: Option<Box<Pinger>>) {
        if let (Some(old), Some(new)) = (&self.0, &pinger)
            && old.pinger.config() == new.config()
        {
            return;
        }
        self.0 = pinger.map(|pinger| Watched {
            schedule: PingSchedule::new(pinger.config().every),
            pinger,
            taken: 0,
            failed: 0,
            last: None,
        });
    }

    /// Grants the ping that is due, if one is; returns what is wrong with the watchdog.
    pub(super) fn tick(
        &mut self,
        certainty: Certainty,
        doubts: &[String],
        now: MonoTime,
    ) -> Option<String> {
        let watched = self.0.as_mut()?;
        while let Some(report) = watched.pinger.take_report() {
            watched.take(report, now);
        }
        let granted = watched.grant_due(certainty, doubts, now);
        let target = watched.pinger.config().url.redacted_url();
        match (granted, &watched.last) {
            (Err(PingRefusal::Ended), _) => {
                Some(format!("the watchdog {target} is not pinged: {}", PingRefusal::Ended))
            }
            (_, Some(PingResult { is_taken: false, answer, .. })) => {
                Some(format!("the watchdog {target} takes no pings: {answer}"))
            }
            _ => None,
        }
    }

    pub(super) fn health(&self) -> Option<WatchdogHealth> {
        let watched = self.0.as_ref()?;
        let config = watched.pinger.config();
        Some(WatchdogHealth {
            target: config.url.redacted_url(),
            every_ms: u64::try_from(config.every.as_millis()).unwrap_or(u64::MAX),
            taken: watched.taken,
            failed: watched.failed,
            last: watched.last.clone(),
        })
    }
}

impl Watched {
    /// A ping that can't be sent, because the service hangs, is due at the next tick again.
    fn grant_due(
        &mut self,
        certainty: Certainty,
        doubts: &[String],
        now: MonoTime,
    ) -> Result<(), PingRefusal> {
        let Some(kind) = self.schedule.due(certainty, now) else { return Ok(()) };
        self.pinger.grant(match kind {
            PingKind::Start => Ping::Start,
            PingKind::Alive => Ping::Alive,
            PingKind::Fail => Ping::Doubt(doubts.to_vec()),
        })?;
        self.schedule.sent(kind, now);
        Ok(())
    }

    fn take(&mut self, report: PingReport, now: MonoTime) {
        let PingReport { ping, at_ms, answer } = report;
        let kind = match ping {
            Ping::Start => PingKind::Start,
            Ping::Alive => PingKind::Alive,
            Ping::Doubt(_) => PingKind::Fail,
        };
        let is_taken = answer.is_ok();
        if is_taken {
            self.taken += 1;
        } else {
            self.failed += 1;
            self.schedule.failed(now);
        }
        let answer = answer.unwrap_or_else(|why| why);
        self.last = Some(PingResult { at_ms, kind, is_taken, answer });
    }
}
