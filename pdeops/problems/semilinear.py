"""Evolution equations, split into a linear part with constant coefficients and the rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import sympy
import torch
from sympy.core.function import AppliedUndef
from torch import Tensor

from pdeops.domains import AxisKind, Field
from pdeops.problems.collocation_space import CollocationSpace
from pdeops.problems.linear_terms import (
    LinearTerm,
    distribute_derivatives,
    split_linear,
    sum_of_symbols,
)
from pdeops.problems.nonlinear_operator import NonlinearOperator, SpectralSpace
from pdeops.problems.nonlinear_plan import NonlinearPlan, NonlinearPlanner
from pdeops.problems.problem import Problem


@dataclass(frozen=True, kw_only=True)
class SemilinearProblem(Problem):
    r"""Evolution equations :math:`\partial_t u = L u + N(u)`, with constant coefficients in :math:`L`.

    The split is derived from `equations`: terms with constant coefficients in the outputs make :math:`L`, all
    others make :math:`N`. In Fourier space :math:`L` is one number a wave and output, or one small matrix a
    wave where an equation has terms in other outputs (waves, Schroedinger). Auxiliary unknowns are solved for
    wave by wave, with mean zero where their equation leaves the mean open. So a new problem states its
    equations and gets a spectral solver.

    Each equation of an output has to hold its first time derivative with a constant factor; each auxiliary
    equation has to be linear with constant coefficients in its unknown. `Problem.initial_inputs` are the
    initial values of the outputs; other inputs are known functions of space.

    Good values: Write products so that few different factors occur: every unknown and derivative of one in a
    product costs a transform, and so does every sum of products (`nonlinear_plan` counts them).

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
    def _split(self) -> tuple[tuple[tuple[tuple[int, LinearTerm], ...], sympy.Expr], ...]:
        result = []
        functions = [self.function(variable.name) for variable in self.outputs]
        for side in self.right_hand_sides:
            rest = distribute_derivatives(side, self.space_symbols)
            linear: list[tuple[int, LinearTerm]] = []
            for index, function in enumerate(functions):
                terms, rest = split_linear(rest, function, self.space_symbols, self.numbers)
                linear += [(index, term) for term in terms]
            result.append((tuple(linear), rest))
        return tuple(result)

    @property
    def linear_terms(self) -> tuple[tuple[tuple[int, LinearTerm], ...], ...]:
        """The linear part, one tuple an output: (number of the output that the term is in, term)."""
        return tuple(linear for linear, _ in self._split)

    @property
    def nonlinear_expressions(self) -> tuple[sympy.Expr, ...]:
        """What is left of each right-hand side, for `pdeops.problems.evaluate` with any derivative rule.

        It holds outputs, auxiliary unknowns, coordinates, parameters and sources.
        """
        return tuple(rest for _, rest in self._split)

    @property
    def is_coupled(self) -> bool:
        """Whether the linear part of an equation has terms in another output."""
        return any(other != index for index, terms in enumerate(self.linear_terms) for other, _ in terms)

    @cached_property
    def nonlinear_plan(self) -> NonlinearPlan:
        """What has to be transformed and multiplied at every call of the nonlinear part.

        Raises:
            ValueError: An auxiliary equation is not linear with constant coefficients in its unknown.
        """
        functions = [self.function(variable.name) for variable in self.outputs]
        helpers = [self.function(variable.name) for variable in self.auxiliary]
        equations = [equation.lhs - equation.rhs for equation in self.equations[len(functions) :]]
        try:
            return NonlinearPlanner(self.space_symbols, self.numbers).plan(
                list(zip(functions, self.nonlinear_expressions, strict=True)),
                list(zip(helpers, equations, strict=True)),
            )
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from None

    @property
    def nonlinear_degree(self) -> int | None:
        """Largest number of factors in a product of the nonlinear part; None if it is no polynomial.

        A known function of space counts as a factor, as it may hold every wave of the grid. 1 for a linear
        problem with or without sources.
        """
        return self.nonlinear_plan.degree

    def linear_symbol(self, wavenumbers: tuple[Tensor, ...]) -> Tensor:
        r"""Fourier symbol of the linear part, for example :math:`-\nu |k|^2`.

        Args:
            wavenumbers: Angular wavenumbers, one tensor an axis, of shapes that broadcast to a spectrum.

        Returns:
            Shape (channels, *modes), or (channels, channels, *modes) if the outputs are coupled: one row an
            equation. Real if all linear terms are of even order, else complex.
        """
        shape = torch.broadcast_shapes(*(k.shape for k in wavenumbers))
        num_outputs = len(self.outputs)
        entries: list[list[list[LinearTerm]]] = [[[] for _ in range(num_outputs)] for _ in range(num_outputs)]
        for row, terms in zip(entries, self.linear_terms, strict=True):
            for column, term in terms:
                row[column].append(term)
        if self.is_coupled:
            wanted = [terms for row in entries for terms in row]
        else:
            wanted = [row[index] for index, row in enumerate(entries)]
        symbols = [sum_of_symbols(terms, wavenumbers).expand(shape) for terms in wanted]
        if any(symbol.is_complex() for symbol in symbols):
            symbols = [torch.complex(s, torch.zeros_like(s)) if not s.is_complex() else s for s in symbols]
        stacked = torch.stack(symbols)
        return stacked.unflatten(0, (num_outputs, num_outputs)) if self.is_coupled else stacked

    def nonlinear_operator(self, space: SpectralSpace) -> NonlinearOperator:
        """Everything but the linear part, prepared for many calls on one space.

        Args:
            space: The solver's grid and transforms.

        Returns:
            A function from the spectrum of the outputs (and the time) to the spectrum of the part.
        """
        return NonlinearOperator(
            self.nonlinear_plan, self.space_symbols, self.time_symbol, self.numbers, space
        )

    def auxiliary_values(self, solution: Field) -> dict[str, Tensor]:
        """Auxiliary unknowns on the solution's grid; see `Problem.auxiliary_values`."""
        if not self.auxiliary:
            return {}
        space = CollocationSpace(self.check_grid(solution.domain), solution.values)
        values = solution.values if solution.times is None else solution.values.flatten(0, 1)
        spectra = self.nonlinear_operator(space).auxiliary_spectra(space.to_spectrum(values))
        shape = (*solution.values.shape[: 1 if solution.times is None else 2], *solution.domain.shape)
        return {
            variable.name: space.to_grid(spectra[self.function(variable.name)]).reshape(shape)
            for variable in self.auxiliary
        }


def _derivative_variables(expression: sympy.Expr) -> set[sympy.Symbol]:
    return {symbol for node in expression.atoms(sympy.Derivative) for symbol in node.variables}
