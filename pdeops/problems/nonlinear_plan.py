"""What a pseudo-spectral code has to do at every call, worked out once from the equations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sympy
from sympy.core.function import AppliedUndef

from pdeops.problems.linear_terms import (
    LinearTerm,
    derivative_orders,
    distribute_derivatives,
    number,
    split_linear,
)


@dataclass(frozen=True)
class Monomial:
    """A number times unknowns and derivatives of unknowns, times known functions, times anything else.

    Args:
        coefficient: The number.
        nodes: Unknowns and derivatives of unknowns, repeated by their power.
        known: Product of the functions of space alone.
        others: Factors that are neither: functions of unknowns, of time, derivatives of products.
    """

    coefficient: float
    nodes: tuple[sympy.Expr, ...]
    known: sympy.Expr
    others: tuple[sympy.Expr, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from other monomials, but for the coefficient."""
        return (str(self.nodes), str(self.known), str(self.others))

    @property
    def degree(self) -> int | None:
        """Number of factors, each of which may hold every wave of the grid; None where it is no product."""
        if any(
            other.atoms(AppliedUndef) and not isinstance(other, sympy.Derivative) for other in self.others
        ):
            return None
        return len(self.nodes) + len(self.others) + (not self.known.is_number)


Product = tuple[Monomial, ...]
"""A sum that is formed on the grid and transformed once; the first coefficient is 1."""


@dataclass(frozen=True)
class EquationPlan:
    """Right-hand side of one output, or the source of one auxiliary unknown.

    Args:
        function: The unknown.
        own_terms: Terms in the unknown itself (auxiliary unknowns only).
        linear: Terms with constant coefficients in other unknowns: (function, term); added wave by wave.
        products: Sums formed on the grid: (number of the product, scale and derivative of it).
        source: Known function of space.
    """

    function: sympy.Expr
    own_terms: tuple[LinearTerm, ...]
    linear: tuple[tuple[sympy.Expr, LinearTerm], ...]
    products: tuple[tuple[int, LinearTerm], ...]
    source: sympy.Expr


@dataclass(frozen=True)
class NonlinearPlan:
    """The plan of all equations.

    Args:
        outputs: One an output.
        auxiliary: One an auxiliary unknown; each needs outputs and earlier ones only.
        products: What is formed on the grid, each once however often it is used.
    """

    outputs: tuple[EquationPlan, ...]
    auxiliary: tuple[EquationPlan, ...]
    products: tuple[Product, ...]

    @property
    def nodes(self) -> tuple[sympy.Expr, ...]:
        """Everything that is needed on the grid, without repetition."""
        return tuple(dict.fromkeys(node for product in self.products for node in product_nodes(product)))

    @property
    def num_transforms(self) -> int:
        """Real transforms a call, to the grid and back, without those of products inside products."""
        return len(self.nodes) + len(self.products)

    @property
    def degree(self) -> int | None:
        """Largest number of factors in a product, None where there is one that is no polynomial."""
        degrees = [monomial.degree for product in self.products for monomial in product]
        known = [degree for degree in degrees if degree is not None]
        return None if len(known) < len(degrees) else max(known, default=1)


def product_nodes(product: Product) -> list[sympy.Expr]:
    """Unknowns and derivatives of unknowns in a product, those inside its other factors too."""
    nodes: list[sympy.Expr] = []
    for monomial in product:
        nodes += monomial.nodes
        for other in monomial.others:
            walk = sympy.preorder_traversal(other)
            for node in walk:
                if is_node(node):
                    nodes.append(node)
                    walk.skip()  # the function inside a derivative is not needed by itself
    return list(dict.fromkeys(nodes))


def is_node(expression: sympy.Basic) -> bool:
    """Whether it is an unknown or a derivative of one."""
    if isinstance(expression, sympy.Derivative):
        return isinstance(expression.expr, AppliedUndef)
    return isinstance(expression, AppliedUndef)


