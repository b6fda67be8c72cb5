"""The types, by a strict checker, over the package, its tests and its programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_a_strict_checker_accepts_the_types() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary"],
        cwd=Path(__file__).resolve().parents[1],
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
