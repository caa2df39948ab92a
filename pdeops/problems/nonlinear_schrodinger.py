"""Nonlinear Schroedinger equation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import sympy
from sympy import Add, Derivative, Eq, Integer, Rational, cos, cosh, pi, sin

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems.evolution import evolving_solution
from pdeops.problems.exact_solution import ExactSolution
from pdeops.problems.operators_in_space import laplacian
from pdeops.problems.parameter import parameter
from pdeops.problems.random_fields import Sampler
from pdeops.problems.semilinear import SemilinearProblem
from pdeops.problems.smooth_random_field import SmoothRandomField, further_seed
from pdeops.problems.variable import Variable

HALF_WIDTH = 5.0
DEFAULT_SAMPLER = SmoothRandomField(deviation=0.7, correlation_length=1.5)


@dataclass(frozen=True, kw_only=True)
class NonlinearSchrodinger(SemilinearProblem):
    r"""Envelope of dispersive waves with a cubic nonlinearity.

    .. math:: i \partial_t \psi + \tfrac12 \Delta \psi + \gamma |\psi|^2 \psi = 0

    with :math:`\psi = a + i b` as a system for its real and its imaginary part. Maps the initial envelope to
    the envelope at later times. All quantities are dimensionless. The standard box is :math:`[-5, 5]^d`; any
    other periodic box will do. Constant in time are the mass :math:`\int |\psi|^2`, the momentum
    :math:`\int a \nabla b - b \nabla a` and the energy :math:`\int \frac12 |\nabla \psi|^2 - \frac{\gamma}{2}
    |\psi|^4`. On a uniform envelope of amplitude A waves of small amplitude grow at the rate :math:`k
    \sqrt{\gamma A^2 - k^2 / 4}` where that is real.

    The benchmark of physics-informed networks is the default in one dimension from :math:`2
    \operatorname{sech} x` to time :math:`\pi / 2`.

    Args:
        dimension: Number of space dimensions, 1 to 3.
        nonlinearity: Coefficient :math:`\gamma`: positive focuses, negative defocuses.
        sampler: Distribution of the real and of the imaginary part.

    Good values: ``nonlinearity=1`` in one dimension on 128 points to time 3 (relative error 3e-7);
        ``nonlinearity=-1`` in more.

    Failure mode: In two and three dimensions a focusing envelope of enough mass (about :math:`5.85 / \gamma`
        in two) collapses to a point in finite time, which no grid resolves: values blow up.

    Source: Zakharov and Shabat (1972), Soviet Physics JETP 34, 62. The benchmark: Raissi, Perdikaris and
    Karniadakis (2019), doi:10.1016/j.jcp.2018.10.045. The breather: Satsuma and Yajima (1974),
    doi:10.1143/PTPS.55.284.
    """

    name: ClassVar[str] = "nonlinear_schrodinger"
    inputs: ClassVar[tuple[Variable, ...]] = (
        Variable("initial_real_part", latex="a_0"),
        Variable("initial_imaginary_part", latex="b_0"),
    )
    outputs: ClassVar[tuple[Variable, ...]] = (
        Variable("real_part", latex="a"),
        Variable("imaginary_part", latex="b"),
    )

    dimension: int = 1
    nonlinearity: float = parameter(1.0, symbol=r"\gamma")
    sampler: Sampler = DEFAULT_SAMPLER

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Real and imaginary part of the equation."""
        a, b = self.function("real_part"), self.function("imaginary_part")
        strength, t = self.symbol("nonlinearity") * (a**2 + b**2), self.time_symbol
        half, coordinates = Rational(1, 2), self.space_symbols
        return (
            Eq(Derivative(a, t), -half * laplacian(b, coordinates) - strength * b, evaluate=False),
            Eq(Derivative(b, t), half * laplacian(a, coordinates) + strength * a, evaluate=False),
        )

    @classmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Grid:
        """The periodic box from -5 to 5."""
        ends = (HALF_WIDTH,) * len(shape)
        return Grid.box(shape, AxisKind.PERIODIC, lower=tuple(-end for end in ends), upper=ends)

    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw initial envelopes; see `Problem.sample_inputs`."""
        real = self.sampler.sample(self.check_domain(domain), seeds)
        imaginary = self.sampler.sample(domain, [further_seed(seed, 1) for seed in seeds])
        return {
            "initial_real_part": Field(real[:, None], domain, ("initial_real_part",)),
            "initial_imaginary_part": Field(imaginary[:, None], domain, ("initial_imaginary_part",)),
        }

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        r"""Three solutions on the standard box; the last two at nonlinearity 1, along x.

        - ``plane_wave``: :math:`A e^{i (\kappa \cdot x - \omega t)}` with :math:`A = 1/2`, one wave an axis
          and :math:`\omega = |\kappa|^2 / 2 - \gamma A^2`.
        - ``bright_soliton``: :math:`\eta \operatorname{sech} \eta (x - v t)` times the phase
          :math:`e^{i v x + i (\eta^2 - v^2) t/2}` with :math:`\eta = 8` and :math:`v = 6\pi / 10`, summed
          with its two neighbouring periodic images: exact to rounding until time 2.
        - ``breather``: two solitons bound to each other, from :math:`2\eta \operatorname{sech} \eta x` with
          :math:`\eta = 8`; the benchmark's solution on the line, scaled so that its tails are below rounding.
        """
        x, t = self.space_symbols[0], self.time_symbol
        half = Rational(1, 2)
        wavenumber = 2 * pi / 10
        frequency = self.dimension * wavenumber**2 / 2 - self.symbol("nonlinearity") * half**2
        phase = wavenumber * Add(*self.space_symbols) - frequency * t

        height, velocity = Integer(8), 6 * pi / 10
        profile = Add(*(height / cosh(height * (x - 10 * n - velocity * t)) for n in (-1, 0, 1)))
        turning = velocity * x + (height**2 - velocity**2) * t / 2

        y, s = height * x, height**2 * t
        envelope = 4 * height / (cosh(4 * y) + 4 * cosh(2 * y) + 3 * cos(4 * s))
        beats = [
            envelope * (cosh(3 * y) * part(s / 2) + 3 * cosh(y) * part(s * Rational(9, 2)))
            for part in (cos, sin)
        ]
        focusing = replace(self, nonlinearity=1.0)
        return {
            "plane_wave": self._exact(self, cos(phase) / 2, sin(phase) / 2, "a uniform wave"),
            "bright_soliton": self._exact(
                focusing, profile * cos(turning), profile * sin(turning), "a moving bright soliton"
            ),
            "breather": self._exact(focusing, beats[0], beats[1], "two bound solitons that beat"),
        }

    def _exact(
        self, problem: NonlinearSchrodinger, real: sympy.Expr, imaginary: sympy.Expr, description: str
    ) -> ExactSolution:
        return evolving_solution(problem, {"real_part": real, "imaginary_part": imaginary}, description)
