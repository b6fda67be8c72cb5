"""An agent of OpenAI Agents: `python examples/frameworks/openai_agents_agent.py`."""

from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, Model, ModelResponse, RunConfig, Runner, Usage
from openai.types.responses import ResponseOutputMessage, ResponseOutputText

import heartline

hb = heartline.start("openai-agents-agent")
heartline.auto(cost=lambda usage: ((usage.tokens_in or 0) * 2.5 + (usage.tokens_out or 0) * 10) / 1e6)


class FakeModel(Model):
    """Stands for a model."""

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        text = ResponseOutputText(text="hi", type="output_text", annotations=[])
        message = ResponseOutputMessage(
            id="m", type="message", role="assistant", status="completed", content=[text]
        )
        usage = Usage(requests=1, input_tokens=900, output_tokens=120, total_tokens=1020)
        return ModelResponse(output=[message], usage=usage, response_id=None)

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        raise NotImplementedError
        yield


assistant = Agent(name="assistant", model=FakeModel())
for _ in range(3):
    result = Runner.run_sync(assistant, "hello", run_config=RunConfig(tracing_disabled=True))
    print(result.final_output)
print(hb)
