"""Forked children: replicas if they use the emitter, silent if they do not."""

from __future__ import annotations

import signal

import pytest
from fleet import AgentProgram, Collector, eventually

START = """
import os, sys, time, threading, multiprocessing, signal, heartline
def print(*words, flush):  # in one piece: children share the pipe
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
def live(hb):
    while str(hb.status()) != "live":
        time.sleep(0.01)
"""


def test_a_child_that_uses_the_emitter_is_a_replica_and_a_silent_one_is_none(
    collector: Collector,
) -> None:
    source = START + """
hb = heartline.start("forker", group="g")
live(hb)
hb.report()
silent = os.fork()
if silent == 0:
    time.sleep(0.2)
    sys.exit()
children = []
for n in range(2):
    child = os.fork()
    if child == 0:
        with hb.task():
            pass
        live(hb)
        print(hb.status().agent, heartline.current() is hb, flush=True)
        sys.stdin.readline()
        sys.exit()
    children.append(child)
os.waitpid(silent, 0)
hb.report()
for child in children:
    os.waitpid(child, 0)
live(hb)
"""
    with collector.agent_program(source) as program:
        assert sorted((program.line(), program.line())) == ["forker.1 True", "forker.2 True"]
        program.process.communicate("\n\n")
        assert program.process.returncode == 0
    collector.await_total("forker", ok=2, failed=0)
    for name in ("forker", "forker.1", "forker.2"):
        agent = collector.await_state(name, "killed/shutdown")
        assert (agent["starts"], agent["group"]) == (1, "g")
    collector.await_total("forker.1", ok=1, failed=0)
    assert collector.names("forker") == {"forker", "forker.1", "forker.2"}


def test_a_number_is_used_again_once_its_process_has_ended(collector: Collector) -> None:
    source = START + """
hb = heartline.start("pool")
for how in (os._exit, lambda _: os.kill(os.getpid(), signal.SIGKILL), sys.exit):
    child = os.fork()
    if child == 0:
        hb.report()
        print(hb.status().agent, flush=True)
        how(0)
    os.waitpid(child, 0)
"""
    with collector.agent_program(source) as program:
        assert [program.line() for _ in range(3)] == ["pool.1"] * 3
        assert program.end()[0] == 0


def test_nested_forks_and_daemons_are_replicas_of_one_family(collector: Collector) -> None:
    source = START + """
hb = heartline.start("nested")
hb.report()
def child(*inner):
    pid = os.fork()
    if pid == 0:
        hb.report()
        live(hb)
        print(hb.status().agent, flush=True)
        if inner:
            inner[0](*inner[1:])
        sys.stdin.readline()
        os._exit(0)
    return pid
def daemon():
    if os.fork() == 0:
        os.closerange(3, 256)
        hb.report()
        live(hb)
        print(hb.status().agent.startswith("nested.p"), flush=True)
        os._exit(0)
    os.wait()
pid = child(child, daemon)
os.waitpid(pid, 0)
"""
    with collector.agent_program(source) as program:
        assert [program.line() for _ in range(3)] == ["nested.1", "nested.2", "True"]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_are_replicas(
    collector: Collector, method: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("program") / "program.py"
    file.write_text(
        START
        + f"""
hb = heartline.start("mp-{method}")

@hb.task
def square(n):
    time.sleep(0.05)
    return n * n

def work(n):
    result = square(n)
    return result, hb.status().agent

if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    with context.Pool(2) as pool:
        results = pool.map(work, range(20), chunksize=1)
        pool.close()
        pool.join()
    assert [result for result, _ in results] == [n * n for n in range(20)]
    print(sorted({{agent for _, agent in results}}), flush=True)
    hb.report()
"""
    )
    with AgentProgram(None, collector.agent_environment(), str(file)) as it:
        names = it.line()
        assert names in (f"['mp-{method}.1', 'mp-{method}.2']", f"['mp-{method}.1']"), names
        assert it.end()[0] == 0

    def done() -> int:
        agents = [collector.agent(name) for name in collector.names(f"mp-{method}.")]
        return sum(agent["total"]["ok"] for agent in agents if agent)

    eventually(lambda: done() == 20, f"the children's tasks are counted, not {done()}")
    collector.await_total(f"mp-{method}", ok=1, failed=0)
    for name in collector.names(f"mp-{method}"):
        collector.await_state(name, "killed/shutdown")


def test_a_task_in_flight_at_a_fork_is_counted_by_the_parent_alone(collector: Collector) -> None:
    source = START + """
hb = heartline.start("mid-task")
with hb.task():
    child = os.fork()
    if child:
        os.waitpid(child, 0)
if child == 0:
    hb.report(False)
"""
    # Python warns of any fork beside another thread.
    with collector.agent_program(source, PYTHONWARNINGS="ignore::DeprecationWarning") as program:
        assert program.end() == (0, "", "")
    collector.await_total("mid-task", ok=1, failed=0)
    collector.await_total("mid-task.1", ok=0, failed=1)


def test_a_storm_of_two_hundred_forks_beside_busy_threads_ends(collector: Collector) -> None:
    source = START + """
hb = heartline.start("storm")
live(hb)
def work():
    while True:
        with hb.task("work"):
            pass
        hb.status()
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
children = []
for n in range(200):
    child = os.fork()
    if child == 0:
        if n % 20 == 0:
            hb.report()
            hb.stop()
        os._exit(0)
    children.append(child)
codes = {os.waitpid(child, 0)[1] for child in children}
live(hb)
print(codes, flush=True)
"""
    with collector.agent_program(source) as program:
        program.await_line("{0}")
        assert program.end()[0] == 0

    def reported() -> int:
        agents = [collector.agent(name) for name in collector.names("storm.")]
        return sum(agent["total"]["ok"] for agent in agents if agent)

    eventually(lambda: reported() == 10, f"ten children have reported, not {reported()}")


def test_a_signal_handler_that_reports_while_a_child_starts_does_not_deadlock(
    collector: Collector,
) -> None:
    source = START + """
hb = heartline.start("interrupted-start")
def handle(number, frame):
    with hb.task(): hb.report()
for n in range(30):
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0003)
        with hb.task(): pass
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
print("ready", flush=True)
"""
    with collector.agent_program(source) as program:
        program.await_line("ready")


def test_a_signal_to_a_child_is_not_taken_for_one_to_its_parent(collector: Collector) -> None:
    source = START + """
hb = heartline.start("parent")
live(hb)
for uses in (False, True):
    child = os.fork()
    if child == 0:
        if uses:
            hb.report()
            live(hb)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    print(os.waitpid(child, 0)[1], flush=True)
time.sleep(1.2)
print(hb.status(), flush=True)
"""
    with collector.agent_program(source) as program:
        assert [program.line() for _ in range(3)] == [str(int(signal.SIGTERM))] * 2 + ["live"]
        assert program.end()[0] == 0
    collector.await_state("parent.1", "killed/shutdown")
    collector.await_state("parent", "killed/shutdown")


def test_a_replica_outside_the_token_s_scope_says_so_and_goes_on(collector: Collector) -> None:
    token = collector.ask("token", "--agent", "narrow").strip().splitlines()[-1]
    source = START + """
hb = heartline.start("narrow")
live(hb)
child = os.fork()
if child == 0:
    with hb.task():
        print(hb.status(), flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""
    with collector.agent_program(source, HEARTLINE_TOKEN=token) as program:
        assert program.line() == (
            'off; the token is for scope "narrow", which does not cover agent "narrow.1"; make one '
            "with `heartline token --agent narrow.1`"
        )
        assert program.end()[0] == 0
