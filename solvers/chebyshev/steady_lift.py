"""A smooth function with given boundary data, to be subtracted from one that varies in time."""

from __future__ import annotations

import torch
from jaxtyping import Float64
from torch import Tensor

from solvers.chebyshev.boundary_closure import BoundaryClosure
from solvers.chebyshev.fast_diagonalisation import FastDiagonalisation
from solvers.chebyshev.linear_elliptic import LinearElliptic


class SteadyLift:
    r"""The solution of :math:`\Delta w = \sigma w` with the boundary data of a closure.

    With it :math:`u - w` meets homogeneous conditions. Sigma is zero (w is harmonic) unless all conditions
    are Neumann's, whose fluxes need not balance; then it is one over the square of the longest side.

    Args:
        closure: Conditions with data.
        fast: The basis of the Laplacian with these conditions.
    """

    def __init__(self, closure: BoundaryClosure, fast: FastDiagonalisation) -> None:
        """Solve for the function."""
        self.closure = closure
        self.screening = 0.0
        if fast.has_constants:
            self.screening = 1 / max(axis.length for axis in closure.grid.axes) ** 2
        zero = torch.zeros(1, *closure.inner_shape, dtype=torch.float64, device=closure.first[0].device)
        operator = LinearElliptic(closure, fast, (), zero + self.screening)
        load = -operator.forward(zero, closure)
        inner = operator.precondition(load)
        inner = inner + operator.precondition(load - operator.apply(inner))
        self.values: Float64[Tensor, " *shape"] = closure.complete(inner)[0]

    def diffused(self, weights: list[float]) -> Float64[Tensor, " *inner"]:
        r"""The weighted Laplacian :math:`\sum_i c_i \partial_i^2 w` at the inner points.

        Args:
            weights: Factor of each axis. Where they are equal, the result is the function itself up to a
                factor, free of the rounding of second derivatives.

        Returns:
            The values.
        """
        result = weights[0] * self.screening * self.values
        for number, weight in enumerate(weights):
            if weight != weights[0]:
                along = torch.movedim(self.values, number, -1) @ self.closure.second[number].T
                result = result + (weight - weights[0]) * torch.movedim(along, -1, number)
        return self.closure.inner(result)
