"""Gradients of finite element functions as continuous functions, given at the points of the mesh."""

from __future__ import annotations

import torch
from scipy.sparse.linalg import splu

from solvers.elements.element_function import ElementFunction


def recovered_gradient(function: ElementFunction) -> torch.Tensor:
    r"""Project the gradient to continuous linear functions.

    The gradient of an element function jumps from cell to cell. In each direction k its projection
    :math:`g_k` in L2 is the linear function with :math:`\int g_k \phi = \int \partial_k u_h \phi` for all
    linear :math:`\phi`: it has the same integral, also on the cells at the boundary no side is preferred, and
    linear gradients are kept as they are. Of a quadratic function it is of second order.

    Args:
        function: The function.

    Returns:
        Values at the points of the mesh, float64, shape (batch, dimension, points).
    """
    linear = function.space.with_degree(1)
    factors = splu(linear.mass().tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    columns = [
        torch.from_numpy(factors.solve(function.space.slope(axis, test=linear) @ function.coefficients.T).T)
        for axis in range(function.space.mesh.dimension)
    ]
    return torch.stack(columns, dim=1)[..., linear.vertex_unknowns]
