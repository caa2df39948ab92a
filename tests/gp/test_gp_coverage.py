"""What the posterior says of its own error, on random solutions."""

import math

import pytest
import torch

from pdeops.domains import Grid
from pdeops.gp import GaussianProcessSolver
from pdeops.problems import ManufacturedAllenCahn, ManufacturedPoisson


def random_waves(dimension, highest, generator):
    """Three waves of random direction, amplitude and phase, on a parabola; frequencies in waves an axis."""
    terms = ["x**2"]
    for _ in range(3):
        speeds = 2 * math.pi * highest * (0.2 + 0.8 * torch.rand(dimension, generator=generator))
        speeds *= torch.randint(2, (dimension,), generator=generator) * 2 - 1
        amplitude, phase = torch.rand(2, generator=generator).tolist()
        angle = "+".join(f"({s:.4f})*{name}" for s, name in zip(speeds.tolist(), "xyz", strict=False))
        terms.append(f"{0.3 + amplitude:.3f}*sin({angle}+{6 * phase:.3f})")
    return "+".join(terms)


@pytest.mark.filterwarnings("ignore::pdeops.gp.UnderResolvedWarning")
@pytest.mark.parametrize(
    ("kind", "dimension", "kernel", "highest", "densities"),
    [
        (ManufacturedPoisson, 1, "gaussian", 16, (2.6, 5, 10)),
        (ManufacturedPoisson, 1, "student", 16, (2.6, 5, 10)),
        (ManufacturedAllenCahn, 1, "gaussian", 16, (3.2, 10)),
        (ManufacturedPoisson, 2, "gaussian", 7, (4, 6)),
        (ManufacturedPoisson, 2, "student", 7, (4, 8)),
    ],
)
def test_intervals_cover_held_out_solutions(kind, dimension, kernel, highest, densities):
    """95 % intervals over solutions that no setting was chosen on, with errors from 5e-2 to 1e-12."""
    generator = torch.Generator().manual_seed(7)
    inside, ratios = [], []
    for density in densities:
        for _ in range(4):
            problem = kind(dimension=dimension, solution=random_waves(dimension, highest, generator))
            shape = (round(density * highest) + 1,) * dimension
            collocation = Grid.box(shape)
            solver = GaussianProcessSolver(kernel=kernel, draws=16)
            solution = solver.solve(problem, problem.sample_inputs(collocation, [0]), collocation)
            grid = Grid.box((171,) if dimension == 1 else (41, 43))
            exact = problem.exact_solutions()["manufactured"].solution(grid).values[0, 0]
            posterior = solution.posteriors[0]
            error, deviation = (posterior.mean(grid) - exact).abs(), posterior.standard_deviation(grid)
            inner = (slice(1, -1),) * dimension
            inside.append((error <= 1.96 * deviation)[inner].double().mean().item())
            ratios.append((error.norm() / deviation.norm()).item())
    assert sum(inside) / len(inside) >= 0.9
    # Neither are they wide for nothing.
    assert 0.4 < sorted(ratios)[len(ratios) // 2] < 1.6
