"""A crew of CrewAI: `python examples/frameworks/crewai_agent.py`."""

import os
from typing import Any

# CrewAI's own telemetry takes over the program's signals, and waits for the network at the end.
os.environ["CREWAI_DISABLE_TELEMETRY"] = "true"
os.environ["CREWAI_DISABLE_VERSION_CHECK"] = "true"

import heartline

hb = heartline.start("crewai-agent")
heartline.auto()

from crewai import Agent, BaseLLM, Crew, Task  # noqa: E402


class FakeModel(BaseLLM):
    """Stands for a model."""

    def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
        return "Thought: I know\nFinal Answer: a text"

    def supports_function_calling(self) -> bool:
        return False

    def supports_stop_words(self) -> bool:
        return False

    def get_context_window_size(self) -> int:
        return 8192


writer = Agent(role="writer", goal="write", backstory="writes", llm=FakeModel(model="fake"))
task = Task(name="write", description="write", expected_output="a text", agent=writer)
for _ in range(3):
    print(Crew(agents=[writer], tasks=[task]).kickoff())
print(hb)
