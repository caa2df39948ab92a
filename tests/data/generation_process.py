"""Generate slowly in a process of its own, to be killed by a test."""

import sys

from heat_example import HeatEquation, HeatSolver

from pdeops.data import generate
from pdeops.domains import Grid

if __name__ == "__main__":
    path, num_workers, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    generate(
        HeatEquation(),
        HeatSolver(seconds_a_batch=seconds),
        Grid.periodic((16,)),
        [0.0, 0.1, 0.2, 0.3],
        11,
        3,
        path,
        num_validation=2,
        num_test=3,
        solver_batch_size=4,
        num_workers=num_workers,
        progress=False,
    )
