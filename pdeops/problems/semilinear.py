"""Evolution equations on a torus, split for spectral solvers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Protocol, runtime_checkable

import sympy
import torch
from jaxtyping import Complex, Float
from sympy.core.function import AppliedUndef
from torch import Tensor

from pdeops.domains import AxisKind, Field
from pdeops.problems.collocation_space import CollocationSpace
from pdeops.problems.expression import evaluate
from pdeops.problems.linear_terms import LinearTerm, derivative_orders, split_linear, sum_of_symbols
from pdeops.problems.problem import Problem


@runtime_checkable
class SpectralSpace(Protocol):
    """What a solver offers to a problem: a way between Fourier coefficients and values on its grid."""

    @property
    def wavenumbers(self) -> tuple[Tensor, ...]:
        """Angular wavenumbers, one tensor an axis, of shapes that broadcast to a spectrum."""
        ...

    @property
    def points(self) -> tuple[Tensor, ...]:
        """Coordinates of the grid's points, one tensor an axis, each of the grid's shape."""
        ...

    def to_grid(self, spectrum: Complex[Tensor, "... *modes"]) -> Float[Tensor, "... *shape"]:
        """Values of a spectrum."""
        ...

    def to_spectrum(self, values: Float[Tensor, "... *shape"]) -> Complex[Tensor, "... *modes"]:
        """Spectrum of values, de-aliased."""
        ...


@dataclass(frozen=True)
class _GridExpression:
    """An expression, and the unknowns and derivatives of unknowns in it: (node, function, derivative)."""

    expression: sympy.Expr
    nodes: tuple[tuple[sympy.Expr, sympy.Expr, LinearTerm], ...]


@dataclass(frozen=True)
class _AuxiliaryEquation:
    """An auxiliary unknown: its own terms, the linear terms of other unknowns, and the rest."""

    function: sympy.Expr
    terms: tuple[LinearTerm, ...]
    sources: tuple[tuple[sympy.Expr, tuple[LinearTerm, ...]], ...]
    rest: _GridExpression | None


@dataclass(frozen=True, kw_only=True)
class SemilinearProblem(Problem):
    r"""Periodic equations :math:`\partial_t u = L u + N(u)`, with constant coefficients in :math:`L`.

    The split is derived from `equations`: terms with constant coefficients in the equation's own unknown
    make the Fourier symbol of :math:`L`, all others make :math:`N`. Auxiliary unknowns are solved for wave by
    wave, with mean zero where their equation leaves the mean open. So a new problem states its equations and
    gets a spectral solver.

    Each equation of an output has to hold its first time derivative with a constant factor; each auxiliary
    equation has to be linear with constant coefficients in its unknown.

    Failure mode: Stiff terms with variable coefficients land in :math:`N` and limit the time step.
    """

    steady: ClassVar[bool] = False
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = (AxisKind.PERIODIC,)

    @cached_property
    def right_hand_sides(self) -> tuple[sympy.Expr, ...]:
        """Time derivative of each output, by its equation.

        Raises:
            ValueError: An equation is not of first order in time with a constant factor.
        """
        sides = []
        for variable, equation in zip(self.outputs, self.equations, strict=False):
            rate = sympy.Derivative(self.function(variable.name), self.time_symbol)
            difference = sympy.expand(equation.lhs - equation.rhs)
            factor = difference.coeff(rate)
            rest = difference - factor * rate
            if factor == 0 or factor.atoms(AppliedUndef) or self.time_symbol in _derivative_variables(rest):
                raise ValueError(
                    f"{self.name}: expected an equation of first order in time for {variable.name!r}, "
                    f"got {equation}"
                )
            sides.append(sympy.expand(-rest / factor))
        return tuple(sides)

    @cached_property
    def _split(self) -> tuple[tuple[tuple[LinearTerm, ...], _GridExpression], ...]:
        result = []
        for variable, side in zip(self.outputs, self.right_hand_sides, strict=True):
            terms, rest = split_linear(side, self.function(variable.name), self.space_symbols, self.numbers)
            result.append((terms, self._prepared(rest)))
        return tuple(result)

    @cached_property
    def _auxiliary_equations(self) -> tuple[_AuxiliaryEquation, ...]:
        result = []
        known = [self.function(variable.name) for variable in self.outputs]
        for variable, equation in zip(self.auxiliary, self.equations[len(self.outputs) :], strict=True):
            function = self.function(variable.name)
            terms, rest = split_linear(
                equation.lhs - equation.rhs, function, self.space_symbols, self.numbers
            )
            if not terms or function in rest.atoms(AppliedUndef):
                raise ValueError(
                    f"{self.name}: expected an equation with constant coefficients for {variable.name!r}, "
                    f"got {equation}"
                )
            sources = []
            for other in known:
                linear, rest = split_linear(rest, other, self.space_symbols, self.numbers)
                sources.append((other, linear))
            prepared = None if rest == 0 else self._prepared(rest)
            result.append(_AuxiliaryEquation(function, terms, tuple(sources), prepared))
            known.append(function)
        return tuple(result)

    def _prepared(self, expression: sympy.Expr) -> _GridExpression:
        nodes: dict[sympy.Expr, tuple[sympy.Expr, LinearTerm]] = {}
        walk = sympy.preorder_traversal(expression)
        for node in walk:
            orders = derivative_orders(node, self.space_symbols)
            if orders is not None:
                function = node.expr if isinstance(node, sympy.Derivative) else node
                nodes[node] = (function, LinearTerm(1.0, orders))
                walk.skip()  # the function inside a derivative is not needed by itself
        return _GridExpression(expression, tuple((node, *item) for node, item in nodes.items()))

    def linear_symbol(self, wavenumbers: tuple[Tensor, ...]) -> Tensor:
        r"""Fourier symbol of the linear part, for example :math:`-\nu |k|^2`.

        Args:
            wavenumbers: Angular wavenumbers, one tensor an axis, of shapes that broadcast to a spectrum.

        Returns:
            Shape (channels, *modes); real if all linear terms are of even order, else complex.
        """
        shape = torch.broadcast_shapes(*(k.shape for k in wavenumbers))
        symbols = [sum_of_symbols(terms, wavenumbers).expand(shape) for terms, _ in self._split]
        if any(symbol.is_complex() for symbol in symbols):
            symbols = [torch.complex(s, torch.zeros_like(s)) if not s.is_complex() else s for s in symbols]
        return torch.stack(symbols)

    def nonlinear_term(
        self, spectrum: Complex[Tensor, "batch channels *modes"], space: SpectralSpace
    ) -> Complex[Tensor, "batch channels *modes"]:
        """Everything but the linear part, evaluated on the grid.

        Args:
            spectrum: Fourier coefficients of the outputs, within the space's de-aliased waves.
            space: The solver's grid and transforms.

        Returns:
            Fourier coefficients of the term, same shape.
        """
        spectra = self._all_spectra(spectrum, space)
        terms = [self._on_grid(rest, spectra, space) for _, rest in self._split]
        shape = (*spectrum.shape[:1], *space.points[0].shape)
        return space.to_spectrum(
            torch.stack([term.to(space.points[0]).expand(shape) for term in terms], dim=1)
        )

    def auxiliary_values(self, solution: Field) -> dict[str, Tensor]:
        """Auxiliary unknowns on the solution's grid; see `Problem.auxiliary_values`."""
        if not self.auxiliary:
            return {}
        space = CollocationSpace(self.check_grid(solution.domain), solution.values)
        values = solution.values if solution.times is None else solution.values.flatten(0, 1)
        spectra = self._all_spectra(space.to_spectrum(values), space)
        shape = (*solution.values.shape[: 1 if solution.times is None else 2], *solution.domain.shape)
        return {
            variable.name: space.to_grid(spectra[self.function(variable.name)]).reshape(shape)
            for variable in self.auxiliary
        }

    def _all_spectra(self, spectrum: Tensor, space: SpectralSpace) -> dict[sympy.Expr, Tensor]:
        """Spectra of outputs and auxiliary unknowns by their function."""
        functions = [self.function(variable.name) for variable in self.outputs]
        spectra = dict(zip(functions, spectrum.unbind(1), strict=True))
        for equation in self._auxiliary_equations:
            source = torch.zeros_like(spectrum[:, 0])
            for function, terms in equation.sources:
                source = source + sum_of_symbols(terms, space.wavenumbers) * spectra[function]
            if equation.rest is not None:
                shape = (*spectrum.shape[:1], *space.points[0].shape)
                source = source + space.to_spectrum(
                    self._on_grid(equation.rest, spectra, space).expand(shape)
                )
            symbol = sum_of_symbols(equation.terms, space.wavenumbers)
            is_open = symbol == 0
            inverse = torch.where(is_open, 0, -1 / torch.where(is_open, torch.ones_like(symbol), symbol))
            spectra[equation.function] = inverse * source
        return spectra

    def _on_grid(
        self, prepared: _GridExpression, spectra: dict[sympy.Expr, Tensor], space: SpectralSpace
    ) -> Tensor:
        """Values of an expression; derivatives of unknowns come from their spectra, in one transform."""
        known = {}
        if prepared.nodes:
            needed = [
                term.symbol(space.wavenumbers) * spectra[function] if any(term.orders) else spectra[function]
                for _, function, term in prepared.nodes
            ]
            grid_values = space.to_grid(torch.stack(needed))
            known = dict(zip((node for node, _, _ in prepared.nodes), grid_values.unbind(0), strict=True))
        names = [symbol.name for symbol in self.space_symbols]
        shape = space.points[0].shape

        def rule(values: Tensor, coordinate: str, order: int) -> Tensor:
            # A derivative of a product: back to the spectrum, which also removes its aliases.
            factor = (1j * space.wavenumbers[names.index(coordinate)]) ** order
            values = values.expand(torch.broadcast_shapes(values.shape, shape))
            return space.to_grid(factor * space.to_spectrum(values))

        values = dict(zip(names, space.points, strict=True)) | self.numbers
        return evaluate(prepared.expression, values, rule, known)


def _derivative_variables(expression: sympy.Expr) -> set[sympy.Symbol]:
    return {symbol for node in expression.atoms(sympy.Derivative) for symbol in node.variables}
