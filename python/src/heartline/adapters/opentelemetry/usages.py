"""What a span says of the tokens and the cost of a model call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..usage import Usage, as_count, as_text, as_usd

_TOKENS_IN = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
)
_TOKENS_OUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
)
_TOKENS_CACHED = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "ai.usage.cachedInputTokens",
)
_COST = ("operation.cost", "gen_ai.usage.cost", "llm.cost.total")
_MODEL = (
    "gen_ai.response.model",
    "gen_ai.request.model",
    "llm.model_name",
    "ai.response.model",
    "ai.model.id",
)
_PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
_RESPONSE_ID = ("gen_ai.response.id", "ai.response.id")


def usage_of(attributes: Mapping[str, Any]) -> Usage:
    """Returns what a call span says; what it doesn't say is unknown."""
    provider = as_text(_first(attributes, _PROVIDER))
    return Usage(
        model=as_text(_first(attributes, _MODEL)),
        provider=provider.lower() if provider is not None else None,
        tokens_in=as_count(_first(attributes, _TOKENS_IN)),
        tokens_out=as_count(_first(attributes, _TOKENS_OUT)),
        tokens_cached=as_count(_first(attributes, _TOKENS_CACHED)),
        reported_usd=as_usd(_first(attributes, _COST)),
        response_id=as_text(_first(attributes, _RESPONSE_ID)),
    )


def _first(attributes: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        value = attributes.get(name)
        if value is not None:
            return value
    return None
