"""Which spans come from agent frameworks, and what each of them stands for."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

_SCOPE_PREFIXES = (
    "pydantic-ai",
    "openinference.",
    "opentelemetry.instrumentation.langchain",
    "opentelemetry.instrumentation.openai",
    "opentelemetry.instrumentation.genai",
    "opentelemetry.util.genai",
)
_SCOPES = frozenset({"autogen-core", "ai", "gen_ai"})
_ATTRIBUTES = ("gen_ai.operation.name", "openinference.span.kind", "ai.operationId")


class Kind(Enum):
    """What a span stands for."""

    CALL = "call"
    """One request to a model."""
    AGENT = "agent"
    """A run of an agent or workflow."""
    TOOL = "tool"
    OTHER = "other"


_OPERATIONS = {
    "chat": Kind.CALL,
    "text_completion": Kind.CALL,
    "generate_content": Kind.CALL,
    "embeddings": Kind.CALL,
    "invoke_agent": Kind.AGENT,
    "invoke_workflow": Kind.AGENT,
    "execute_tool": Kind.TOOL,
}
_OPENINFERENCE = {
    "LLM": Kind.CALL,
    "EMBEDDING": Kind.CALL,
    "AGENT": Kind.AGENT,
    "CHAIN": Kind.AGENT,
    "TOOL": Kind.TOOL,
}
_TRACELOOP = {"workflow": Kind.AGENT, "agent": Kind.AGENT, "tool": Kind.TOOL}
_AI_SDK_TASKS = frozenset(
    {"ai.generateText", "ai.streamText", "ai.generateObject", "ai.streamObject"}
)


def is_ours(scope_name: str, attributes: Mapping[str, Any]) -> bool:
    """Says whether a span that begins comes from an agent framework or from a model's client.

    Some instrumentations set their attributes only at the end, so a known scope is enough.
    """
    return (
        scope_name in _SCOPES
        or scope_name.startswith(_SCOPE_PREFIXES)
        or any(name in attributes for name in _ATTRIBUTES)
    )


def kind_of(name: str, attributes: Mapping[str, Any]) -> Kind | None:
    """Returns what a span stands for; None while its attributes don't tell."""
    operation = attributes.get("gen_ai.operation.name")
    if isinstance(operation, str):
        return _OPERATIONS.get(operation, Kind.OTHER)
    openinference = attributes.get("openinference.span.kind")
    if isinstance(openinference, str):
        return _OPENINFERENCE.get(openinference, Kind.OTHER)
    traceloop = attributes.get("traceloop.span.kind")
    if isinstance(traceloop, str):
        return _TRACELOOP.get(traceloop, Kind.OTHER)
    if "llm.request.type" in attributes:  # traceloop's clients, before gen_ai.operation.name
        return Kind.CALL
    ai_sdk = attributes.get("ai.operationId")
    if isinstance(ai_sdk, str):
        if ai_sdk in _AI_SDK_TASKS:
            return Kind.AGENT
        return Kind.CALL if ai_sdk.endswith((".doGenerate", ".doStream")) else Kind.OTHER
    if name.startswith(("invoke_agent ", "invoke_workflow ")):
        return Kind.AGENT
    return None
