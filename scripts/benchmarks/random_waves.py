"""Random exact solutions that no setting of a solver was chosen on."""

import math

import torch

from pdeops.problems import ManufacturedAllenCahn, ManufacturedPoisson

EQUATIONS = {"Poisson": ManufacturedPoisson, "Allen-Cahn": ManufacturedAllenCahn}
WAVES = 3
HIGHEST = {1: 16, 2: 7}
"""Frequency of the fastest wave that is drawn, in waves an axis, by dimension."""


def random_waves(dimension: int, highest: int, generator: torch.Generator) -> str:
    """Formula of three waves of random direction, amplitude and phase, on a parabola.

    Args:
        dimension: Number of coordinates, at most three.
        highest: Frequencies along each axis are between a fifth of it and it, in waves an axis.
        generator: Of the random numbers.

    Returns:
        A formula in x, y, z.
    """
    terms = ["x**2"]
    for _ in range(WAVES):
        speeds = 2 * math.pi * highest * (0.2 + 0.8 * torch.rand(dimension, generator=generator))
        speeds *= torch.randint(2, (dimension,), generator=generator) * 2 - 1
        amplitude, phase = torch.rand(2, generator=generator).tolist()
        angle = "+".join(f"({s:.4f})*{name}" for s, name in zip(speeds.tolist(), "xyz", strict=False))
        terms.append(f"{0.3 + amplitude:.3f}*sin({angle}+{6 * phase:.3f})")
    return "+".join(terms)


def random_solutions(dimension: int, count: int, seed: int) -> list[str]:
    """The first of an endless list of formulas, so that all who ask with a seed get the same.

    Args:
        dimension: Number of coordinates.
        count: How many.
        seed: Of the list.

    Returns:
        The formulas.
    """
    generator = torch.Generator().manual_seed(seed)
    return [random_waves(dimension, HIGHEST[dimension], generator) for _ in range(count)]


def shape_of(points_a_wave: float, dimension: int) -> tuple[int, ...]:
    """Shape of the grid that has so many points a wave of the highest frequency along each axis."""
    return (round(points_a_wave * HIGHEST[dimension]) + 1,) * dimension
