"""Programs of the frameworks that instrumentations are tried with, their models being fake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypedDict

import httpx
from agents import Agent as OpenAIAgent
from agents import Model, ModelResponse, Runner, Usage
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, StateGraph
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import ResponseOutputMessage, ResponseOutputText

_ids = iter(range(10**9))


def _completion(request: httpx.Request) -> httpx.Response:
    return httpx.Response(
        200,
        json={
            "id": f"chatcmpl-{next(_ids)}", "object": "chat.completion", "created": 1,
            "model": "gpt-4o",
            "choices": [
                {"index": 0, "finish_reason": "stop",
                 "message": {"role": "assistant", "content": "hi"}},
            ],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        },
    )


def client() -> OpenAI:
    http_client: Any = httpx.Client(transport=httpx.MockTransport(_completion))
    return OpenAI(api_key="none", http_client=http_client)


def call_client() -> None:
    messages: Any = [{"role": "user", "content": "hello"}]
    client().chat.completions.create(model="gpt-4o", messages=messages)


class State(TypedDict):
    text: str


def graph_model() -> ChatOpenAI:
    transport = httpx.MockTransport(_completion)
    return ChatOpenAI(
        model="gpt-4o", api_key="none", http_client=httpx.Client(transport=transport)
    )


def run_graph(*, fails: bool = False, nested: bool = False) -> None:
    def inner(state: State) -> dict[str, str]:
        if fails:
            raise ValueError("no")
        return {"text": str(graph_model().invoke(state["text"]).content)}

    def build(node: Any) -> Any:
        builder = StateGraph(State)
        builder.add_node("ask", node)
        builder.add_edge(START, "ask")
        builder.add_edge("ask", END)
        return builder.compile()

    graph = build(inner)
    outer = build(lambda state: graph.invoke(state)) if nested else graph
    outer.invoke({"text": "hello"})


class FakeModel(Model):
    """A model of OpenAI Agents; an exception as its answer is raised."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        if isinstance(self.answer, Exception):
            raise self.answer
        message = ResponseOutputMessage(
            id="m", type="message", role="assistant", status="completed",
            content=[ResponseOutputText(text=self.answer, type="output_text", annotations=[])],
        )
        usage = Usage(requests=1, input_tokens=10, output_tokens=5, total_tokens=15)
        return ModelResponse(output=[message], usage=usage, response_id=None)

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        raise NotImplementedError
        yield


def run_openai_agent(*, fails: bool = False, through_client: bool = False) -> None:
    model: Any = FakeModel(ValueError("no") if fails else "hi")
    if through_client:
        from agents import OpenAIChatCompletionsModel

        http_client: Any = httpx.AsyncClient(transport=httpx.MockTransport(_completion))
        model = OpenAIChatCompletionsModel(
            "gpt-4o", AsyncOpenAI(api_key="none", http_client=http_client)
        )
    Runner.run_sync(OpenAIAgent(name="assistant", model=model), "hello")
