"""Any framework that writes spans, here Pydantic AI: `python examples/frameworks/opentelemetry_agent.py`."""

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel

import heartline

hb = heartline.start("opentelemetry-agent")
heartline.auto("opentelemetry")  # a span processor beside those of the program

trace.set_tracer_provider(TracerProvider())
Agent.instrument_all()

assistant = Agent(TestModel(), name="assistant")
for _ in range(3):
    print(assistant.run_sync("hello").output)
print(hb)
