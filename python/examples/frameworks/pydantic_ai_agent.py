"""An agent of Pydantic AI: `python examples/frameworks/pydantic_ai_agent.py`."""

from typing import Any

from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults
from pydantic_ai.models.test import TestModel

import heartline

hb = heartline.start("pydantic-ai-agent")
heartline.auto()

assistant: Agent[None, Any] = Agent(
    TestModel(call_tools=["send"]), name="assistant", output_type=[str, DeferredToolRequests]
)


@assistant.tool_plain(requires_approval=True)
def send(text: str) -> str:
    return f"sent {text}"


for _ in range(3):
    asked = assistant.run_sync("hello")  # asks for an approval: the agent waits
    approvals: Any = {call.tool_call_id: True for call in asked.output.approvals}
    result = assistant.run_sync(  # the same task goes on, and counts once
        message_history=asked.all_messages(),
        deferred_tool_results=DeferredToolResults(approvals=approvals),
    )
    print(result.output)
print(hb)
