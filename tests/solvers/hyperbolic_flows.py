"""Flows with known solutions for the solvers of conservation laws, and a scalar law in two dimensions."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from pdeops.domains import AxisKind, Field, Grid
from pdeops.problems import (
    Burgers1D,
    ConservationLaw,
    Neumann,
    ShallowWater,
    Variable,
    simple_wave,
)

INVISCID = Burgers1D(viscosity=0, boundary={"default": Neumann()})


def times(*values):
    return torch.tensor(values, dtype=torch.float64)


def fields(problem, grid, *values):
    """Inputs of a problem from values (*shape) or (batch, *shape), one an input."""
    shaped = [value.reshape(-1, 1, *grid.shape) for value in values]
    return {
        variable.name: Field(value, grid, (variable.name,))
        for variable, value in zip(problem.inputs, shaped, strict=True)
    }


def cells(num_points, lower=0.0, upper=1.0):
    return Grid.box((num_points,), "cells", lower=(lower,), upper=(upper,))


def sine_velocity(x, t):
    """Burgers' equation from 0.3 + sin(2 pi x) / (2 pi); a shock forms at time 1."""
    return simple_wave(
        lambda y: 0.3 + torch.sin(2 * math.pi * y) / (2 * math.pi), lambda u: u, x, t, reach=0.5
    )


def rising_velocity(x, t):
    """Burgers' equation from a smooth step up: a fan, monotone for ever."""
    return simple_wave(lambda y: 0.5 + 0.5 * torch.tanh(4 * y), lambda u: u, x, t, reach=1.0)


def running_water(x, t):
    """Depth and momentum of a wave with gravity 1 that runs to the right; it breaks at t = 1 / (0.6 pi)."""
    celerity = simple_wave(
        lambda y: 1 + 0.1 * torch.sin(2 * math.pi * y), lambda c: 3 * c - 2, x, t, reach=1.3
    )
    return celerity**2, celerity**2 * 2 * (celerity - 1)


def burgers_inputs(grid, velocity, start=0.0):
    return fields(INVISCID, grid, velocity(grid.coordinates[0], start))


def water_inputs(grid):
    return fields(ShallowWater(dimension=1), grid, *running_water(grid.coordinates[0], 0.0))


def norms(difference):
    """Root of the mean square, and mean of the size, over a uniform grid."""
    return {"l2": difference.square().mean().sqrt().item(), "l1": difference.abs().mean().item()}


@dataclass(frozen=True, kw_only=True)
class DiagonalBurgers(ConservationLaw):
    """u_t + (u^2/2)_x + (u^2/2)_y = 0: Burgers' equation in x + y with doubled speed."""

    name: ClassVar[str] = "diagonal_burgers"
    dimension: ClassVar[int] = 2
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("initial_velocity"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("velocity"),)
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = (AxisKind.PERIODIC,)

    @property
    def fluxes(self):
        u = self.function("velocity")
        return ((u**2 / 2, u**2 / 2),)

    @property
    def characteristic_speeds(self):
        u = self.function("velocity")
        return ((u, u), (u, u))

    @classmethod
    def default_domain(cls, shape):
        return Grid.periodic(shape)

    def sample_inputs(self, domain, seeds):
        raise NotImplementedError


def diagonal_velocity(grid, t):
    """From 0.3 + sin(2 pi (x + y)) / (2 pi): in s = x + y the speed is 2 u."""
    x, y = grid.coordinates
    return simple_wave(
        lambda s: 0.3 + torch.sin(2 * math.pi * s) / (2 * math.pi), lambda u: 2 * u, x + y, t, reach=1.0
    )
