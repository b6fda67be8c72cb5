"""`python -m heartline`: the command line of the package."""

from __future__ import annotations

import argparse
import os
import sys

from .doctor.checks import diagnose
from .version import VERSION


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m heartline",
        description="Heartbeats for Python agents: tools for the machine that an agent runs on.",
    )
    parser.add_argument("--version", action="version", version=f"heartline {VERSION} (Python)")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    doctor = commands.add_parser(
        "doctor",
        help="find out why an agent on this machine would not be seen",
        description="Checks the settings that an agent started here would use, and sends a signed "
        "probe to the collector. Exits with 1 if there is a problem.",
    )
    doctor.add_argument("--agent", metavar="NAME", help="check that the token covers this agent, too")
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 2
    return run_doctor(options.agent)


def run_doctor(agent: str | None) -> int:
    """Prints the diagnostics, with advice where something is wrong; returns the exit status."""
    diagnostics = diagnose(os.environ, agent)
    for diagnostic in diagnostics:
        print(diagnostic)
    wrong = sum(diagnostic.advice is not None for diagnostic in diagnostics)
    if wrong:
        print(f"Problems: {wrong}. Fix the first one first.", file=sys.stderr)
        return 1
    print("No problems: the collector would receive an agent started here.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
