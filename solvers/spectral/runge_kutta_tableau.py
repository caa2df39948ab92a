"""Coefficients of Runge-Kutta methods."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


def _floats(*texts: str) -> tuple[tuple[float, ...], ...]:
    """Rows of fractions, as printed, in double precision."""
    return tuple(tuple(float(Fraction(number)) for number in text.split()) for text in texts)


@dataclass(frozen=True)
class RungeKuttaTableau:
    """An embedded Runge-Kutta method.

    Args:
        stages: Row i holds the weights a_ij of the earlier slopes (and of its own, if it is implicit).
        weights: Weights b_j of the slopes in the step.
        embedded: Weights of the lower order, for the error estimate.
        order: Order of the step.
        embedded_order: Order of the embedded step.
    """

    stages: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    embedded: tuple[float, ...]
    order: int
    embedded_order: int

    @property
    def nodes(self) -> tuple[float, ...]:
        """Fractions c_i of the step at which the slopes are taken."""
        return tuple(sum(row) for row in self.stages)


DORMAND_PRINCE = RungeKuttaTableau(
    stages=_floats(
        "",
        "1/5",
        "3/40 9/40",
        "44/45 -56/15 32/9",
        "19372/6561 -25360/2187 64448/6561 -212/729",
        "9017/3168 -355/33 46732/5247 49/176 -5103/18656",
        "35/384 0 500/1113 125/192 -2187/6784 11/84",
    ),
    weights=_floats("35/384 0 500/1113 125/192 -2187/6784 11/84 0")[0],
    embedded=_floats("5179/57600 0 7571/16695 393/640 -92097/339200 187/2100 1/40")[0],
    order=5,
    embedded_order=4,
)
"""J. R. Dormand, P. J. Prince, 1980, A family of embedded Runge-Kutta formulae,
doi:10.1016/0771-050X(80)90013-3."""

_WEIGHTS = "82889/524892 0 15625/83664 69875/102672 -2260/8211 1/4"
_EMBEDDED = "4586570599/29645900160 0 178811875/945068544 814220225/1159782912 -3700637/11593932 61727/225920"

ADDITIVE_EXPLICIT = RungeKuttaTableau(
    stages=_floats(
        "",
        "1/2",
        "13861/62500 6889/62500",
        "-116923316275/2393684061468 -2731218467317/15368042101831 9408046702089/11113171139209",
        "-451086348788/2902428689909 -2682348792572/7519795681897 12662868775082/11960479115383 "
        "3355817975965/11060851509271",
        "647845179188/3216320057751 73281519250/8382639484533 552539513391/3454668386233 "
        "3354512671639/8306763924573 4040/17871",
    ),
    weights=_floats(_WEIGHTS)[0],
    embedded=_floats(_EMBEDDED)[0],
    order=4,
    embedded_order=3,
)
"""Explicit half of ARK4(3)6L[2]SA: C. A. Kennedy, M. H. Carpenter, 2003, Additive Runge-Kutta schemes for
convection-diffusion-reaction equations, doi:10.1016/S0168-9274(02)00138-1."""

ADDITIVE_IMPLICIT = RungeKuttaTableau(
    stages=_floats(
        "",
        "1/4 1/4",
        "8611/62500 -1743/31250 1/4",
        "5012029/34652500 -654441/2922500 174375/388108 1/4",
        "15267082809/155376265600 -71443401/120774400 730878875/902184768 2285395/8070912 1/4",
        _WEIGHTS,
    ),
    weights=_floats(_WEIGHTS)[0],
    embedded=_floats(_EMBEDDED)[0],
    order=4,
    embedded_order=3,
)
"""Implicit half of the same scheme: L-stable, stiffly accurate, the same number on the diagonal of every
stage but the first, which is explicit."""
