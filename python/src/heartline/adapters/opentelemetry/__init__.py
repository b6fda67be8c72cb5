"""Tasks from the spans of instrumented agent frameworks, by OpenTelemetry."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

from opentelemetry.sdk import trace as sdk_trace

from ..auto import is_followed
from ..guard import guarded
from ..patch import replace_method
from .processor import HeartlineSpanProcessor

__all__ = ["HeartlineSpanProcessor", "install"]

_processor: HeartlineSpanProcessor | None = None


def install(trace_module: ModuleType) -> None:
    """Adds one span processor to every tracer provider that the program has, or makes later.

    - `trace_module`: the module `opentelemetry.sdk.trace`.
    """
    global _processor
    if _processor is not None:
        return
    processor = _processor = HeartlineSpanProcessor()

    def make_init(original: Any) -> Any:
        def init(provider: Any, *args: Any, **kwargs: Any) -> None:
            original(provider, *args, **kwargs)
            _add(provider, processor)

        return init

    replace_method(trace_module.TracerProvider, "__init__", make_init)
    provider = _global_provider()
    if provider is not None:
        _add(provider, processor)


@guarded
def _add(provider: Any, processor: HeartlineSpanProcessor) -> None:
    provider.add_span_processor(processor)


@guarded
def _global_provider() -> Any:
    """Returns the provider that the program has set; asking for one must not make one."""
    from opentelemetry import trace

    if "OTEL_PYTHON_TRACER_PROVIDER" in os.environ and trace._TRACER_PROVIDER is None:
        return None
    provider = trace.get_tracer_provider()
    return provider if hasattr(provider, "add_span_processor") else None


if is_followed("opentelemetry"):
    # Where this module is what imports the SDK, `auto` could not install it yet.
    install(sdk_trace)
