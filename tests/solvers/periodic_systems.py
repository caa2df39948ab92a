"""Periodic evolution equations for tests of the time steppers, written apart from the catalogue."""

from dataclasses import dataclass
from typing import ClassVar

import sympy
from sympy import Derivative, Eq

from pdeops.domains import Field, Grid
from pdeops.problems import SemilinearProblem, Variable


@dataclass(frozen=True, kw_only=True)
class System(SemilinearProblem):
    """Outputs ``a``, ``b``, ... on a torus, started from ``initial_a`` and so on."""

    name: ClassVar[str] = "system"
    dimension: int = 1

    @property
    def equations(self):
        sides = self.sides(*(self.function(variable.name) for variable in self.outputs))
        rates = [Derivative(self.function(v.name), self.time_symbol) for v in self.outputs]
        return tuple(Eq(rate, side, evaluate=False) for rate, side in zip(rates, sides, strict=True))

    def sides(self, *functions):
        raise NotImplementedError

    def laplacian(self, u):
        return sum(Derivative(u, (x, 2)) for x in self.space_symbols)

    def default_domain(self, shape):
        return Grid.periodic(shape)

    def sample_inputs(self, domain, seeds):
        raise NotImplementedError

    def fields(self, grid, *values):
        """Inputs from values (batch, *shape), one tensor an output."""
        names = [variable.name for variable in self.inputs]
        return {n: Field(v[:, None], grid, (n,)) for n, v in zip(names, values, strict=True)}


def variables(*names):
    return tuple(Variable(f"initial_{n}") for n in names), tuple(Variable(n) for n in names)


@dataclass(frozen=True, kw_only=True)
class Wave(System):
    """u_t = v, v_t = 4 Lap u: a Jordan block at k = 0."""

    inputs, outputs = variables("u", "v")

    def sides(self, u, v):
        return v, 4 * self.laplacian(u)


@dataclass(frozen=True, kw_only=True)
class Schroedinger(System):
    """i psi_t = -Lap psi / 2, and - |psi|^2 psi if cubic (focusing)."""

    inputs, outputs = variables("real", "imaginary")
    cubic: bool = False

    def sides(self, a, b):
        density = (a**2 + b**2) if self.cubic else sympy.Integer(0)
        return -self.laplacian(b) / 2 - density * b, self.laplacian(a) / 2 + density * a


@dataclass(frozen=True, kw_only=True)
class Advected(System):
    """A triangular pair with first, second and third derivatives: complex symbols."""

    inputs, outputs = variables("u", "v")

    def sides(self, u, v):
        x = self.space_symbols[0]
        return (
            Derivative(u, x) + Derivative(u, (x, 2)) / 10,
            Derivative(u, (x, 3)) / 100 + Derivative(v, (x, 2)) / 20 - Derivative(v, x),
        )


@dataclass(frozen=True, kw_only=True)
class Bistable(System):
    """u_t = Lap u / 200 + u - u^3."""

    inputs, outputs = variables("u")

    def sides(self, u):
        return (self.laplacian(u) / 200 + u - u**3,)


@dataclass(frozen=True, kw_only=True)
class Shallow(System):
    """Height and velocity, conservative height and Bernoulli velocity."""

    inputs, outputs = variables("h", "u")

    def sides(self, h, u):
        (x,) = self.space_symbols
        return (
            -Derivative(h * u, x) + Derivative(h, (x, 2)) / 100,
            -Derivative(u**2 / 2 + 9 * h, x) + Derivative(u, (x, 2)) / 100,
        )
