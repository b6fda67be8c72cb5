"""What `auto` does to a program: it imports nothing, changes nothing, and lets nothing out."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

import heartline
from heartline.adapters import cost, guard
from heartline.adapters.import_hook import when_imported
from heartline.adapters.ledger import Ledger
from heartline.adapters.usage import Usage, as_count, as_usd

from .conftest import Agent


def run(program: str) -> Any:
    """Returns what a program in a process of its own prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_auto_imports_no_framework() -> None:
    modules = run(
        "import heartline, json, sys\n"
        "followed = heartline.auto()\n"
        "print(json.dumps([followed, sorted({name.partition('.')[0] for name in sys.modules})]))"
    )
    assert set(modules[0]) >= {"opentelemetry", "langchain", "openai-agents", "pydantic-ai", "celery"}
    frameworks = {"langchain_core", "langgraph", "agents", "pydantic_ai", "celery", "crewai"}
    assert not frameworks & set(modules[1])
    assert not {"asyncio", "genai_prices", "opentelemetry"} & set(modules[1])


@pytest.mark.parametrize("is_imported_first", [True, False])
def test_auto_works_before_and_after_the_import_of_a_framework(is_imported_first: bool) -> None:
    lines = ["import pydantic_ai.agent, celery.signals", "heartline.auto()"]
    ordered = lines if is_imported_first else lines[::-1]
    program = "\n".join(
        [
            "import heartline, json",
            *ordered,
            "iter_ = pydantic_ai.agent.Agent.iter",
            "receivers = len(celery.signals.task_prerun.receivers)",
            "heartline.auto()",
            "print(json.dumps([hasattr(iter_, '__wrapped__'), receivers, "
            "len(celery.signals.task_prerun.receivers), pydantic_ai.__spec__.loader is not None]))",
        ]
    )
    assert run(program) == [True, 1, 1, True]


def test_a_module_of_the_same_name_is_left_alone(tmp_path: Any) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents/__init__.py").write_text("")
    (tmp_path / "agents/run.py").write_text("class Mine: pass\n")
    program = (
        f"import sys, json; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import heartline; heartline.auto()\n"
        "import agents.run; print(json.dumps(agents.run.Mine.__name__))"
    )
    assert run(program) == "Mine"


def test_a_span_processor_is_added_beside_the_exporters_of_the_program() -> None:
    program = """
import heartline, json
heartline.auto()
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
with trace.get_tracer('pydantic-ai').start_as_current_span('invoke_agent x'):
    pass
from heartline.adapters.opentelemetry import HeartlineSpanProcessor
added = [p for p in provider._active_span_processor._span_processors
         if isinstance(p, HeartlineSpanProcessor)]
print(json.dumps([len(exporter.get_finished_spans()), len(added)]))
"""
    assert run(program) == [1, 1]


def test_the_processor_can_be_imported_after_auto() -> None:
    program = """
import heartline, json
heartline.auto()
from heartline.adapters.opentelemetry import HeartlineSpanProcessor
from opentelemetry.sdk.trace import TracerProvider
processors = TracerProvider()._active_span_processor._span_processors
print(json.dumps([isinstance(p, HeartlineSpanProcessor) for p in processors]))
"""
    assert run(program) == [True]


def test_an_unknown_framework_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    heartline.auto("langhcain")
    assert "no such framework; there are opentelemetry, langchain" in caplog.text


def test_an_import_of_a_missing_module_fails_as_ever() -> None:
    when_imported("heartline_no_such_module", lambda module: None)
    with pytest.raises(ModuleNotFoundError):
        __import__("heartline_no_such_module")


def test_a_guard_lets_nothing_out_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    @guard.guarded
    def hook() -> None:
        raise KeyError("x")

    with caplog.at_level(logging.WARNING, "heartline"):
        assert hook() is None
        assert hook() is None
    assert caplog.text.count("the run goes on, but may not be counted") == 1


