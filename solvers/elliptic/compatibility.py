"""Whether source and fluxes balance where a solution is defined up to a constant only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Axis, AxisKind, Field, Grid
from solvers.elliptic.face_data import FaceData

ROUNDING = 1e-10
"""Sums of a million float64 terms and the formulas behind them are good to about 1e-13 of the sum of their
sizes; what is beyond a thousand times that is in the data."""

_END_CORRECTIONS = {
    # Relative to the trapezoidal and the midpoint rule: fourth order (Gregory's rule, and its midpoint form).
    AxisKind.NODES: (3 / 8 - 1 / 2, 7 / 6 - 1, 23 / 24 - 1),
    AxisKind.CELLS: (13 / 12 - 1, 7 / 8 - 1, 25 / 24 - 1),
}


def check_compatibility(
    source: Float64[Tensor, "batch *shape"],
    faces: Sequence[FaceData],
    grid: Grid,
    *,
    first_sample: int = 0,
    rounding: float = ROUNDING,
) -> Float64[Tensor, " batch"]:
    r"""Check that :math:`\int_\Omega f + \int_{\partial\Omega} g` vanishes, as far as the grid can tell.

    With flux conditions or periodic axes on all sides and no reaction, :math:`-\nabla \cdot (a \nabla u) = f`
    has solutions only then. Exact data balance up to the error of the quadrature, which the scheme makes too;
    it is estimated from two rules, of second and of fourth order. An imbalance of more than twice that and
    more than rounding is in the data.

    Args:
        source: f at the points.
        faces: The faces, all with given fluxes.
        grid: The grid.
        first_sample: Number of the first sample, for the message.
        rounding: Imbalance relative to the sizes that rounding of the data explains, see `rounding_of`.

    Returns:
        The imbalance of the second-order rule over the volume: the constant that a scheme has to take off f.

    Raises:
        ValueError: The data do not balance; the message says by how much.
    """
    totals, sizes = [], []
    for accurate in (False, True):
        weights = [_weights(axis, accurate) for axis in grid.axes]
        total, size = _integral(source, weights), _integral(source.abs(), weights)
        for face in faces:
            others = [item for number, item in enumerate(weights) if number != face.number]
            values = face.values.to(source)[None]
            total = total + _integral(values, others)
            size = size + _integral(values.abs(), others)
        totals.append(total)
        sizes.append(size)
    allowed = 2 * (totals[0] - totals[1]).abs() + rounding * sizes[0]
    bad = torch.nonzero(totals[0].abs() > allowed).flatten().tolist()
    if bad:
        worst = bad[0]
        mean = totals[0][worst].item() / grid.volume
        relative = (totals[0][worst].abs() / sizes[0][worst]).item()
        raise ValueError(
            "expected a source and fluxes that balance, as no part of the boundary fixes the constant in u "
            f"and there is no reaction; got source and fluxes of {totals[0][worst].item():.3e} together in "
            f"sample {worst + first_sample}, {relative:.1e} of their size; try subtracting the mean "
            f"{mean:.6e} from the source"
        )
    return totals[0] / grid.volume


def rounding_of(inputs: Mapping[str, Field]) -> float:
    """Imbalance that rounding of the inputs explains, relative to their size.

    Args:
        inputs: The inputs as given; in float32 every value is off by up to half a unit in the last place.

    Returns:
        The number.
    """
    return max(ROUNDING, *(torch.finfo(field.values.dtype).eps for field in inputs.values()))


def _weights(axis: Axis, accurate: bool) -> Tensor:
    weights = axis.weights.clone()
    if accurate and axis.kind in _END_CORRECTIONS and axis.num_points >= 6:
        for position, correction in enumerate(_END_CORRECTIONS[AxisKind(axis.kind)]):
            weights[position] += correction * axis.spacing
            weights[-1 - position] += correction * axis.spacing
    return weights


def _integral(values: Tensor, weights: Sequence[Tensor]) -> Tensor:
    for item in reversed(weights):
        values = values @ item.to(values)
    return values
