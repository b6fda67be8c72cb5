"""Tokens and cost in the responses that LangChain's models return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .usage import Usage, as_count, as_mapping, as_text, as_usd


def usages_of(response: Any, call: Mapping[str, Any]) -> list[Usage]:
    """Returns what each answer in an `LLMResult` says that it used.

    - `response`: the `LLMResult`.
    - `call`: the metadata of the request, which names the provider.
    """
    output = as_mapping(response.llm_output)
    usages = [
        _of_message(message, output, call)
        for answers in response.generations[:1] if (message := _message(answers)) is not None
    ]
    usages += [
        _of_message(message, {}, call)
        for answers in response.generations[1:] if (message := _message(answers)) is not None
    ]
    return usages or [_of_output(output, call)]


def _message(answers: list[Any]) -> Any:
    """Returns the message of the first answer to a prompt; the tokens of all answers stand there."""
    return getattr(answers[0], "message", None) if answers else None


def _of_message(message: Any, output: Mapping[str, Any], call: Mapping[str, Any]) -> Usage:
    metadata = as_mapping(getattr(message, "response_metadata", None))
    tokens = as_mapping(getattr(message, "usage_metadata", None))
    reported = as_mapping(metadata.get("token_usage")) or as_mapping(output.get("token_usage"))
    return Usage(
        model=as_text(metadata.get("model_name"))
        or as_text(metadata.get("model"))
        or as_text(output.get("model_name"))
        or as_text(call.get("ls_model_name")),
        provider=as_text(call.get("ls_provider")),
        tokens_in=as_count(tokens.get("input_tokens", reported.get("prompt_tokens"))),
        tokens_out=as_count(tokens.get("output_tokens", reported.get("completion_tokens"))),
        tokens_cached=as_count(as_mapping(tokens.get("input_token_details")).get("cache_read")),
        reported_usd=_cost(reported, metadata),
        response_id=as_text(metadata.get("id")) or _provider_id(getattr(message, "id", None)),
    )


def _of_output(output: Mapping[str, Any], call: Mapping[str, Any]) -> Usage:
    reported = as_mapping(output.get("token_usage"))
    return Usage(
        model=as_text(output.get("model_name")) or as_text(call.get("ls_model_name")),
        provider=as_text(call.get("ls_provider")),
        tokens_in=as_count(reported.get("prompt_tokens")),
        tokens_out=as_count(reported.get("completion_tokens")),
        reported_usd=_cost(reported, output),
        response_id=as_text(output.get("id")),
    )


def _cost(*places: Mapping[str, Any]) -> float | None:
    """Returns the cost as gateways report it: OpenRouter among the tokens, LiteLLM beside them."""
    for place in places:
        for name in ("cost", "response_cost"):
            usd = as_usd(place.get(name))
            if usd is not None:
                return usd
    return None


def _provider_id(message_id: Any) -> str | None:
    """Returns a message's id, unless LangChain made it up."""
    text = as_text(message_id)
    return None if text is None or text.startswith(("run-", "lc_run-", "lc_")) else text
