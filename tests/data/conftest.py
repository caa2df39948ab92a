import sys
from pathlib import Path

import pytest

# Worker processes import the example by name, so it must be importable, not only collected.
sys.path.insert(0, str(Path(__file__).parent))

from heat_example import HeatEquation, HeatSolver

from pdeops.data import Recipe
from pdeops.domains import Grid


@pytest.fixture
def heat_recipe():
    """Build a recipe of the heat equation, with changes."""

    def build(**changes):
        settings = {
            "problem": HeatEquation(),
            "solver": HeatSolver(),
            "domain": Grid.periodic((16,)),
            "times": (0.0, 0.1, 0.2, 0.3),
            "num_samples": 11,
            "seed": 3,
            "num_validation": 2,
            "num_test": 3,
            "solver_batch_size": 4,
        }
        return Recipe(**{**settings, **changes})

    return build
