"""The file in which a kill outlives the process: section 12, rule 6."""

from __future__ import annotations

from pathlib import Path

import pytest
from heartline.engine.applied import AppliedStates
from heartline.kill_memory import KillMemory
from heartline.protocol.bodies import GENERATION_MAX, DesiredState

FLEET, OTHER_FLEET = "ed46e483", "01010101"
KILLED = AppliedStates([DesiredState(0xABC, 42, True), DesiredState(0xDEF, 7)])
RESUMED = AppliedStates([DesiredState(0xABC, 43), DesiredState(0xDEF, GENERATION_MAX)])


@pytest.fixture
def memory(tmp_path: Path) -> KillMemory:
    return KillMemory(str(tmp_path / "agents"), "mail.3")


def test_written_states_are_read_back_and_no_other_file_is_left(
    memory: KillMemory, tmp_path: Path
) -> None:
    assert memory.read(FLEET) == (AppliedStates(), [])
    for states in (KILLED, RESUMED):
        assert memory.write(FLEET, states) is None
        assert memory.read(FLEET) == (states, [])
        memory.remove(OTHER_FLEET)
    assert [file.name for file in (tmp_path / "agents").iterdir()] == [f"mail.3@{FLEET}.desired"]
    memory.remove(FLEET)
    assert memory.read(FLEET) == (AppliedStates(), [])


def test_a_fleet_reads_its_own_states_and_all_where_it_is_not_known(
    memory: KillMemory, tmp_path: Path
) -> None:
    memory.write(FLEET, KILLED)
    memory.write(OTHER_FLEET, AppliedStates([DesiredState(0x123, 1)]))
    assert not memory.read(OTHER_FLEET)[0].is_killed
    assert memory.read(None)[0].is_killed
    assert not KillMemory(str(tmp_path / "agents"), "mail").read(None)[0].is_killed


def test_a_kill_that_names_no_fleet_holds_until_the_next_state_is_stored(
    memory: KillMemory, tmp_path: Path
) -> None:
    memory.write(FLEET, RESUMED)
    file = tmp_path / "agents" / "mail.3.desired"
    file.write_text("heartline 1 generation 42 killed\n")
    states, problems = memory.read(FLEET)
    assert states.is_killed and [problem.kind for problem in problems] == ["unattributed_kill"]
    assert states.apply(DesiredState(0xABC, 44), states.blocked_by(0xABC))
    memory.write(FLEET, states)
    assert not file.exists() and not memory.read(FLEET)[0].is_killed


def test_a_file_that_is_cut_or_changed_counts_as_absent_and_is_said(
    memory: KillMemory, tmp_path: Path
) -> None:
    memory.write(FLEET, KILLED)
    (file,) = (tmp_path / "agents").iterdir()
    whole = file.read_bytes()
    first_line = whole.index(b"\n") + 1
    cuts = [whole[:end] for end in range(len(whole)) if end not in (0, first_line)]
    above = b"heartline 2 control 0000000000000abc generation 9223372036854775808 killed\n"
    for damaged in (*cuts, above, b"\xff" * 4, b"x" * 9_000, whole.replace(b"killed", b"Killed")):
        file.write_bytes(damaged)
        states, problems = memory.read(FLEET)
        assert states == AppliedStates(), damaged
        assert [problem.kind for problem in problems] == ["state_unreadable"], damaged
