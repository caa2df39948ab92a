"""Integrals and norms by the quadrature of a domain, so that an error means the same on every domain."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.domains.derivative import derivative
from pdeops.domains.grid import Grid
from pdeops.domains.mesh import Mesh

NormKind = Literal["l2", "h1"]


def integrate(values: Float[Tensor, "*batch_and_shape"], domain: Grid | Mesh) -> Float[Tensor, "*batch"]:
    r"""Integral :math:`\int_\Omega u \, dx` by the quadrature weights of the domain.

    Args:
        values: Values :math:`u`, shape (..., *domain.shape).
        domain: Where the values live.

    Returns:
        The integrals, shape (...).
    """
    weights = _weights(domain, values.dtype, values.device)
    return (values * weights).flatten(start_dim=values.ndim - weights.ndim).sum(dim=-1)


def squared_norm(
    values: Float[Tensor, "*batch_and_shape"], domain: Grid | Mesh, kind: NormKind = "l2"
) -> Float[Tensor, "*batch"]:
    r"""Squared norm of each field.

    .. math:: \|u\|_{L^2}^2 = \int_\Omega u^2 \, dx, \qquad
              \|u\|_{H^1}^2 = \int_\Omega u^2 + |\nabla u|^2 \, dx

    Args:
        values: Values :math:`u`, shape (..., *domain.shape).
        domain: Where the values live.
        kind: ``"l2"`` or ``"h1"``.

    Returns:
        The squared norms, shape (...).

    Raises:
        ValueError: The kind is unknown.

    Failure mode: The H1 norm of noise grows with the resolution; it is no bounded quantity there.
    """
    if kind == "l2":
        return integrate(values.square(), domain)
    if kind != "h1":
        raise ValueError(f"norm: expected 'l2' or 'h1', got {kind!r}")
    if isinstance(domain, Mesh):
        energy = domain.gradient(values).square().sum(dim=-1) @ domain.cell_volumes.to(values)
        return integrate(values.square(), domain) + energy
    density = values.square()
    for axis in range(domain.dimension):
        density = density + derivative(values, domain, axis).square()
    return integrate(density, domain)


def relative_norm(
    difference: Float[Tensor, "batch *rest"],
    reference: Float[Tensor, "batch *rest"],
    domain: Grid | Mesh,
    kind: NormKind = "l2",
) -> Float[Tensor, " batch"]:
    r"""Relative norm :math:`\|e\| / \|u\|` a sample, both summed over channels and times.

    Args:
        difference: Values :math:`e`, shape (batch, ..., *domain.shape).
        reference: Values :math:`u`, same shape.
        domain: Where both live.
        kind: ``"l2"`` or ``"h1"``.

    Returns:
        One number a sample; infinite or nan where the reference vanishes.
    """
    numerator = squared_norm(difference, domain, kind).flatten(start_dim=1).sum(dim=1)
    denominator = squared_norm(reference, domain, kind).flatten(start_dim=1).sum(dim=1)
    return torch.sqrt(numerator / denominator)


@lru_cache(maxsize=32)
def _weights(domain: Grid | Mesh, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Weights on a device, kept: a loss asks for them at every step, and a copy to a GPU makes it wait."""
    # A tensor made inside inference mode (validation) could not be used in training afterwards.
    with torch.inference_mode(False):
        return domain.quadrature_weights.to(device=device, dtype=dtype)
