"""CrewAI, with a fake model. Runs in the environment of `requirements-crewai.txt`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

os.environ.update(
    CREWAI_DISABLE_TELEMETRY="true", CREWAI_DISABLE_TRACKING="true",
    CREWAI_DISABLE_VERSION_CHECK="true", CREWAI_TRACING_ENABLED="false", CREWAI_TESTING="true",
)

import heartline  # noqa: E402

assert "crewai" in heartline.auto()  # before the program imports it

from crewai import Agent as CrewAgent  # noqa: E402
from crewai import BaseLLM, Crew, Task  # noqa: E402
from crewai.events import crewai_event_bus  # noqa: E402
from crewai.events.types.llm_events import LLMCallCompletedEvent, LLMCallType  # noqa: E402
from crewai.flow import Flow, human_feedback, listen, start  # noqa: E402
from crewai.flow.async_feedback import (  # noqa: E402
    ConsoleProvider,
    HumanFeedbackPending,
    PendingFeedbackContext,
)
from crewai.tools import tool  # noqa: E402

from fleet import Collector  # noqa: E402

from ...conftest import Agent, wait_for  # noqa: E402


class FakeModel(BaseLLM):
    """A model that always gives one answer, and says what it used as CrewAI's own clients do."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(model="gpt-4o")
        object.__setattr__(self, "_answers", list(answers))

    def call(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
        answers: list[Any] = self._answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        crewai_event_bus.emit(
            self,
            LLMCallCompletedEvent(
                call_id="call", model="gpt-4o", response=answer, call_type=LLMCallType.LLM_CALL,
                messages=messages, usage={"prompt_tokens": 10, "completion_tokens": 5},
            ),
        )
        return answer

    def supports_function_calling(self) -> bool:
        return False

    def supports_stop_words(self) -> bool:
        return False

    def get_context_window_size(self) -> int:
        return 8192


def crew(*answers: Any, tools: Any = ()) -> Crew:
    answers = answers or ("Thought: I know\nFinal Answer: hi",)
    writer = CrewAgent(
        role="writer", goal="write", backstory="writes", llm=FakeModel(*answers), tools=list(tools),
        max_retry_limit=0,
    )
    task = Task(name="write", description="write", expected_output="text", agent=writer)
    return Crew(name="newsroom", agents=[writer], tasks=[task])


def ends(agent: Agent) -> tuple[int, int]:
    counted = agent.counted()
    return counted["ok"], counted["failed"]


def test_a_crew_is_a_task_with_its_tokens(agent: Agent) -> None:
    crew().kickoff()
    assert agent.counted() == {"ok": 1, "failed": 0, "tokens": (10, 5), "usd": 0.0}


def test_the_asynchronous_forms_are_tasks(agent: Agent) -> None:
    asyncio.run(crew().kickoff_async())
    asyncio.run(crew().akickoff())
    crew().kickoff_for_each([{}, {}])
    assert ends(agent) == (4, 0)


def test_a_failed_crew_has_failed(agent: Agent) -> None:
    with pytest.raises(ValueError):
        crew(ValueError("no")).kickoff()
    assert ends(agent) == (0, 1)


def test_a_failing_tool_is_no_failure(agent: Agent) -> None:
    @tool("broken")
    def broken() -> str:
        """Fails."""
        raise ValueError("no")

    use = "Thought: use it\nAction: broken\nAction Input: {}"
    crew(use, "Thought: I know\nFinal Answer: hi", tools=[broken]).kickoff()
    assert ends(agent) == (1, 0)


def test_an_agent_alone_is_a_task(agent: Agent) -> None:
    model = FakeModel("Thought: I know\nFinal Answer: hi")
    CrewAgent(role="writer", goal="write", backstory="writes", llm=model).kickoff("hello")
    assert ends(agent) == (1, 0)


def test_a_streamed_crew_is_a_task(agent: Agent) -> None:
    streamed = crew()
    streamed.stream = True
    for _ in streamed.kickoff():
        pass
    assert ends(agent) == (1, 0)


class Nested(Flow[Any]):
    @start()
    def begin(self) -> str:
        return str(crew().kickoff())

    @listen(begin)
    def go_on(self, text: str) -> str:
        return str(crew().kickoff())


def test_crews_in_a_flow_are_parts(agent: Agent) -> None:
    Nested().kickoff()
    asyncio.run(Nested().kickoff_async())
    assert agent.counted() == {"ok": 2, "failed": 0, "tokens": (40, 20), "usd": 0.0}


def test_a_failed_flow_has_failed(agent: Agent) -> None:
    class Failing(Flow[Any]):
        @start()
        def begin(self) -> str:
            raise ValueError("no")

    with pytest.raises(ValueError):
        Failing().kickoff()
    assert ends(agent) == (0, 1)


def test_a_question_to_a_person_is_a_wait(agent: Agent) -> None:
    class Person(ConsoleProvider):
        def request_feedback(self, context: PendingFeedbackContext, flow: Any) -> str:
            from crewai.events.types.flow_events import (
                HumanFeedbackReceivedEvent,
                HumanFeedbackRequestedEvent,
            )

            about = {"flow_name": "Asking", "method_name": context.method_name}
            crewai_event_bus.emit(
                flow,
                HumanFeedbackRequestedEvent(**about, output="", message="ok?", emit=None),
            )
            agent.wait_for(
                "the wait",
                lambda agent: (agent["phase"], agent["step"]) == ("waiting", "feedback for begin"),
            )
            crewai_event_bus.emit(flow, HumanFeedbackReceivedEvent(**about, feedback="yes"))
            return "yes"

    class Asking(Flow[Any]):
        @start()
        @human_feedback(message="ok?", provider=Person())
        def begin(self) -> str:
            return "draft"

    Asking().kickoff()
    agent.wait_for("the end of the wait", lambda agent: agent["phase"] == "running")
    assert ends(agent) == (1, 0)


def test_a_paused_flow_waits_and_its_resume_counts_once(agent: Agent) -> None:
    class Later:
        def request_feedback(self, context: PendingFeedbackContext, flow: Any) -> str:
            raise HumanFeedbackPending(context=context)

    class Pausing(Flow[Any]):
        @start()
        @human_feedback(message="ok?", provider=Later())
        def begin(self) -> str:
            return "draft"

    flow = Pausing()
    pending = flow.kickoff()
    assert isinstance(pending, HumanFeedbackPending)
    agent.wait_for(
        "the wait",
        lambda agent: (agent["phase"], agent["step"]) == ("waiting", "feedback for begin"),
    )
    Pausing.from_pending(pending.context.flow_id).resume("yes")
    agent.wait_for("the end of the wait", lambda agent: agent["phase"] == "running")
    assert ends(agent) == (1, 0)


def test_a_kill_holds_new_runs(agent: Agent) -> None:
    agent.kill()
    results: list[Any] = []
    held = [
        threading.Thread(target=lambda: results.append(crew().kickoff())),
        threading.Thread(target=lambda: results.append(Nested().kickoff())),
    ]
    for thread in held:
        thread.start()
    for thread in held:
        thread.join(0.3)
    assert results == [] and agent.hb.status().in_flight == 0
    agent.resume()
    for thread in held:
        thread.join(30)
    assert len(results) == 2
    assert ends(agent) == (2, 0)


def test_a_kill_raises_where_the_program_asked_for_it(raising_agent: Agent) -> None:
    raising_agent.kill()
    with pytest.raises(heartline.AgentKilled):
        crew().kickoff()
    raising_agent.resume()
    assert ends(raising_agent) == (0, 0)


def test_the_example_counts_three_tasks(collector: Collector) -> None:
    example = Path(__file__).parents[4] / "examples" / "frameworks" / "crewai_agent.py"
    done = subprocess.run(
        [sys.executable, str(example)],
        env={**collector.place.environment(), "HEARTLINE_COLLECTOR": collector.address},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    name = "crewai-agent"
    seen = wait_for(collector, name, "a goodbye", lambda agent: agent["reason"] == "shutdown")
    assert (seen["total"]["ok"], seen["total"]["failed"]) == (3, 0), done.stderr