@pytest.fixture
def costs() -> Any:
    yield cost.use_cost_function
    cost.use_cost_function(None)


def test_a_cost_comes_from_the_provider_then_from_the_program(costs: Any) -> None:
    usage = Usage(model="m", tokens_in=10, tokens_out=5)
    assert cost.cost_of(usage) is None
    costs(lambda usage: usage.tokens_in * 0.5)
    assert cost.cost_of(usage) == 5.0
    assert cost.cost_of(usage._replace(reported_usd=0.25)) == 0.25


@pytest.mark.parametrize("returned", [float("nan"), -1.0, "much", float("inf")])
def test_a_cost_that_is_none_is_unknown(
    costs: Any, returned: Any, caplog: pytest.LogCaptureFixture
) -> None:
    costs(lambda usage: returned)
    assert cost.cost_of(Usage(model=f"m{returned}")) is None
    assert "which is no cost" in caplog.text


def test_a_cost_function_that_raises_is_unknown(costs: Any) -> None:
    costs(lambda usage: 1 / 0)
    assert cost.cost_of(Usage(model="m")) is None


def test_genai_prices(costs: Any) -> None:
    from genai_prices import Usage as PricedUsage
    from genai_prices import calc_price

    costs("genai-prices")
    for model in ("gpt-4o", "gpt-4o-2024-08-06", "claude-sonnet-4-5", "gemini-2.5-pro"):
        for read, cached, written in (1000, 0, 500), (1000, 400, 0), (300_000, 0, 10):
            expected = calc_price(
                PricedUsage(
                    input_tokens=read, cache_read_tokens=cached or None, output_tokens=written
                ),
                model_ref=model,
            ).total_price
            usage = Usage(model=model, tokens_in=read, tokens_cached=cached, tokens_out=written)
            assert cost.cost_of(usage) == pytest.approx(float(expected), rel=1e-6), (model, read)
    assert cost.cost_of(Usage(model="no-such-model", tokens_in=1, tokens_out=1)) is None
    assert cost.cost_of(Usage(model="gpt-4o", provider="none", tokens_in=1, tokens_out=1)) is None
    assert cost.cost_of(Usage(model="gpt-4o", tokens_out=1)) is None


def test_what_is_no_amount_is_unknown() -> None:
    assert [as_count(it) for it in (5, 5.0, -1, float("nan"), True, "5", None)] == [
        5, 5, None, None, None, None, None,
    ]
    assert [as_usd(it) for it in ("0.5", -1, float("nan"), float("inf"), None)] == [
        0.5, None, None, None, None,
    ]


def test_a_response_counts_once_for_all_who_report_it(agent: Agent) -> None:
    ledger = Ledger()
    task, other = agent.hb.begin(), agent.hb.begin()
    usage = Usage(tokens_in=10, tokens_out=5)
    ledger.count(usage, "framework", task)
    ledger.count(usage._replace(response_id="a"), "client", task)  # the same, with its id
    ledger.count(usage._replace(response_id="a"), "third", agent.hb)  # the same, by its id
    ledger.count(usage, "framework", task)  # another one: a source reports each once
    ledger.count(usage._replace(at=0.0), "client", task)  # another one: at another time
    ledger.count(usage._replace(response_id="b"), "client", other)  # of another task
    ledger.count(usage._replace(tokens_out=None), "client", other)  # with other tokens
    ledger.count(Usage(model="m"), "client", other)  # nothing is known of it
    task.end()
    other.end()
    assert agent.counted()["tokens"] == (50, 20)


def test_the_ledger_is_bounded(agent: Agent) -> None:
    ledger = Ledger()
    for number in range(5000):
        ledger.count(Usage(tokens_in=number % 7, response_id=str(number)), "client", agent.hb)
    assert len(ledger._responses) == 2048 == len(ledger._by_id)
    assert sum(len(same) for same in ledger._by_tokens.values()) == 2048
