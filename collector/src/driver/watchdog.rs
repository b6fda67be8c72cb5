//! When the watchdog is pinged. Each ping is granted here, by the loop that judges agents.

use std::time::Duration;

use heartline_fleet::MonoTime;
use heartline_operator::message::{PingKind, PingResult, WatchdogHealth};
use heartline_sinks::{Ping, PingRefusal, PingReport, Pinger};

/// Time after which a ping that was not taken is sent again, where the next is not due before.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
/// Shortest time between two pings of which the second says something else.
const APART: Duration = Duration::from_secs(5);

/// What the driver knows of itself at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SelfJudgement<'a> {
    /// Every sign of life was seen lately, and nothing is doubted.
    Sure,
    /// Some sign was not seen yet since the start.
    Unsure,
    Doubting(&'a [String]),
}

/// The watchdog, if there is one.
#[derive(Default)]
pub(super) struct Watchdog(Option<Watched>);

struct Watched {
    pinger: Box<Pinger>,
    has_begun: bool,
    /// What was said last, and when.
    said: Option<(PingKind, MonoTime)>,
    due: MonoTime,
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
            pinger,
            has_begun: false,
            said: None,
            due: MonoTime::NEVER_YET,
            taken: 0,
            failed: 0,
            last: None,
        });
    }

    /// Grants the ping that is due, if one is; returns what is wrong with the watchdog.
    pub(super) fn tick(&mut self, judgement: SelfJudgement<'_>, now: MonoTime) -> Option<String> {
        let watched = self.0.as_mut()?;
        while let Some(report) = watched.pinger.take_report() {
            watched.take(report, now);
        }
        let granted = watched.grant_due(judgement, now);
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
    /// 1. The first ping says that the collector begins.
    /// 2. While a sign of life was not seen yet, nothing is said: no ping claims what is not known.
    /// 3. What changes is said at once, and what stays at every interval.
    /// 4. A ping that can't be sent, because the service hangs, is tried at the next tick.
    fn grant_due(
        &mut self,
        judgement: SelfJudgement<'_>,
        now: MonoTime,
    ) -> Result<(), PingRefusal> {
        if !self.has_begun {
            self.pinger.grant(Ping::Start)?;
            (self.has_begun, self.due) = (true, now);
            return Ok(());
        }
        let (kind, ping) = match judgement {
            SelfJudgement::Unsure => return Ok(()),
            SelfJudgement::Sure => (PingKind::Alive, Ping::Alive),
            SelfJudgement::Doubting(why) => (PingKind::Fail, Ping::Doubt(why.to_vec())),
        };
        let every = self.pinger.config().every;
        let is_news =
            self.said.is_some_and(|(said, at)| said != kind && now.since(at) >= APART.min(every));
        if now < self.due && !is_news {
            return Ok(());
        }
        self.pinger.grant(ping)?;
        (self.said, self.due) = (Some((kind, now)), now + every);
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
            self.due = self.due.min(now + AGAIN_AFTER);
        }
        let answer = answer.unwrap_or_else(|why| why);
        self.last = Some(PingResult { at_ms, kind, is_taken, answer });
    }
}
