"""A plain loop: `python examples/plain_loop.py`."""

import random
import time

import heartline


def process(order: int) -> float:
    """Does the work; returns what it cost, in US dollars."""
    time.sleep(random.uniform(0.02, 0.1))
    if order % 20 == 19:
        raise TimeoutError("the model did not answer")
    return 0.03


hb = heartline.start("order-processor")
print(hb)

for order in range(60):
    hb.queue(60 - order)
    try:
        with hb.task("process") as t:  # counts, times, waits while killed
            t.cost(usd=process(order))
            t.tokens(input=900, output=120)
    except TimeoutError as error:
        print(f"order {order}: {error}")

print(hb)
