"""The classical solvers beside their peers: SciPy and PyAMG for elliptic problems, exponax for evolution.

Runs `elliptic_solvers` and `periodic_steppers` one after the other, each in a process of its own, so that the
memory and the threads of one do not meet those of the other. Their own options are with them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PARTS = ("elliptic_solvers", "periodic_steppers")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2, help="threads of everybody (2)")
    options = parser.parse_args(arguments)
    script = Path(__file__).parents[1] / "benchmark.py"
    for part in PARTS:
        command = [sys.executable, str(script), part, "--threads", str(options.threads)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
