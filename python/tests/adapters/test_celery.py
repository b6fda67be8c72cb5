"""Celery: real workers, and Redis."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from fleet import PATIENCE, Collector, eventually

from .conftest import kill, resume, seen, wait_for

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.fail("these tests need redis-server: apt-get install redis-server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    redis = subprocess.Popen(
        [program, *options], cwd=tmp_path_factory.mktemp("redis"), stdout=subprocess.DEVNULL
    )

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    eventually(answers, "redis answers")
    yield f"redis://127.0.0.1:{port}"
    redis.terminate()
    redis.wait()


class Worker:
    """A worker of one pool, and a client of it."""

    def __init__(
        self, collector: Collector, broker: str, state_dir: Path, name: str, *options: str
    ) -> None:
        self.collector = collector
        self.name = name
        self.queue = name
        environment = {
            **os.environ,
            "BROKER": broker, "AGENT": name, "HEARTLINE_COLLECTOR": collector.address,
            "HEARTLINE_TOKEN_FILE": str(collector.place.token_file), "HEARTLINE_STATE_DIR": str(state_dir),
        }
        self.log = state_dir / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "celery", "-A", "celery_worker", "worker", "-Q", name,
                    "-n", f"{name}@%h", "--loglevel", "INFO", "--without-mingle",
                    "--without-gossip", *options,
                ],
                cwd=HERE, env=environment, stdout=log, stderr=log,
            )
        self.app = Celery("client", broker=broker, backend=broker)
        wait_for(collector, name, "a live beat", lambda agent: agent["state"] == "healthy")

    def send(self, task: str, *arguments: Any, **options: Any) -> Any:
        return self.app.send_task(task, arguments, queue=self.queue, **options)

    def processes(self) -> list[dict[str, Any]]:
        """What the collector knows of the worker and its children."""
        names = sorted(self.collector.names(self.name))
        return [seen(self.collector, name) for name in names]

    def total(self) -> tuple[int, int]:
        totals = [process["total"] for process in self.processes()]
        return sum(it["ok"] for it in totals), sum(it["failed"] for it in totals)

    def wait_for_total(self, ok: int, failed: int) -> None:
        try:
            eventually(lambda: self.total() == (ok, failed), f"the total is {(ok, failed)}")
        except AssertionError as error:
            log = self.log.read_text()[-3000:]
            raise AssertionError(f"{error}, but {self.total()}; {log}") from None

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def start_worker(
    collector: Collector, broker: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def start(*options: str) -> Worker:
        name = f"worker-{next(_numbers)}"
        workers.append(Worker(collector, broker, tmp_path_factory.mktemp(name), name, *options))
        return workers[-1]

    yield start
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.stop()


@pytest.fixture(scope="module")
def worker(start_worker: Callable[..., Worker]) -> Worker:
    """A worker with a pool of one process, which tests use one after the other."""
    return start_worker("-c", "1")


def test_each_child_of_the_pool_counts_its_tasks_as_a_replica(
    start_worker: Callable[..., Worker],
) -> None:
    worker = start_worker("-c", "2")
    results = [worker.send("add", number, 1) for number in range(10)]
    results += [worker.send("nested"), worker.send("retry")]
    failures = [worker.send("fail"), worker.send("fail")]
    assert sum(result.get(timeout=PATIENCE) for result in results) == 55 + 3 + 1
    for failure in failures:
        with pytest.raises(ValueError):
            failure.get(timeout=PATIENCE)
    worker.wait_for_total(12, 2)
    children = [process for process in worker.processes() if process["agent"] != worker.name]
    assert [child["agent"] for child in children] == [f"{worker.name}.1", f"{worker.name}.2"]
    assert {child["group"] for child in children} == {worker.name}
    worker.send("ignore")
    worker.send("reject")
    assert worker.send("add", 1, 1).get(timeout=PATIENCE) == 2
    worker.wait_for_total(13, 3)
    worker.stop()
    states = {(process["state"], process["reason"]) for process in worker.processes()}
    assert states == {("killed", "shutdown")}, worker.log.read_text()[-3000:]
    assert worker.total() == (13, 3)


def test_a_killed_child_fails_its_task(worker: Worker, tmp_path: Path) -> None:
    ok, failed = worker.total()
    started = tmp_path / "started"
    worker.send("sleep", str(started))
    child = int(eventually(lambda: started.exists() and started.read_text() or None, "the task runs"))
    os.kill(child, signal.SIGKILL)
    worker.wait_for_total(ok, failed + 1)
    assert worker.send("add", 1, 1).get(timeout=PATIENCE) == 2
    worker.wait_for_total(ok + 1, failed + 1)


def test_a_hard_time_limit_fails_its_task_once(worker: Worker) -> None:
    ok, failed = worker.total()
    worker.send("sleep", time_limit=1)
    worker.wait_for_total(ok, failed + 1)
    assert worker.send("add", 1, 1).get(timeout=PATIENCE) == 2
    worker.wait_for_total(ok + 1, failed + 1)


def test_revocations(worker: Worker, tmp_path: Path) -> None:
    ok, failed = worker.total()
    started = tmp_path / "started"
    running = worker.send("sleep", str(started))
    waiting = worker.send("add", 1, 1)
    eventually(started.exists, "the task runs")
    waiting.revoke()
    running.revoke(terminate=True)
    worker.wait_for_total(ok, failed + 1)
    assert worker.send("add", 2, 2).get(timeout=PATIENCE) == 4
    worker.wait_for_total(ok + 1, failed + 1)


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_a_pool_without_processes_counts_in_the_worker(
    start_worker: Callable[..., Worker], pool: str
) -> None:
    worker = start_worker("-P", pool, "-c", "2")
    assert worker.send("add", 1, 1).get(timeout=PATIENCE) == 2
    with pytest.raises(ValueError):
        worker.send("fail").get(timeout=PATIENCE)
    worker.wait_for_total(1, 1)
    assert [process["agent"] for process in worker.processes()] == [worker.name]


def test_a_kill_holds_the_tasks_of_a_child(worker: Worker) -> None:
    ok, failed = worker.total()
    assert worker.send("add", 2, 2).get(timeout=PATIENCE) == 4
    worker.wait_for_total(ok + 1, failed)
    children = [it for it in worker.processes() if it["agent"] != worker.name]
    child = next(it["agent"] for it in children if it["state"] == "healthy")
    kill(worker.collector, child)
    held = worker.send("add", 2, 2)
    beats = seen(worker.collector, child)["beats"]
    later = wait_for(
        worker.collector, child, "ten beats", lambda agent: agent["beats"] > beats + 10
    )
    assert not held.ready() and later["in_flight"] == 0
    resume(worker.collector, child)
    assert held.get(timeout=PATIENCE) == 4
    worker.wait_for_total(ok + 2, failed)
