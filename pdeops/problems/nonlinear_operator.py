"""The nonlinear part of an evolution equation in Fourier space, prepared for many calls."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Protocol, runtime_checkable

import sympy
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdeops.problems.expression import DerivativeRule, Value, evaluate
from pdeops.problems.linear_terms import LinearTerm, derivative_orders, sum_of_symbols
from pdeops.problems.nonlinear_plan import EquationPlan, NonlinearPlan, Product, product_nodes

LARGE = 4096
"""Coefficients of a field above which a processor transforms one at a time, so that it stays in the cache;
below, calls cost more than arithmetic."""


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


class NonlinearOperator:
    """Everything but the linear part: spectrum of the outputs in, spectrum of its rate out.

    Symbols of derivatives, known factors and spectra of known sources are computed here once. A call makes
    one batched transform to the grid and one back; one more pair for every auxiliary unknown that has a
    nonlinear source and is needed on the grid itself (a pressure whose gradient is added is not).

    Args:
        plan: What to compute.
        coordinates: Coordinates in space.
        time_symbol: Time, for sources that depend on it.
        numbers: Values of the parameters.
        space: The solver's grid and transforms.
    """

    def __init__(
        self,
        plan: NonlinearPlan,
        coordinates: tuple[sympy.Symbol, ...],
        time_symbol: sympy.Symbol,
        numbers: Mapping[str, float],
        space: SpectralSpace,
    ) -> None:
        self.plan = plan
        self.space = space
        self._names = [symbol.name for symbol in coordinates]
        self._coordinates = coordinates
        self._time_name = time_symbol.name
        self._known: dict[str, Value] = dict(zip(self._names, space.points, strict=True)) | dict(numbers)
        self._symbols: dict[LinearTerm, Tensor] = {}
        self._factors: dict[sympy.Expr, Tensor] = {}
        for product in plan.products:
            for monomial in product:
                if monomial.known != 1:
                    self._factors[monomial.known] = self._values(monomial.known, {})
        self._sources = {
            equation.function: self._spectrum(self._values(equation.source, {}))
            for equation in (*plan.outputs, *plan.auxiliary)
            if equation.source != 0
        }
        self._inverses = {equation.function: self._inverse(equation) for equation in plan.auxiliary}
        self._stages = _stages(plan)

    def __call__(
        self, spectrum: Complex[Tensor, "batch channels *modes"], time: Tensor | float = 0.0
    ) -> Complex[Tensor, "batch channels *modes"]:
        """The nonlinear part.

        Args:
            spectrum: Fourier coefficients of the outputs, within the space's de-aliased waves.
            time: Time, a number or one a sample of shape (batch, 1, ..., 1), for terms that depend on it.

        Returns:
            Fourier coefficients of the part, same shape.
        """
        spectra, products = self._evaluated(spectrum, time)
        rates = [self._sum(equation, spectra, products, spectrum[:, 0]) for equation in self.plan.outputs]
        return rates[0][:, None] if len(rates) == 1 else torch.stack(rates, dim=1)

    def auxiliary_spectra(
        self, spectrum: Complex[Tensor, "batch channels *modes"], time: Tensor | float = 0.0
    ) -> dict[sympy.Expr, Complex[Tensor, "batch *modes"]]:
        """Fourier coefficients of the auxiliary unknowns by their function."""
        spectra, _ = self._evaluated(spectrum, time)
        return {equation.function: spectra[equation.function] for equation in self.plan.auxiliary}

    def _evaluated(
        self, spectrum: Tensor, time: Tensor | float
    ) -> tuple[dict[sympy.Expr, Tensor], dict[int, Tensor]]:
        """Spectra of all unknowns, and of all products."""
        functions = [equation.function for equation in self.plan.outputs]
        spectra = dict(zip(functions, spectrum.unbind(1), strict=True))
        on_grid: dict[sympy.Expr, Tensor] = {}
        products: dict[int, Tensor] = {}
        one_by_one = not spectrum.is_cuda and spectrum[:, 0].numel() > LARGE
        for nodes, indices, equations in self._stages:
            if one_by_one:
                for node in nodes:
                    on_grid[node] = self.space.to_grid(self._node(node, spectra))
                for i in indices:
                    values = self._product(self.plan.products[i], on_grid, time, len(spectrum))
                    products[i] = self.space.to_spectrum(values)
            else:
                if nodes:
                    needed = torch.stack([self._node(node, spectra) for node in nodes])
                    on_grid |= dict(zip(nodes, self.space.to_grid(needed).unbind(0), strict=True))
                if indices:
                    formed = [
                        self._product(self.plan.products[i], on_grid, time, len(spectrum)) for i in indices
                    ]
                    transformed = self.space.to_spectrum(torch.stack(formed)).unbind(0)
                    products |= dict(zip(indices, transformed, strict=True))
            for equation in equations:
                source = self._sum(equation, spectra, products, spectrum[:, 0])
                spectra[equation.function] = self._inverses[equation.function] * source
        return spectra, products

    def _sum(
        self,
        equation: EquationPlan,
        spectra: Mapping[sympy.Expr, Tensor],
        products: Mapping[int, Tensor],
        like: Tensor,
    ) -> Tensor:
        """Products, linear terms and source of one equation, wave by wave."""
        total = None
        for index, term in equation.products:
            total = _add(total, products[index], term, self._symbol(term))
        for function, term in equation.linear:
            total = _add(total, spectra[function], term, self._symbol(term))
        if equation.function in self._sources:
            source = self._sources[equation.function]
            return source.expand_as(like) if total is None else total + source
        return torch.zeros_like(like) if total is None else total

    def _node(self, node: sympy.Expr, spectra: Mapping[sympy.Expr, Tensor]) -> Tensor:
        """Spectrum of an unknown or of a derivative of one."""
        function = node.expr if isinstance(node, sympy.Derivative) else node
        if function not in spectra:
            raise ValueError(f"{node}: expected functions among the outputs and auxiliary unknowns")
        orders = derivative_orders(node, self._coordinates)
        if orders is None:
            raise ValueError(f"{node}: expected derivatives in space only")
        return self._symbol(LinearTerm(1.0, orders)) * spectra[function] if any(orders) else spectra[function]

    def _product(
        self, product: Product, on_grid: Mapping[sympy.Expr, Tensor], time: Tensor | float, batch: int
    ) -> Tensor:
        """A sum of monomials on the grid, in one pass over the points for each of degree two."""
        total: Tensor | None = None
        for monomial in product:
            factors = [on_grid[node] for node in monomial.nodes]
            if monomial.known != 1:
                factors.append(self._factors[monomial.known])
            factors += [self._values(other, on_grid, time) for other in monomial.others]
            shape = torch.broadcast_shapes((batch, *self.space.points[0].shape), *(f.shape for f in factors))
            if total is None:  # the first coefficient is 1
                total = reduce(torch.mul, factors)
                total = total.expand(shape).clone() if total.shape != shape or len(factors) == 1 else total
            elif len(factors) == 1:
                total.add_(factors[0], alpha=monomial.coefficient)
            else:
                first = reduce(torch.mul, factors[:-1])
                total.addcmul_(first, factors[-1], value=monomial.coefficient)
        if total is None:
            raise ValueError("expected a product with one monomial or more")
        return total

    def _values(
        self, expression: sympy.Expr, on_grid: Mapping[sympy.Expr, Tensor], time: Tensor | float = 0.0
    ) -> Tensor:
        values = self._known | {self._time_name: time}
        return evaluate(expression, values, self._rule, on_grid).to(self.space.points[0])

    def _spectrum(self, values: Tensor) -> Tensor:
        return self.space.to_spectrum(values.expand(self.space.points[0].shape))

    def _symbol(self, term: LinearTerm) -> Tensor:
        if term not in self._symbols:
            self._symbols[term] = term.symbol(self.space.wavenumbers)
        return self._symbols[term]

    def _inverse(self, equation: EquationPlan) -> Tensor:
        """One over minus the symbol of an auxiliary unknown's own terms; zero where it leaves a wave open."""
        symbol = sum_of_symbols(equation.own_terms, self.space.wavenumbers)
        is_open = symbol == 0
        return torch.where(is_open, 0, -1 / torch.where(is_open, torch.ones_like(symbol), symbol))

    @property
    def _rule(self) -> DerivativeRule:
        """Derivative of a product inside a product: to the spectrum, which removes its aliases, and back."""
        shape = self.space.points[0].shape

        def rule(values: Tensor, coordinate: str, order: int) -> Tensor:
            factor = (1j * self.space.wavenumbers[self._names.index(coordinate)]) ** order
            values = values.expand(torch.broadcast_shapes(values.shape, shape))
            return self.space.to_grid(factor * self.space.to_spectrum(values))

        return rule


