#!/usr/bin/env python3
"""An emitter written from protocol/SPEC.md alone, to show that the specification is enough.

Python's standard library only. Prints one JSON object a line for each event: `sent`, `ack`,
`durable`, `killed`, `resumed`, and at last `end` with what was counted and what is durable.
"""

import argparse
import collections
import json
import os
import random
import signal
import socket
import sys
import time

import bodies
import buckets
import envelope
import keys
from packing import Refused

NO_CHALLENGE = bytes(16)
OUT_OF_TURN = 10  # beats a second (section 5)
UNANSWERED, UNCONFIRMED, CHANGED = 1_000, 100, 400  # ms until the first repeat (section 11)
PATIENCE_MS = 1_000  # of a goodbye (section 13)
COPY_BEATS = 150  # of a copy, more than of its original
HISTOGRAM_MAX = 800  # bytes that always fit (section 9)


def now_ms():
    return time.monotonic() * 1_000


def say(event, **details):
    print(json.dumps({"event": event, **details}), flush=True)


class Work:
    """Open and pending segment of a session (section 9)."""

    def __init__(self):
        self.open, self.latency = collections.Counter(), collections.Counter()
        self.number, self.durable, self.pending = 0, 0, None
        self.first_sent = 0  # sequence of the first message with the pending segment
        self.counted = collections.Counter()
        self.frozen = collections.Counter()  # of all segments so far, also of sessions before
        self.budget = None  # unit, and the count at which nothing is left (section 12.1)
        self.stored = collections.Counter()

    def add(self, ok, failed, latency_us, cost_nano):
        work = {"ok": ok, "failed": failed, "cost_nano_usd": cost_nano}
        self.open.update(work)
        self.counted.update(work)
        if ok + failed and latency_us is not None:
            self.latency[buckets.bucket(latency_us)] += ok + failed

    def freeze(self, sequence):
        """The pending segment, frozen now for the message of `sequence` if there was none and there is
        something to freeze."""
        if self.pending is None and (+self.open or self.latency):
            part = {}
            for index in sorted(self.latency):
                if len(buckets.pack_histogram({**part, index: self.latency[index]})) > HISTOGRAM_MAX:
                    break
                part[index] = self.latency.pop(index)
            self.number += 1
            self.first_sent = sequence
            self.pending = {name: self.open[name] for name, _, _ in bodies.SEGMENT}
            self.pending.update(number=self.number, latency=buckets.pack_histogram(part))
            self.open = collections.Counter()
            self.frozen.update({name: self.pending[name] for name in bodies.SUMS})
        return self.pending

    def told_durable(self, number):
        self.durable = max(self.durable, number)
        if self.pending and self.pending["number"] <= self.durable:
            self.stored.update({name: self.pending[name] for name in ("ok", "failed", "cost_nano_usd")})
            say("durable", segment=self.pending["number"])
            self.pending = None

    def told_left(self, budget, durable):
        """Section 12.1, rules 1 and 2."""
        if budget is None:
            self.budget = None
            return
        counts, frozen = durable + budget["counts_pending"], collections.Counter(self.frozen)
        if self.pending and counts < self.pending["number"]:
            frozen.subtract({name: self.pending[name] for name in bodies.SUMS})
        if counts >= self.durable:
            self.budget = budget["unit"], amount(budget["unit"], frozen) + budget["left"]

    def is_spent(self):
        if self.budget is None:
            return False
        unit, limit = self.budget
        return amount(unit, self.frozen + self.open) >= limit

    def begin_session(self, confirmed):
        """Takes the pending segment along, unless a live message has brought it (section 5)."""
        if self.pending and self.first_sent <= confirmed:
            self.pending = None
        self.number, self.durable, self.first_sent = 0, 0, 1
        if self.pending:
            self.number = self.pending["number"] = 1

    def is_empty(self):
        return self.pending is None and not +self.open and not self.latency


def amount(unit, sums):
    return sum(sums[name] for name in bodies.AMOUNTS[unit])


