"""A LangGraph graph that asks a person: `python examples/frameworks/langgraph_agent.py`."""

from typing import Any, TypedDict

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

import heartline

hb = heartline.start("langgraph-agent")
heartline.auto()

usage: Any = {"input_tokens": 900, "output_tokens": 120, "total_tokens": 1020}
model = GenericFakeChatModel(
    messages=iter([AIMessage(f"draft {n}", usage_metadata=usage) for n in range(3)])
)


class State(TypedDict):
    text: str


def write(state: State) -> dict[str, Any]:
    return {"text": model.invoke(state["text"]).content}


def approve(state: State) -> dict[str, Any]:
    return {"text": interrupt(f"send {state['text']!r}?")}


builder = StateGraph(State)
builder.add_node("write", write)
builder.add_node("approve", approve)
builder.add_edge(START, "write")
builder.add_edge("write", "approve")
builder.add_edge("approve", END)
graph: Any = builder.compile(checkpointer=InMemorySaver())

for number in range(3):
    thread = {"configurable": {"thread_id": str(number)}}
    graph.invoke({"text": "a mail"}, thread)  # is interrupted: the agent waits, nothing has failed
    print(graph.invoke(Command(resume="yes"), thread))  # the same task goes on, and counts once
print(hb)