def _add(total: Tensor | None, spectrum: Tensor, term: LinearTerm, symbol: Tensor) -> Tensor:
    """Total plus the term of a spectrum; the total is new memory, or None for zero."""
    if any(term.orders):
        return symbol * spectrum if total is None else total + symbol * spectrum
    if total is None:
        return spectrum if term.coefficient == 1 else term.coefficient * spectrum
    return torch.add(total, spectrum, alpha=term.coefficient)


def _stages(
    plan: NonlinearPlan,
) -> list[tuple[list[sympy.Expr], list[int], list[EquationPlan]]]:
    """Nodes to transform, products to form and auxiliary unknowns to solve for, in the order of need."""
    ready = {equation.function for equation in plan.outputs}
    open_products, open_equations = dict(enumerate(plan.products)), list(plan.auxiliary)
    seen: set[sympy.Expr] = set()
    stages: list[tuple[list[sympy.Expr], list[int], list[EquationPlan]]] = []
    formed: set[int] = set()
    functions = {equation.function for equation in (*plan.outputs, *plan.auxiliary)}

    def solvable() -> list[EquationPlan]:
        solved = []
        for equation in list(open_equations):
            needs = {function for function, _ in equation.linear}
            if needs <= ready and {index for index, _ in equation.products} <= formed:
                solved.append(equation)
                ready.add(equation.function)
                open_equations.remove(equation)
        return solved

    stages.append(([], [], solvable()))
    while open_products or open_equations:
        # Functions that are no unknowns are reported where they are looked for.
        indices = [
            index
            for index, product in open_products.items()
            if {node.expr if isinstance(node, sympy.Derivative) else node for node in product_nodes(product)}
            & functions
            <= ready
        ]
        nodes = dict.fromkeys(node for index in indices for node in product_nodes(open_products[index]))
        new = [node for node in nodes if node not in seen]
        seen |= set(new)
        formed |= set(indices)
        for index in indices:
            del open_products[index]
        solved = solvable()
        if not indices and not solved:
            raise ValueError("auxiliary unknowns: expected each to need outputs and earlier ones only")
        stages.append((new, indices, solved))
    return stages
