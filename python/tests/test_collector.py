"""An agent and its real collector: counted once, killed, resumed."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from fleet import Collector, Place, eventually

import heartline
from heartline import Heartline


@pytest.fixture(autouse=True)
def settings(collector: Collector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEARTLINE_COLLECTOR", collector.address)
    monkeypatch.setenv("HEARTLINE_TOKEN_FILE", str(collector.place.token_file))
    monkeypatch.setenv("HEARTLINE_STATE_DIR", str(tmp_path / "agents"))
    monkeypatch.setenv("HEARTLINE_INTERVAL", "300ms")


def live(hb: Heartline) -> bool:
    return str(hb.status()) == "live"


def test_three_lines_make_an_agent(collector: Collector) -> None:
    hb = heartline.start("three-lines", group="orders", version="1.2", labels={"team": "a"})
    for _ in range(3):
        with hb.task("fetch") as t:
            t.cost(usd=0.03)
            t.tokens(input=900, output=120)
    hb.report(False, latency_ms=230, cost_usd=1.5)
    eventually(lambda: live(hb), "it is live")
    assert hb.status().is_healthy
    hb.stop()
    collector.await_total(
        "three-lines", ok=3, failed=1, cost_nano_usd=1_590_000_000, tokens_in=2_700, tokens_out=360
    )
    agent = collector.await_state("three-lines", "killed/shutdown")
    assert (agent["group"], agent["labels"]) == ("orders", {"team": "a"})
    assert str(hb.status()).startswith("off")


def test_work_is_counted_once_while_the_collector_is_killed_and_restarted(place: Place) -> None:
    with Collector(place) as collector:
        hb = heartline.start(
            "survivor", collector=collector.address, token=place.token_file, interval="200ms"
        )
        done = 0
        for _ in range(3):
            eventually(lambda: live(hb), "it is live")
            for _ in range(50):
                hb.report(latency_ms=1, cost_usd=1e-9)
                done += 1
            collector.end(signal.SIGKILL)
            for _ in range(50):
                hb.report(latency_ms=1, cost_usd=1e-9)
                done += 1
            collector.start()
        eventually(lambda: live(hb), "it is live")
        hb.stop()
        collector.await_total("survivor", ok=done, failed=0, cost_nano_usd=done)


def test_two_collectors_count_all_work_and_either_kills(collector: Collector, place: Place) -> None:
    token = collector.place.token_file
    master = collector.place.state / "heartline" / "master.key"
    (place.state / "heartline").mkdir(mode=0o700)
    for file in master.parent.glob("master*"):
        copy = place.state / "heartline" / file.name
        copy.write_bytes(file.read_bytes())
        copy.chmod(0o600)
    with Collector(place) as other:
        both = f"{collector.address},{other.address}"
        hb = heartline.start("twice-seen", collector=both, token=token)
        hb.report()
        eventually(lambda: hb.status().is_healthy, f"both hear it: {hb.status()}")
        other.kill("twice-seen")
        eventually(lambda: hb.killed, "it is killed by the other one")
        other.resume("twice-seen")
        eventually(lambda: not hb.killed, "it is resumed")
        hb.report()
        hb.stop()
        for each in (collector, other):
            each.await_total("twice-seen", ok=2, failed=0)


def test_who_is_resumed_starts_no_process_that_finds_the_kill(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTLINE_STATE_DIR", str(collector.place.desired_states))
    hb = heartline.start("starter", collector=collector.address, token=collector.place.token_file)
    collector.await_state("starter", "healthy")
    for _ in range(5):
        collector.kill("starter")
        eventually(lambda: hb.killed, "it is killed")
        eventually(lambda: "killed" in kill_memory(collector, "starter"), "it is stored")
        collector.resume("starter")
        assert hb.wait_until_resumed(10)
        assert "killed" not in kill_memory(collector, "starter")
    hb.stop()


def kill_memory(collector: Collector, agent: str) -> str:
    files = collector.place.desired_states.glob(f"{agent}@*.desired")
    return "".join(file.read_text() for file in files)


def test_a_kill_holds_tasks_until_the_resume_and_outlives_a_restart(collector: Collector) -> None:
    with collector.agent_program(
        """
        import threading, heartline
        hb = heartline.start("obedient")
        def work():
            while True:
                with hb.task():
                    threading.Event().wait(0.01)
        threading.Thread(target=work, daemon=True).start()
        print("ready", flush=True)
        input()
        """
    ) as program:
        program.await_line("ready")
        collector.await_state("obedient", "healthy")
        collector.ask("kill", "obedient", "--reason", "a test", "--yes", "--wait", "10s")
        agent = collector.await_state("obedient", "killed/operator")
        assert agent["kill"]["obeyed_ms"] is not None and agent["in_flight"] == 0
        program.tell("")
        assert program.end()[0] == 0
    states = collector.place.desired_states.glob("obedient@*.desired")
    (file,) = states
    assert file.read_text().endswith(" killed\n") and file.stat().st_mode & 0o777 == 0o600
    with collector.agent_program(
        """
        import heartline
        hb = heartline.start("obedient")
        print(hb.killed, hb.wait_until_resumed(0.01), flush=True)
        with hb.task():
            print("resumed", hb.killed, flush=True)
        """
    ) as program:
        program.await_line("True False")
        collector.resume("obedient")
        program.await_line("resumed False")
        assert program.end() == (0, "", "")


def test_on_kill_raises_or_calls_back(collector: Collector) -> None:
    calls: list[str] = []

    def fails() -> None:
        calls.append("killed")
        raise RuntimeError("the function of the program fails")

    called = heartline.start("called-back", on_kill=fails)
    raising = heartline.start("raising", on_kill="raise")
    for hb in (called, raising):
        eventually(lambda: live(hb), "it is live")
        collector.kill(hb.status().agent)
        eventually(lambda: hb.killed, "it is killed")
    with pytest.raises(heartline.AgentKilled):
        with raising.task():
            raise AssertionError("it must not begin")
    eventually(lambda: calls == ["killed"], "the function is called once")
    collector.resume("raising")
    assert raising.wait_until_resumed(10)
    with raising.task():
        pass
    collector.resume("called-back")
    assert called.wait_until_resumed(10)
    collector.kill("called-back")
    eventually(lambda: calls == ["killed"] * 2, "it is called again, though it has raised")
    for hb in (called, raising):
        hb.stop()


def test_what_an_agent_does_is_shown(collector: Collector) -> None:
    hb = heartline.start("busy")
    hb.queue(7)
    with hb.task("fetch") as t:
        t.step("parse\x1b[2J")

        def shown() -> bool:
            agent = collector.agent("busy")
            wanted = ("parse\ufffd[2J", 1, 7)
            return agent is not None and (
                agent["step"], agent["in_flight"], agent["queue"]
            ) == wanted  # fmt: skip

        eventually(shown, "step, task and queue are shown")
        with hb.waiting("approval"):
            eventually(
                lambda: '"phase": "waiting"' in collector.ask("agent", "busy", "--json"),
                "it waits",
            )
    hb.stop()


def test_a_second_start_returns_the_running_handle_and_one_after_the_end_a_new_one() -> None:
    first = heartline.start("started-twice")
    assert heartline.start("started-twice") is first is heartline.current()
    first.stop()
    second = heartline.start("started-twice")
    assert second is not first and heartline.current() is second
    second.stop()
