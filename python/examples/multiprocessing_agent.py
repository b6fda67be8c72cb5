"""Processes that are replicas of one agent: `python examples/multiprocessing_agent.py`."""

import multiprocessing
import time

import heartline

hb = heartline.start("cruncher", group="crunchers")


@hb.task  # each call is a task of the process that runs it: cruncher.1, cruncher.2
def crunch(number: int) -> int:
    time.sleep(0.05)
    return number * number


def crunch_and_tell(number: int) -> "tuple[int, str]":
    return crunch(number), hb.status().agent


if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        results = pool.map(crunch_and_tell, range(40), chunksize=2)
        pool.close()
        pool.join()  # so that the children say goodbye
    print(sum(result for result, _ in results), sorted({agent for _, agent in results}))
