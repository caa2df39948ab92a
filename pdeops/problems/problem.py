"""What a problem is: an equation, its parameters, its inputs, and where it lives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import sympy
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems.boundary_condition import (
    DEFAULT,
    BoundaryCondition,
    BoundaryConditions,
    Dirichlet,
    Neumann,
)
from pdeops.problems.domain_fit import why_unfit
from pdeops.problems.expression import Value, evaluate
from pdeops.problems.latex_printer import EquationPrinter
from pdeops.problems.parameter import NumberParameter
from pdeops.problems.parameterised import SPACE, Parameterised
from pdeops.problems.residual import TIME, equation_residuals, grid_rule
from pdeops.problems.variable import Variable

if TYPE_CHECKING:
    from pdeops.problems.exact_solution import ExactSolution


@dataclass(frozen=True, kw_only=True)
class Problem(Parameterised, ABC):
    """A partial differential equation, stated once for every method.

    A subclass is a frozen dataclass with keyword-only fields: physical numbers made by `parameter`, known
    functions made by `formula`, and samplers. It states its equations in SymPy; residuals, spectral solvers
    and LaTeX are derived from them.

    Attributes:
        name: Name in configurations, paths and files.
        steady: Whether there is no time.
        inputs: Fields that the solution depends on, in order; in time, first the initial values of the
            outputs (but see `initial_inputs`).
        outputs: Fields that are solved for, in order.
        auxiliary: Unknowns of the equations that follow from the outputs (a stream function).
        axis_kinds: Kinds of axes that the boundary conditions allow.
        allows_meshes: Whether it can be posed on a `Mesh` too.
        box_is_fixed: Whether only the box of `default_domain` will do, for example because forcing is
            periodic on that box only.
    """

    name: ClassVar[str]
    steady: ClassVar[bool]
    inputs: ClassVar[tuple[Variable, ...]]
    outputs: ClassVar[tuple[Variable, ...]]
    auxiliary: ClassVar[tuple[Variable, ...]] = ()
    axis_kinds: ClassVar[tuple[AxisKind, ...]]
    allows_meshes: ClassVar[bool] = False
    box_is_fixed: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check parameters, formulas and boundary conditions."""
        if self.boundary is not None and not isinstance(self.boundary, BoundaryConditions):
            # As written by hand or read from a configuration.
            object.__setattr__(self, "boundary", BoundaryConditions(self.boundary))
        super().__post_init__()
        for name, condition in (self.boundary or {}).items():
            for text in vars(condition).values():
                try:
                    self.parse(text)
                except (TypeError, ValueError) as error:
                    raise type(error)(f"boundary condition on {name!r}: {error}") from None

    # The equation and its symbols.

    @property
    @abstractmethod
    def equations(self) -> tuple[sympy.Eq, ...]:
        """The equations, one for each output and auxiliary unknown, in that order."""

    @property
    def boundary(self) -> Mapping[str, BoundaryCondition] | None:
        """Conditions by boundary part: a field of the problems that have a boundary, None for the others."""
        return None

    def conditions_on(self, domain: Domain) -> dict[str, BoundaryCondition]:
        """The condition of every part of a domain's boundary, in the order of its names.

        Args:
            domain: Grid or mesh.

        Returns:
            Conditions by part; none on a torus.

        Raises:
            ValueError: See `BoundaryConditions.on`.
        """
        return BoundaryConditions(self.boundary).on(domain) if self.boundary is not None else {}

    @property
    def conormal_coefficient(self) -> sympy.Expr:
        """The factor a of the normal derivative in Neumann and Robin conditions."""
        return sympy.Integer(1)

    @property
    def normal_symbols(self) -> tuple[sympy.Symbol, ...]:
        """Components of the outward unit normal in `boundary_conditions`: ``normal_x`` and so on."""
        return tuple(sympy.Symbol(f"normal_{x.name}", real=True) for x in self.space_symbols)

    @property
    def boundary_conditions(self) -> Mapping[str, sympy.Eq]:
        """Conditions by boundary part or ``"default"``, for the first output; empty on a torus."""
        u = self.function(self.outputs[0].name)
        slope = sum(
            n * sympy.Derivative(u, x) for n, x in zip(self.normal_symbols, self.space_symbols, strict=True)
        )
        result = {}
        for name, condition in (self.boundary or {}).items():
            if isinstance(condition, Dirichlet):
                sides = (u, self.parse(condition.value))
            elif isinstance(condition, Neumann):
                sides = (self.conormal_coefficient * slope, self.parse(condition.flux))
            else:
                alpha = self.parse(condition.coefficient)
                sides = (self.conormal_coefficient * slope + alpha * u, self.parse(condition.value))
            result[name] = sympy.Eq(*sides, evaluate=False)
        return result

    @property
    def initial_inputs(self) -> tuple[str, ...]:
        """Names of the inputs that are the state at time zero, in the order of the outputs.

        The first inputs; none for a steady problem, and none where the state is always zero at first: then
        all inputs are known functions of space.
        """
        return () if self.steady else tuple(start.name for start in self.inputs[: len(self.outputs)])

    @property
    def initial_conditions(self) -> tuple[sympy.Eq, ...]:
        """Each output at time zero equals its initial input, or zero; empty for a steady problem."""
        if self.steady:
            return ()
        starts: Sequence[sympy.Expr] = [self.function(name) for name in self.initial_inputs]
        pairs = zip(self.outputs, starts or [sympy.Integer(0)] * len(self.outputs), strict=True)
        return tuple(
            sympy.Eq(self.function(output.name).subs(self.time_symbol, 0), start) for output, start in pairs
        )

    def function(self, name: str) -> sympy.Expr:
        """Function of an input (of space), or of an output or auxiliary unknown (of space and time)."""
        static = self.steady or name in [variable.name for variable in self.inputs]
        coordinates = self.space_symbols if static else (*self.space_symbols, self.time_symbol)
        return sympy.Function(name, real=True)(*coordinates)

    def latex(self) -> str:
        """LaTeX of the equations, of the initial and of the boundary conditions, one a line."""
        names = {
            self.symbol(name): item.symbol
            for name, item in self._declarations().items()
            if isinstance(item, NumberParameter)
        }
        names |= {n: f"n_{{{x.name}}}" for n, x in zip(self.normal_symbols, self.space_symbols, strict=True)}
        symbols = {variable.name: variable.symbol for variable in self.inputs + self.outputs + self.auxiliary}

        printer = EquationPrinter(symbols, names)
        lines = [printer.doprint(equation) for equation in (*self.equations, *self.initial_conditions)]
        for part, equation in self.boundary_conditions.items():
            rest = "rest of the boundary" if len(self.boundary_conditions) > 1 else "boundary"
            place = f"the {rest}" if part == DEFAULT else part.replace("_", " ")
            lines.append(printer.doprint(equation) + rf" \quad\text{{on {place}}}")
        return " \\\\\n".join(lines)

    # Where it lives.

    @classmethod
    @abstractmethod
    def default_domain(cls, shape: tuple[int, ...]) -> Domain:
        """Grid of the problem's box with these numbers of points, or mesh of its domain."""

    def check_domain(self, domain: Domain) -> Domain:
        """Check that the problem can be posed on a domain.

        Args:
            domain: The domain.

        Returns:
            The same domain.

        Raises:
            ValueError: Its dimension, names, kinds of axes or box do not fit, it is a mesh where a grid is
                needed, or a part of its boundary has no condition.
        """
        reason = why_unfit(self, domain)
        if reason is not None:
            raise ValueError(reason)
        self.conditions_on(domain)
        return domain

    def image(self, inputs: Mapping[str, Field], sample: int = 0) -> Domain:
        """Where a sample lies in space: pictures and VTK files show it there.

        Args:
            inputs: Fields by name.
            sample: Number of the sample.

        Returns:
            The domain of the inputs. Where the input is a shape, a mesh of that shape, whose points stand in
            the order of the domain's.
        """
        return next(iter(inputs.values())).domain

    def check_grid(self, domain: Domain) -> Grid:
        """Check that the problem can be posed on a domain that is a grid; see `check_domain`."""
        if not isinstance(domain, Grid):
            raise ValueError(f"{self.name}: expected a grid, got a {type(domain).__name__}")
        self.check_domain(domain)
        return domain

    def check_inputs(self, inputs: Mapping[str, Field]) -> None:
        """Check that every input is there, with its channel.

        Args:
            inputs: Fields by name.

        Raises:
            ValueError: An input is missing, there is one too many, or a channel has another name.
        """
        names = [variable.name for variable in self.inputs]
        if sorted(inputs) != sorted(names):
            raise ValueError(f"{self.name}: expected the inputs {names}, got {sorted(inputs)}")
        for name, field in inputs.items():
            if not isinstance(field, Field):
                raise TypeError(
                    f"{self.name}: expected input {name!r} as a Field, got a {type(field).__name__}; try "
                    f"Field(values, domain, ({name!r},))"
                )
            if field.channels != (name,):
                raise ValueError(
                    f"{self.name}: expected input {name!r} with channel {name!r}, got {field.channels}"
                )

    # Data.

    @abstractmethod
    def sample_inputs(self, domain: Domain, seeds: Sequence[int]) -> dict[str, Field]:
        """Draw inputs.

        Args:
            domain: Where they are wanted.
            seeds: One seed a sample; sample ``i`` depends on ``seeds[i]`` only, and is the same function on
                every grid that can hold it.

        Returns:
            Fields by name, float64, on the CPU.
        """

    def exact_solutions(self) -> Mapping[str, ExactSolution]:
        """Exact solutions by name; each says which instance of the problem it solves."""
        return {}

    # Evaluation.

    def values(
        self, expression: sympy.Expr, domain: Domain, times: Float[Tensor, " time"] | None = None
    ) -> Float64[Tensor, "..."]:
        """Values of an expression in coordinates and parameters on a domain.

        Args:
            expression: For example ``problem.formula("forcing")``.
            domain: Grid or mesh.
            times: Times, if the expression depends on time or frames are wanted.

        Returns:
            Shape (*domain.shape), or (time, *domain.shape) with times; float64, on the CPU.
        """
        coordinates: dict[str, Value] = {**self.coordinates(domain)}
        shape = tuple(domain.shape)
        if times is not None:
            coordinates[TIME] = times.detach().cpu().double().reshape(-1, *(1,) * len(shape))
            shape = (len(times), *shape)
        return evaluate(expression, {**coordinates, **self.numbers}).expand(shape).clone()

    def values_at(
        self, expression: sympy.Expr, points: Float[Tensor, "points dimension"]
    ) -> Float64[Tensor, " points"]:
        """Values of an expression in coordinates and parameters at points, of a boundary for example.

        Args:
            expression: For example ``problem.parse("sin(pi*x)")``.
            points: Coordinates.

        Returns:
            One value a point, float64, on the CPU.
        """
        columns = dict(zip(SPACE, points.detach().cpu().double().unbind(-1), strict=False))
        return evaluate(expression, {**columns, **self.numbers}).expand(len(points)).clone()

    def boundary_values(
        self, part: str, text: str, points: Float[Tensor, "points dimension"]
    ) -> Float64[Tensor, " points"]:
        """Values of a formula of a boundary condition.

        Args:
            part: Name of the boundary part, for the message.
            text: The formula.
            points: Points of the part.

        Returns:
            One value a point, float64, on the CPU.

        Raises:
            ValueError: A value is not finite.
        """
        values = self.values_at(self.parse(text), points)
        if not bool(torch.isfinite(values).all()):
            raise ValueError(
                f"boundary condition on {part!r}: expected finite values, got NaN or infinity from {text!r}"
            )
        return values

    def coordinates(self, domain: Domain) -> dict[str, Tensor]:
        """Coordinates of a domain's points by name, each of the domain's shape, float64, on the CPU."""
        if isinstance(domain, Grid):
            return {axis.name: points for axis, points in zip(domain.axes, domain.coordinates, strict=True)}
        return dict(zip(SPACE, domain.points.unbind(-1), strict=False))

    def auxiliary_values(self, solution: Field) -> dict[str, Tensor]:
        """Auxiliary unknowns computed from a solution, shape of one channel of it; none by default."""
        return {}

    def residual(
        self, solution: Field, inputs: Mapping[str, Field], *, time_derivative: Field | None = None
    ) -> Field:
        """Put a solution into the equations.

        Derivatives in space are those of `pdeops.domains.derivative`; the derivative in time is a finite
        difference of up to seven frames, unless it is given.

        Args:
            solution: The outputs, on a grid, with times if the problem is not steady.
            inputs: The inputs by name, on the same grid.
            time_derivative: First time derivative of the outputs where it is known exactly.

        Returns:
            Left minus right side: one channel an equation, named after its unknown.

        Raises:
            ValueError: Domain, channels, inputs or times do not fit.

        Failure mode: Coefficients that jump have no pointwise residual; frames that are far apart leave the
            error of the time difference, largest at the first and the last frames.
        """
        grid = self.check_grid(solution.domain)
        self.check_inputs(inputs)
        names = tuple(variable.name for variable in self.outputs)
        if solution.channels != names:
            raise ValueError(
                f"{self.name}: expected a solution with channels {names}, got {solution.channels}"
            )
        if self.steady != (solution.times is None):
            raise ValueError(f"{self.name}: expected a solution {'without' if self.steady else 'with'} times")
        for name, field in inputs.items():
            if field.domain != solution.domain:
                raise ValueError(
                    f"{self.name}: expected input {name!r} on the solution's domain; try Field.resample"
                )
        device = solution.values.device
        dim = 1 if solution.times is None else 2
        values: dict[str, Value] = {k: v.to(solution.values) for k, v in self.coordinates(grid).items()}
        values |= self.numbers
        if solution.times is not None:
            values[TIME] = solution.times.to(device).reshape(-1, *(1,) * self.dimension)
        for name, field in inputs.items():
            values[name] = field.values.to(device)  # (batch, 1, *shape): the channel stands for time
            if solution.times is None:
                values[name] = field.values.select(1, 0).to(device)
        values |= dict(zip(names, solution.values.unbind(dim), strict=True))
        values |= self.auxiliary_values(solution)
        known = {}
        if time_derivative is not None:
            known = {
                sympy.Derivative(self.function(name), self.time_symbol): slope
                for name, slope in zip(names, time_derivative.values.unbind(dim), strict=True)
            }
        results = equation_residuals(self.equations, values, grid_rule(grid, solution.times), known)
        shape = solution.values.select(dim, 0).shape
        channels = tuple(variable.name for variable in self.outputs + self.auxiliary)
        stacked = torch.stack([result.to(solution.values).expand(shape) for result in results], dim=dim)
        return Field(stacked, solution.domain, channels, times=solution.times)
