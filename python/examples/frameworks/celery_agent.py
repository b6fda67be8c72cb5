"""Tasks of Celery: `python examples/frameworks/celery_agent.py` runs them in this process.

With a broker: `BROKER=redis://localhost celery -A celery_agent worker` in this folder.
"""

import os

from celery import Celery

import heartline

hb = heartline.start("celery-agent")
heartline.auto()

app = Celery("celery_agent", broker=os.environ.get("BROKER"))
app.conf.task_always_eager = "BROKER" not in os.environ


@app.task
def answer(question: str) -> str:
    return f"answer to {question}"


if __name__ == "__main__":
    for number in range(3):
        print(answer.delay(f"question {number}").get())
    print(hb)
