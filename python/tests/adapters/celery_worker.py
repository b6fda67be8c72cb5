"""A worker as a program would have it: `celery -A celery_worker worker`."""

from __future__ import annotations

import os
import time
from typing import Any

import heartline
from celery import Celery
from celery.exceptions import Ignore, Reject

app = Celery("worker", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
app.conf.update(
    broker_connection_retry_on_startup=True, worker_prefetch_multiplier=1, task_acks_late=True
)

heartline.start(os.environ["AGENT"], interval="100ms")
heartline.auto()


@app.task(name="add")
def add(one: int, other: int) -> int:
    return one + other


@app.task(name="fail")
def fail() -> None:
    raise ValueError("no")


@app.task(name="retry", bind=True)
def retry(self: Any) -> int:
    if self.request.retries == 0:
        raise self.retry(countdown=0)
    return 1


@app.task(name="ignore")
def ignore() -> None:
    raise Ignore


@app.task(name="reject")
def reject() -> None:
    raise Reject("no", requeue=False)


@app.task(name="nested")
def nested() -> int:
    return int(add.apply((1, 2)).get(disable_sync_subtasks=False))


@app.task(name="pid")
def pid() -> int:
    return os.getpid()


@app.task(name="sleep", acks_late=False)
def sleep(started: str | None = None) -> None:
    if started is not None:
        with open(started, "w") as file:
            file.write(str(os.getpid()))
    time.sleep(3600)
