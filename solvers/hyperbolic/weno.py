"""Fifth-order reconstruction that avoids stencils across a jump."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

LINEAR_WEIGHTS = (0.1, 0.6, 0.3)
"""With these the three quadratic stencils make the polynomial of degree four."""

SMALLEST = 1e-40
"""Keeps the weights defined where the data is constant; far below any squared difference that matters."""


def weno5(values: Sequence[Float[Tensor, "..."]]) -> Float[Tensor, "..."]:
    """Value at the upper face of the middle one of five cells, from their averages.

    Weights of the kind Z: of fifth order also at simple extrema. The numbers in the code are equations of the
    paper.

    Args:
        values: Averages of cells i-2 to i+2; reversed, they give the value at the lower face.

    Returns:
        The value at the face i+1/2.

    References:
        | R. Borges, M. Carmona, B. Costa, W. S. Don, 2008, An improved weighted essentially non-oscillatory
        | scheme for hyperbolic conservation laws, doi:10.1016/j.jcp.2007.11.038
    """
    a, b, c, d, e = values
    stencils = (  # (5)
        (2 * a - 7 * b + 11 * c) / 6,
        (-b + 5 * c + 2 * d) / 6,
        (2 * c + 5 * d - e) / 6,
    )
    roughness = (  # (8) to (10)
        13 / 12 * (a - 2 * b + c) ** 2 + (a - 4 * b + 3 * c) ** 2 / 4,
        13 / 12 * (b - 2 * c + d) ** 2 + (b - d) ** 2 / 4,
        13 / 12 * (c - 2 * d + e) ** 2 + (3 * c - 4 * d + e) ** 2 / 4,
    )
    difference = (roughness[0] - roughness[2]).abs()  # (25)
    weights = [  # (28)
        linear * (1 + (difference / (beta + SMALLEST)) ** 2)
        for linear, beta in zip(LINEAR_WEIGHTS, roughness, strict=True)
    ]
    combined = sum(weight * value for weight, value in zip(weights, stencils, strict=True))
    return combined / (weights[0] + weights[1] + weights[2])
