"""Conservation laws: one statement of the fluxes for residuals, Fourier solvers and finite volumes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import sympy
from sympy import Derivative, Eq, Integer
from sympy.core.function import AppliedUndef

from pdeops.problems.semilinear import SemilinearProblem

Speeds = tuple[sympy.Expr, sympy.Expr]


@dataclass(frozen=True, kw_only=True)
class ConservationLaw(SemilinearProblem):
    r"""Problems :math:`\partial_t U + \nabla \cdot F(U, x) = D \Delta U + S(U, x)`.

    A subclass states the fluxes and the speeds of waves; the equations follow. So the residual, the split for
    Fourier solvers and the fluxes through the faces of cells are those of one statement.

    Attributes:
        applies_product_rule: Whether the equations are written with derivatives of the unknowns,
            :math:`u\, \partial_x u`, and not of the fluxes, :math:`\partial_x (u^2/2)`. Terms that are linear
            with constant coefficients are always written out.
        positive_outputs: Outputs that lose their meaning at zero and below, such as a depth.

    Failure mode: Without diffusion, solutions break within a finite time: `FiniteVolumeSolver` goes on with
        shocks, Fourier solvers ring.
    """

    applies_product_rule: ClassVar[bool] = False
    positive_outputs: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def fluxes(self) -> tuple[tuple[sympy.Expr, ...], ...]:
        """Flux of each output along each axis, in outputs, coordinates and parameters."""

    @property
    @abstractmethod
    def characteristic_speeds(self) -> tuple[Speeds, ...]:
        """Lowest and highest speed of a wave along each axis: the ends of the spectrum of dF/dU."""

    @property
    def diffusivity(self) -> sympy.Expr:
        """Diffusivity D of all outputs, in number parameters; zero by default."""
        return Integer(0)

    @property
    def sources(self) -> tuple[sympy.Expr, ...]:
        """Source S of each output, in outputs, coordinates and parameters; zero by default."""
        return (Integer(0),) * len(self.outputs)

    @property
    def diffusivity_value(self) -> float:
        """The number D."""
        return float(
            self.diffusivity.subs({self.symbol(name): value for name, value in self.numbers.items()})
        )

    @property
    def forms_shocks(self) -> bool:
        """Whether smooth solutions break: there is no diffusion, and some flux is not linear."""
        unknowns = [self.function(variable.name) for variable in self.outputs]
        slopes = (sympy.diff(flux, u) for fluxes in self.fluxes for flux in fluxes for u in unknowns)
        return self.diffusivity_value == 0 and any(slope.atoms(AppliedUndef) for slope in slopes)

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """The balance of each output, derived from the fluxes."""
        return tuple(
            self._equation(variable.name, fluxes, source)
            for variable, fluxes, source in zip(self.outputs, self.fluxes, self.sources, strict=True)
        )

    def mirror_signs(self, axis: int) -> tuple[int, ...] | None:
        """Signs of the outputs in the mirror image across a wall normal to an axis.

        Args:
            axis: Number of the axis.

        Returns:
            One sign an output; None by default: the equations know no walls, and `Dirichlet` gives values.
        """
        return None

    def _equation(self, name: str, fluxes: Sequence[sympy.Expr], source: sympy.Expr) -> sympy.Eq:
        rate = Derivative(self.function(name), self.time_symbol)
        divergence = sum(
            (self._slope(flux, x) for flux, x in zip(fluxes, self.space_symbols, strict=True)), Integer(0)
        )
        laplacian = sum(Derivative(self.function(name), (x, 2)) for x in self.space_symbols)
        right = self.diffusivity * laplacian + source
        # Without a right side the rate stands alone, so that neither side is zero for all solutions.
        sides = (rate, -divergence) if right == 0 else (rate + divergence, right)
        return Eq(*sides, evaluate=False)

    def _slope(self, flux: sympy.Expr, x: sympy.Symbol) -> sympy.Expr:
        terms = sympy.Add.make_args(sympy.expand(flux))
        if self.applies_product_rule:
            return sympy.Add(*(sympy.diff(term, x) for term in terms))
        linear = [term for term in terms if self._is_linear(term)]
        rest = sympy.Add(*(term for term in terms if term not in linear))
        slope = sympy.Add(*(sympy.diff(term, x) for term in linear))
        return slope if rest == 0 else slope + Derivative(rest, x)

    def _is_linear(self, term: sympy.Expr) -> bool:
        varying = [factor for factor in sympy.Mul.make_args(term) if factor.free_symbols & self._coordinates]
        return len(varying) == 1 and isinstance(varying[0], AppliedUndef)

    @property
    def _coordinates(self) -> set[sympy.Symbol]:
        return {*self.space_symbols, self.time_symbol}
