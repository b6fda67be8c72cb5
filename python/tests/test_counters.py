"""Counters: nothing is lost or counted twice, whoever counts and whenever it is read."""

from __future__ import annotations

import gc
import threading

from heartline.counters import COST_NANO_USD, LATENCY, OK, Counters, DeltaReader
from heartline.engine.metrics import Work
from heartline.protocol.buckets import BUCKETS, COUNT_MAX, unpack_histogram


def drain(reader: DeltaReader) -> list[Work]:
    return list(iter(reader.take, None))


def test_threads_count_exactly_while_it_is_read() -> None:
    counters, threads, each = Counters(), 8, 20_000
    readers = [DeltaReader(counters), DeltaReader(counters)]
    ended = threading.Event()

    def count() -> None:
        shard = counters.claim_shard()
        for n in range(each):
            shard[LATENCY + n % BUCKETS] += 1
            shard[COST_NANO_USD] += 3
            shard[OK] += 1

    taken: list[list[Work]] = [[], []]

    def read() -> None:
        while not ended.is_set():
            for reader, works in zip(readers, taken):
                work = reader.take()
                if work is not None:
                    works.append(work)

    counting = [threading.Thread(target=count) for _ in range(threads)]
    reading = threading.Thread(target=read)
    for thread in [reading, *counting]:
        thread.start()
    for thread in counting:
        thread.join()
    ended.set()
    reading.join()
    for reader, works in zip(readers, taken):
        works += drain(reader)
        assert sum(work.ok for work in works) == threads * each
        assert sum(work.cost_nano_usd for work in works) == 3 * threads * each
        pairs = [pair for work in works for pair in unpack_histogram(work.latency)]
        assert sum(count for _, count in pairs) == threads * each


def test_a_thread_that_has_ended_leaves_its_shard_to_the_next() -> None:
    counters = Counters()
    for _ in range(50):
        thread = threading.Thread(target=lambda: counters.claim_shard().__setitem__(OK, 1))
        thread.start()
        thread.join()
    gc.collect()
    assert len(counters._shards) <= 2


def test_what_does_not_fit_a_segment_goes_with_the_next() -> None:
    counters = Counters()
    shard, reader = counters.claim_shard(), DeltaReader(counters)
    for bucket in range(BUCKETS):
        shard[LATENCY + bucket] = bucket * 100 + 1
    shard[OK] = COUNT_MAX + 5
    works = drain(reader)
    assert len(works) > 1 and all(len(work.latency) <= 800 for work in works)
    assert [work.ok for work in works[:2]] == [COUNT_MAX, 5]
    assert all(work.ok == 0 for work in works[2:])
    pairs = [pair for work in works for pair in unpack_histogram(work.latency)]
    assert pairs == [(bucket, bucket * 100 + 1) for bucket in range(BUCKETS)]


def test_a_count_above_the_limit_of_a_segment_is_split() -> None:
    counters = Counters()
    shard, reader = counters.claim_shard(), DeltaReader(counters)
    shard[LATENCY + 3] = COUNT_MAX - 1
    shard[LATENCY + 9] = 7
    shard[OK] = 1
    assert [unpack_histogram(work.latency) for work in drain(reader)] == [
        [(3, COUNT_MAX - 1), (9, 1)],
        [(9, 6)],
    ]
