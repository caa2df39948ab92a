"""Finite element solutions as functions, and their true errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy
import sympy
import torch

from pdeops.problems import Problem
from solvers.elements.element_space import Array, ElementSpace


@dataclass(frozen=True, eq=False)
class ElementFunction:
    """One scalar function of a finite element space for each sample.

    Args:
        space: The space; ``space.basis`` is the basis of scikit-fem.
        coefficients: Shape (batch, unknowns).
    """

    space: ElementSpace
    coefficients: Array

    @property
    def point_values(self) -> torch.Tensor:
        """Values at the points of the mesh, shape (batch, points)."""
        return torch.from_numpy(self.coefficients[:, self.space.vertex_unknowns].copy())

    def integral(self, sample: int = 0) -> float:
        """Integral over the mesh."""
        return self.space.integral(self.space.at_quadrature(self.coefficients[sample]))

    def errors(self, problem: Problem, exact: sympy.Expr, sample: int = 0) -> dict[str, float]:
        r"""Relative errors by quadrature inside the cells, not from the values at the points.

        Args:
            problem: Gives the numbers in the expression.
            exact: The exact function, in coordinates and numbers.
            sample: Which sample.

        Returns:
            ``"l2"``: :math:`\|u_h - u\| / \|u\|` in L2; ``"h1"``: the same for the gradients alone (the H1
            seminorm).
        """
        return relative_errors([self], problem, [exact], sample)


def relative_errors(
    functions: Sequence[ElementFunction], problem: Problem, exact: Sequence[sympy.Expr], sample: int = 0
) -> dict[str, float]:
    """Relative L2 error and H1 seminorm error of several functions together, such as the parts of a vector.

    Args:
        functions: Functions of one space.
        problem: Gives the numbers in the expressions.
        exact: The exact functions.
        sample: Which sample.

    Returns:
        ``"l2"`` and ``"h1"``, see `ElementFunction.errors`.
    """
    first = functions[0].space
    # A quadrature that sees the error of the interpolant, and hits other points than the solver did.
    space = ElementSpace.build(first.mesh, first.degree, quadrature_order=2 * first.degree + 5)
    totals: Mapping[str, list[float]] = {"l2": [0.0, 0.0], "h1": [0.0, 0.0]}
    for function, expression in zip(functions, exact, strict=True):
        coefficients = function.coefficients[sample]
        target = space.values_at_quadrature(problem, expression, {})
        slopes = numpy.stack(
            [
                space.values_at_quadrature(problem, sympy.diff(expression, x), {})
                for x in problem.space_symbols
            ]
        )
        differences = {
            "l2": (space.at_quadrature(coefficients) - target, target),
            "h1": (space.gradient_at_quadrature(coefficients) - slopes, slopes),
        }
        for norm, (error, reference) in differences.items():
            totals[norm][0] += space.integral(_square(error))
            totals[norm][1] += space.integral(_square(reference))
    return {norm: float(numpy.sqrt(error / reference)) for norm, (error, reference) in totals.items()}


def _square(values: Array) -> Array:
    return values**2 if values.ndim == 2 else (values**2).sum(axis=0)
