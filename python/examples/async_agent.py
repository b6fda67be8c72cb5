"""Three workers in one event loop: `python examples/async_agent.py`."""

import asyncio
import random

import heartline


async def ask_model(question: int) -> str:
    """Stands for a call of a model."""
    await asyncio.sleep(random.uniform(0.05, 0.3))
    return f"answer {question}"


async def work(hb: heartline.Heartline, questions: "asyncio.Queue[int]") -> None:
    while not questions.empty():
        question = questions.get_nowait()
        hb.queue(questions.qsize())
        async with hb.task("ask") as t:  # waits for a resume without blocking the loop
            await ask_model(question)
            t.step("check")
            t.tokens(input=300, output=40)


async def main() -> None:
    hb = heartline.start("async-agent")  # in the loop, so that a blocked loop is seen
    questions: asyncio.Queue[int] = asyncio.Queue()
    for question in range(60):
        questions.put_nowait(question)
    await asyncio.gather(*(work(hb, questions) for _ in range(3)))
    print(hb)


asyncio.run(main())
