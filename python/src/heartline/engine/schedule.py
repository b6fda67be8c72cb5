"""Schedule of the next message (`SPEC.md`, section 11)."""

from __future__ import annotations

MS = 1_000_000
SECOND = 1_000 * MS

# Limit of messages sent before their interval is over, as a burst and as an average. It keeps a
# collector that always asks again, or a replay of its datagrams, from setting the agent's rate.
_EARLY_PER_S = 10
_EARLY_PERIOD = SECOND // _EARLY_PER_S
_MASK = 2**64 - 1


class Jitter:
    """Random factors from a seed (splitmix64): emitters that start together beat apart."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def millionths(self, least: int, most: int) -> int:
        """Returns a number from `least` to `most`."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return least + (z ^ (z >> 31)) % (most - least + 1)


class SendSchedule:
    """One message an interval, earlier when something has changed, and with exponential backoff
    while something important is unacknowledged. Times are in nanoseconds."""

    __slots__ = ("_early_until", "_interval", "_jitter", "_last_sent", "_retries", "next_due")

    def __init__(self, interval: int, seed: int, now: int) -> None:
        self._interval = interval
        self._jitter = Jitter(seed)
        self.next_due = now
        self._last_sent = now
        self._retries = 0
        # Theoretical arrival time of the generic cell rate algorithm (ITU-T I.371).
        self._early_until = 0

    def expedite(self, now: int) -> None:
        """Makes the next message due as soon as the limit of early messages allows."""
        earliest = max(now, self._early_until - _EARLY_PERIOD * (_EARLY_PER_S - 1))
        if earliest < self.next_due:
            self.next_due = earliest
            self._early_until = max(self._early_until, now) + _EARLY_PERIOD

    def send_now(self, now: int) -> None:
        """Makes the next message due now, past the limit: for the few of a goodbye."""
        self.next_due = min(self.next_due, now)
        self._retries = 0

    def retry_early(self, now: int) -> None:
        """Restarts the backoff, and expedites the next message."""
        self._retries = 0
        self.expedite(now)

    def stop_retrying(self) -> None:
        """Returns to one message an interval, counted from the last one sent."""
        self._retries = 0
        self.next_due = self._last_sent + self._jittered_interval()

    def on_sent(self, now: int, retry: int | None) -> None:
        """Schedules the message after one that was sent: an interval later, or earlier by a backoff
        that begins with `retry`."""
        wait = self._jittered_interval()
        if retry is not None:
            wait = min(wait, retry << min(self._retries, 20))
            self._retries += 1
        self._last_sent = now
        self.next_due = now + wait

    def _jittered_interval(self) -> int:
        return self._interval * self._jitter.millionths(900_000, 1_100_000) // 1_000_000