class Emitter:
    def __init__(self, options):
        self.options = options
        self.epoch, self.scope, scope_key = keys.read_token(options.token)
        if not keys.is_id(options.agent.encode()) or not keys.covers(self.scope, options.agent):
            raise SystemExit(f"the token does not cover the agent id {options.agent!r}")
        self.up, self.down = keys.agent_keys(scope_key, options.agent)
        host, port = options.collector.rsplit(":", 1)
        family, kind, _, _, address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
        self.socket, self.address = socket.socket(family, kind), address
        self.is_copy = False
        self.session, self.sequence, self.started = os.urandom(8), 0, now_ms()
        self.challenge, self.carried, self.answered = NO_CHALLENGE, None, 0
        self.held, self.lifted, self.control = {}, set(), None  # held: control id: (generation, killed)
        self.wants_identity, self.beats, self.regular = True, 0, 0
        self.due, self.early = self.started, collections.deque(maxlen=OUT_OF_TURN)
        self.first, self.repeats = UNANSWERED, 0  # when a beat is repeated for the first time, if it is
        self.change = 0  # first sequence that reports what was sent at once for section 12
        self.is_regular, self.confirmed = True, 0
        self.work, self.stopping = Work(), False

    # Sending

    def send(self, kind, fields):
        self.sequence += 1
        data = envelope.seal(
            kind, self.epoch, self.scope, self.options.agent, self.session, self.sequence,
            self.challenge, bodies.encode(kind, fields), self.up,
        )  # fmt: skip
        self.carried = self.challenge
        say("sent", type=envelope.TYPES[kind], sequence=self.sequence, bytes=len(data))
        if self.sequence in self.options.lose:
            return
        try:
            self.socket.sendto(data, self.address)
        except OSError:
            pass  # counts as loss (section 18)

    def identity(self):
        return {
            "host": bodies.scrub(socket.gethostname())[:32],
            "pid": os.getpid(),
            "sdk": "spec-emitter 1",
        }

    def beat(self):
        options = self.options
        if self.is_regular:
            self.regular += 1
            if not self.is_killed() and not self.work.is_spent():
                self.work.add(options.ok, options.failed, options.latency_us, options.cost_nano)
        fields = {
            "interval_ms": options.interval_ms,
            "uptime_ms": int(now_ms() - self.started),
            "phase": 1,
            "in_flight": 0,
            "oldest_in_flight_ms": None,
            "progress_age_ms": 0 if self.work.counted else None,
            "queue": None,
            "step": "spec",
            **self.desired(),
            "lost_observations": 0,
            "segment": self.work.freeze(self.sequence + 1),
            "identity": self.identity() if self.wants_identity else None,
        }
        if len(bodies.encode(bodies.BEAT, fields)) > 1_200 - 74 - len(options.agent):
            fields["segment"] = None  # rides on the next (section 7.2)
        self.send(bodies.BEAT, fields)
        self.beats += 1
        if self.beats >= 3:
            self.wants_identity = False
        self.wait_an_interval()
        repeat_at = now_ms() + (self.first or 0) * 2**self.repeats
        if self.first and repeat_at < self.due:
            self.due, self.is_regular = repeat_at, False
        self.repeats += 1

    def wait_an_interval(self):
        self.due, self.is_regular = now_ms() + self.options.interval_ms * random.uniform(0.9, 1.1), True

    def is_killed(self):
        return any(killed and control not in self.lifted for control, (_, killed) in self.held.items())

    def desired(self):
        """What a beat says of section 12."""
        generation, killed = self.held.get(self.control, (0, False))
        others = [
            control
            for control, (_, is_kill) in self.held.items()
            if is_kill and control not in self.lifted and control != self.control
        ]
        return {
            "generation": generation,
            "killed": killed and self.control not in self.lifted,
            "control": self.control,
            "blocked_by": others[-1] if others else None,
        }

    def at_once(self):
        """Beats now, or as soon as the limit of beats out of turn allows (section 5)."""
        self.repeats, at = 0, now_ms()
        if len(self.early) == OUT_OF_TURN:
            at = max(at, self.early[0] + 1_000)
        if at < self.due:
            self.early.append(at)
            self.due, self.is_regular = at, False

    def report(self):
        """Beats at once for section 12, and again until that is answered."""
        self.change, self.first = self.sequence + 1, self.first or CHANGED
        self.at_once()

    # Receiving

    def receive(self, until_ms):
        """The next message for this session, or None when the time is over."""
        while (left_ms := until_ms - now_ms()) > 0:
            self.socket.settimeout(left_ms / 1_000)
            try:
                data = self.socket.recv(2_048)
                message = envelope.open_downward(data, self.down)
            except (OSError, Refused):
                continue
            if message["agent"] == self.options.agent and message["session"] == self.session:
                return message
        return None

    def take(self, message):
        fields = message["fields"]
        if message["type"] == bodies.ACK:
            self.take_ack(message, fields)
        control, newest = fields["control"], (fields["generation"], fields["killed"])
        if control and newest > self.held.get(control, (0, False)):
            self.held.pop(control, None)
            self.held[control] = newest
            self.lifted.discard(control)
            if not newest[1] and fields["lifts"] in self.held:
                self.lifted.add(fields["lifts"])
            say("killed" if self.is_killed() else "resumed", generation=newest[0])
            self.report()

    def take_ack(self, message, fields):
        sequence = message["sequence"]
        say("ack", sequence=sequence, **fields)
        is_taken = fields["session_taken"] or fields["highest_sequence"] > self.sequence
        if is_taken and sequence <= self.sequence:
            return self.leave_session()
        if fields["wants_identity"] or not fields["unconfirmed"]:
            self.wants_identity = fields["wants_identity"]
        self.work.told_durable(fields["durable_segment"])
        if not self.answered <= sequence <= self.sequence:
            return
        self.answered, self.challenge = sequence, message["challenge"]
        self.control = fields["control"] or self.control
        if fields["unconfirmed"]:
            is_first = self.first != UNCONFIRMED
            self.first = UNCONFIRMED
            if is_first and self.carried != self.challenge:
                self.at_once()
            return
        self.confirmed = sequence
        was_spent = self.work.is_spent()
        self.work.told_left(fields["budget"], fields["durable_segment"])
        if self.work.is_spent() != was_spent:
            say("used up" if self.work.is_spent() else "more is left", budget=self.work.budget)
        if sequence < self.change:
            self.first = CHANGED
        elif self.first:
            self.first = None
            self.wait_an_interval()

    def leave_session(self):
        """Another process speaks in this session: this one is a copy, or has one (section 5)."""
        self.work.begin_session(self.confirmed)
        self.session, self.sequence = os.urandom(8), 0
        self.challenge, self.carried, self.answered, self.confirmed = NO_CHALLENGE, None, 0, 0
        self.wants_identity, self.beats = True, 0
        self.first, self.change = UNANSWERED, 0
        say("session")
        self.at_once()

    # Running

    def run(self):
        while not self.stopping and (not self.options.beats or self.regular < self.options.beats):
            if now_ms() >= self.due:
                self.beat()
                if self.regular == self.options.copy_after:
                    self.copy()
            # Waits are short, so that a signal is noticed.
            elif message := self.receive(min(self.due, now_ms() + 100)):
                self.take(message)
        if self.options.goodbye:
            self.say_goodbye()
        else:
            self.linger()
        stored, counted = self.work.stored, self.work.counted
        say("end", counted=counted, stored=stored, clean=self.work.is_empty())
        return 0 if self.work.is_empty() else 1

    def copy(self):
        """Goes on twice, as a snapshot of memory does: the copy later, and from another port."""
        if not self.is_copy and os.fork() == 0:
            self.is_copy = True
            self.socket = socket.socket(self.socket.family, self.socket.type)
            self.options.beats += COPY_BEATS
            time.sleep(self.options.copy_delay_ms / 1_000)

    def linger(self):
        """Goes on beating, without new work, until all of it is durable or an interval is over."""
        until_ms = now_ms() + self.options.interval_ms
        while not self.work.is_empty() and now_ms() < until_ms:
            if now_ms() >= self.due:
                self.is_regular = False
                self.beat()
            elif message := self.receive(min(self.due, until_ms)):
                self.take(message)
                if self.work.pending is None and not self.work.is_empty():
                    self.at_once()

    def say_goodbye(self):
        """Section 13: goodbyes until nothing is left, or patience is over."""
        until_ms, wait_ms = now_ms() + PATIENCE_MS, 100
        first = self.sequence + 1
        while now_ms() < until_ms:
            segment = self.work.freeze(self.sequence + 1)
            self.send(bodies.GOODBYE, {"uptime_ms": int(now_ms() - self.started), "segment": segment})
            resend_at = min(until_ms, now_ms() + wait_ms)
            wait_ms *= 2
            while message := self.receive(resend_at):
                was_confirmed = self.first != UNCONFIRMED
                self.take(message)
                if self.confirmed >= first and self.work.is_empty():
                    return
                if was_confirmed and self.first == UNCONFIRMED and self.carried != self.challenge:
                    wait_ms = 100
                    break  # unconfirmed: the next one at once, with the new challenge
                if segment is not None and self.work.pending is None:
                    wait_ms = 100
                    break  # durable: the next one takes what is left


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collector", default="127.0.0.1:4327", metavar="HOST:PORT")
    parser.add_argument("--token", required=True)
    parser.add_argument("--agent", required=True, metavar="NAME")
    parser.add_argument("--interval-ms", type=int, default=30_000)
    parser.add_argument("--beats", type=int, default=0, help="regular beats before the end; 0: no end")
    parser.add_argument("--ok", type=int, default=0, help="tasks that succeed with each regular beat")
    parser.add_argument("--failed", type=int, default=0, help="tasks that fail with each")
    parser.add_argument("--latency-us", type=int, help="latency of each task")
    parser.add_argument("--cost-nano", type=int, default=0, help="nano-dollars with each")
    parser.add_argument("--copy-after", type=int, help="regular beats until a copy of the process starts")
    parser.add_argument("--copy-delay-ms", type=int, default=0, help="until it goes on")
    parser.add_argument("--goodbye", action="store_true", help="say goodbye at the end")
    parser.add_argument("--lose", type=numbers, default=[], help="sequences that the network loses")
    return parser.parse_args()


def numbers(text):
    return [int(number) for number in text.split(",")]


def main():
    emitter = Emitter(options())

    def stop(_signal, _frame):
        emitter.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return emitter.run()


if __name__ == "__main__":
    sys.exit(main())
