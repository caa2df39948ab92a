"""GMRES for the inner systems: right preconditioned, restarted never."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def preconditioned_gmres(
    apply: Callable[[Tensor], Tensor],
    precondition: Callable[[Tensor], Tensor],
    right: Tensor,
    tolerance: float,
    max_iterations: int,
) -> tuple[Tensor, float, int]:
    """Solve a linear system of tensors of any shape.

    Args:
        apply: The linear map.
        precondition: An approximation of its inverse.
        right: Right side.
        tolerance: Of the norm of the residual, relative to that of the right side.
        max_iterations: Number of products at most.

    Returns:
        The solution, the relative residual norm, and the number of products.

    Failure mode: All directions are kept: memory grows with the iterations.

    Source: Saad and Schultz (1986), doi:10.1137/0907058.
    """
    norm = right.norm().item()
    if norm == 0:
        return torch.zeros_like(right), 0.0, 0
    basis, images = [right / norm], []
    hessenberg = right.new_zeros(max_iterations + 1, max_iterations)
    for step in range(max_iterations):
        image = precondition(basis[step])
        images.append(image)
        new = apply(image)
        before = new.norm()
        for _ in range(2):  # twice is enough
            for row, vector in enumerate(basis):
                overlap = (vector * new).sum()
                hessenberg[row, step] += overlap
                new = new - overlap * vector
        length = new.norm()
        hessenberg[step + 1, step] = length
        target = right.new_zeros(step + 2)
        target[0] = norm
        matrix = hessenberg[: step + 2, : step + 1]
        weights = torch.linalg.lstsq(matrix, target[:, None]).solution[:, 0]
        residual = (matrix @ weights - target).norm().item() / norm
        if residual <= tolerance or length <= 1e-15 * before:
            break
        basis.append(new / length)
    solution = sum((weight * image for weight, image in zip(weights, images, strict=True)), right * 0)
    return solution, residual, step + 1
