"""Follows the frameworks that the program uses, without importing any that it doesn't."""

from __future__ import annotations

import importlib
import importlib.util
from functools import partial
from types import ModuleType

from .cost import CostFunction, use_cost_function
from .guard import warn_once
from .import_hook import when_imported

_HOOKS: dict[str, dict[str, str]] = {
    # framework: {module of the framework: what is called with it}
    "opentelemetry": {"opentelemetry.sdk.trace": "opentelemetry:install"},
    "langchain": {"langchain_core.callbacks.manager": "langchain:install"},
    "openai-agents": {"agents.run": "openai_agents:install"},
    "pydantic-ai": {"pydantic_ai.agent": "pydantic_ai:install"},
    "crewai": {
        "crewai.crew": "crewai:install_crews",
        "crewai.flow.runtime": "crewai:install_flows",
    },
    "autogen": {
        "autogen_agentchat.agents._base_chat_agent": "autogen:install_agents",
        "autogen_agentchat.teams._group_chat._base_group_chat": "autogen:install_teams",
    },
    "celery": {"celery.signals": "celery:install"},
}

_ALIASES = {"langgraph": "langchain", "otel": "opentelemetry"}

_followed: set[str] = set()


def follow(frameworks: tuple[str, ...], cost: CostFunction | str | None) -> tuple[str, ...]:
    """Follows frameworks, as `heartline.auto` says."""
    if cost is not None:
        use_cost_function(cost)
    for named in frameworks or _HOOKS:
        framework = _ALIASES.get(named, named)
        if framework not in _HOOKS:
            warn_once(f"auto({framework!r}): no such framework; there are {', '.join(_HOOKS)}")
        elif framework not in _followed and _is_installed(framework):
            _followed.add(framework)
            for module, target in _HOOKS[framework].items():
                when_imported(module, partial(_install, target))
    return tuple(framework for framework in _HOOKS if framework in _followed)


def is_followed(framework: str) -> bool:
    """Says whether the program asked for a framework."""
    return framework in _followed


def _is_installed(framework: str) -> bool:
    package = next(iter(_HOOKS[framework])).partition(".")[0]
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def _install(target: str, module: ModuleType) -> None:
    name, _, function = target.partition(":")
    adapter = importlib.import_module(f".{name}", __package__)
    install = getattr(adapter, function, None)
    if install is not None:  # else it is this import that imports the framework
        install(module)