class NonlinearPlanner:
    """Makes the plan.

    Args:
        coordinates: Coordinates in space.
        numbers: Values of the parameters.
    """

    def __init__(self, coordinates: Sequence[sympy.Symbol], numbers: Mapping[str, float]) -> None:
        self.coordinates = tuple(coordinates)
        self.numbers = numbers

    def plan(
        self,
        outputs: Sequence[tuple[sympy.Expr, sympy.Expr]],
        auxiliary: Sequence[tuple[sympy.Expr, sympy.Expr]],
    ) -> NonlinearPlan:
        """Plan that needs the fewest transforms.

        Args:
            outputs: (function, right-hand side without the linear part), one an output.
            auxiliary: (function, left minus right side of its equation), one an auxiliary unknown.

        Returns:
            The plan: as the equations are written, or with u du/dx as the derivative of half the square
            where that saves transforms. Both are the same for products without aliasing.

        Raises:
            ValueError: An auxiliary equation is not linear with constant coefficients in its unknown.
        """
        written, squared = (self._plan(outputs, auxiliary, flag) for flag in (False, True))
        return squared if squared.num_transforms < written.num_transforms else written

    def _plan(
        self,
        outputs: Sequence[tuple[sympy.Expr, sympy.Expr]],
        auxiliary: Sequence[tuple[sympy.Expr, sympy.Expr]],
        as_squares: bool,
    ) -> NonlinearPlan:
        products: dict[tuple[tuple[float, tuple[str, ...]], ...], tuple[int, Product]] = {}
        of_space = [function for function, _ in outputs]
        helpers = []
        for function, expression in auxiliary:
            terms, rest = split_linear(expression, function, self.coordinates, self.numbers)
            if not terms or function in rest.atoms(AppliedUndef):
                raise ValueError(
                    f"expected an equation with constant coefficients for {function}, got {expression} = 0"
                )
            helpers.append(self._equation(function, terms, rest, of_space, products, as_squares))
            of_space.append(function)
        unknown = of_space[len(outputs) :]
        sides = [self._equation(f, (), rest, unknown, products, as_squares) for f, rest in outputs]
        return NonlinearPlan(tuple(sides), tuple(helpers), tuple(item for _, item in products.values()))

    def _equation(
        self,
        function: sympy.Expr,
        own_terms: tuple[LinearTerm, ...],
        expression: sympy.Expr,
        linear_in: Sequence[sympy.Expr],
        products: dict[tuple[tuple[float, tuple[str, ...]], ...], tuple[int, Product]],
        as_squares: bool,
    ) -> EquationPlan:
        rest = distribute_derivatives(expression, self.coordinates)
        linear = []
        for other in linear_in:
            terms, rest = split_linear(rest, other, self.coordinates, self.numbers)
            linear += [(other, term) for term in terms]
        source = sympy.Integer(0)
        sums: dict[tuple[int, ...], dict[tuple[str, ...], Monomial]] = {}
        for term in sympy.Add.make_args(rest):
            monomial, orders = self._flux(term)
            if as_squares:
                monomial, orders = self._as_square(monomial, orders)
            if monomial.nodes or monomial.others:
                same = sums.setdefault(orders, {})
                known = same.get(monomial.key, replace(monomial, coefficient=0.0)).coefficient
                same[monomial.key] = replace(monomial, coefficient=known + monomial.coefficient)
            else:
                source += term
        used = []
        for orders, monomials in sums.items():
            ordered = [monomials[key] for key in sorted(monomials) if monomials[key].coefficient]
            if not ordered:
                continue
            scale = ordered[0].coefficient
            product = tuple(replace(m, coefficient=m.coefficient / scale) for m in ordered)
            key = tuple((monomial.coefficient, monomial.key) for monomial in product)
            index, _ = products.setdefault(key, (len(products), product))
            used.append((index, LinearTerm(scale, orders)))
        return EquationPlan(function, own_terms, tuple(linear), tuple(used), source)

    def _flux(self, term: sympy.Expr) -> tuple[Monomial, tuple[int, ...]]:
        """A term as the derivative of a monomial, of order zero where it is none."""
        factors = sympy.Mul.make_args(term)
        fluxes = [f for f in factors if isinstance(f, sympy.Derivative) and not is_node(f)]
        if len(fluxes) == 1:
            (flux,) = fluxes
            outside = self._monomial(term / flux)
            counts = dict(flux.variable_count)
            if (
                not outside.nodes
                and not outside.others
                and outside.known == 1
                and {*counts} <= {*self.coordinates}
            ):
                inside = self._monomial(flux.expr)
                inside = replace(inside, coefficient=inside.coefficient * outside.coefficient)
                return inside, tuple(int(counts.get(symbol, 0)) for symbol in self.coordinates)
        return self._monomial(term), (0,) * len(self.coordinates)

    def _monomial(self, term: sympy.Expr) -> Monomial:
        coefficient, nodes, known, others = 1.0, [], sympy.Integer(1), []
        for factor in sympy.Mul.make_args(term):
            base, exponent = factor.as_base_exp()
            names = {symbol.name for symbol in factor.free_symbols}
            if derivative_orders(base, self.coordinates) is not None and exponent.is_Integer and exponent > 0:
                nodes += [base] * int(exponent)
            elif factor.atoms(AppliedUndef):
                others.append(factor)
            elif names <= set(self.numbers):
                coefficient *= number(factor, self.numbers)
            elif names <= {*self.numbers, *(symbol.name for symbol in self.coordinates)}:
                known *= factor
            else:
                others.append(factor)
        return Monomial(coefficient, tuple(nodes), known, tuple(others))

    def _as_square(self, monomial: Monomial, orders: tuple[int, ...]) -> tuple[Monomial, tuple[int, ...]]:
        """Write c u^p du/dx as the derivative of c / (p + 1) u^(p + 1)."""
        slopes = [node for node in monomial.nodes if isinstance(node, sympy.Derivative)]
        if len(slopes) != 1 or monomial.known != 1 or monomial.others or any(orders):
            return monomial, orders
        (slope,) = slopes
        taken = derivative_orders(slope, self.coordinates)
        nodes = tuple(slope.expr if node is slope else node for node in monomial.nodes)
        if taken is None or sum(taken) != 1 or len(nodes) < 2 or len(set(nodes)) != 1:
            return monomial, orders
        return replace(monomial, coefficient=monomial.coefficient / len(nodes), nodes=nodes), taken
