"""Direct solution of Poisson's equation on boxes by fast transforms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import ClassVar, Literal, cast

import sympy
import torch
from jaxtyping import Float64
from sympy.core.function import AppliedUndef
from torch import Tensor

from pdeops.domains import AxisKind, Domain, Field, Grid
from pdeops.problems import Dirichlet, EllipticProblem, Problem, Robin, evaluate
from solvers.elliptic.compatibility import check_compatibility, rounding_of
from solvers.elliptic.face_data import FaceData, faces_of
from solvers.elliptic.fast_poisson_inverse import FastPoissonInverse
from solvers.elliptic.fast_poisson_transform import AxisTransform, End
from solvers.solver import Solution, Solver, SolveReport, SolveStatus


@dataclass(frozen=True, kw_only=True)
class FastPoissonSolver(Solver):
    r"""Solves :math:`-a \Delta u + r u = f` with constant a > 0 and r >= 0 on a box, directly.

    Every axis is periodic or has given values or fluxes at each end, in any mix, on nodes or cells, in one to
    three dimensions. Sine, cosine and Fourier transforms (`AxisTransform`) diagonalise the operator of second
    differences, so the scheme is solved to rounding; data on the boundary may vary along it and goes to the
    right side. Where u is defined up to a constant, it has mean zero.

    The transforms are SciPy's, on as many threads as torch has; values on a GPU are copied to the CPU and
    back.

    Args:
        symbol: ``"differences"``: the usual scheme of second order. ``"fourier"``: exact derivatives of the
            trigonometric interpolant, for boxes whose axes are all periodic; its order is infinite.
        constant_inputs: Accept problems whose a or r is an input (Darcy's permeability), and check that the
            input given is constant. By default these are left to the solvers for variable coefficients.

    Raises:
        ValueError: A setting is unknown.

    Cost: :math:`O(n \log n)`, a forward and a backward transform: milliseconds for 511 x 511 points. Lengths
        whose number of intervals has small prime factors are fastest.

    Good values: The default; ``symbol="fourier"`` for smooth sources on periodic boxes.

    Failure mode: Where only fluxes are given and the source does not balance them, there is no solution: the
        error says by how much. With a jumping source or corner singularities the order drops.

    References:
        | R. W. Hockney, 1965, A fast direct solution of Poisson's equation using Fourier analysis,
        | doi:10.1145/321250.321259
        | P. N. Swarztrauber, 1977, The methods of cyclic reduction, Fourier analysis and the FACR algorithm
        | for the discrete solution of Poisson's equation on a rectangle, doi:10.1137/1019071
    """

    time_order: ClassVar[float | None] = None
    space_order: ClassVar[float | None] = 2

    symbol: Literal["differences", "fourier"] = "differences"
    constant_inputs: bool = False

    def __post_init__(self) -> None:
        """Check the settings, and declare the order of the symbol."""
        if self.symbol not in ("differences", "fourier"):
            raise ValueError(f"symbol: expected 'differences' or 'fourier', got {self.symbol!r}")
        if self.symbol == "fourier":
            object.__setattr__(self, "space_order", math.inf)

    def unsuited(self, problem: Problem, domain: Domain) -> str | None:
        """Whether the coefficients are constant and the box can be transformed; see `Solver.unsuited`."""
        if not isinstance(problem, EllipticProblem):
            return "expected an elliptic problem -div(a grad u) + r u = f"
        if not problem.is_linear:
            return "expected a reaction that is linear in u"
        if not isinstance(domain, Grid):
            return f"expected a grid, got a {type(domain).__name__}"
        for axis in domain.axes:
            if axis.kind is AxisKind.CHEBYSHEV:
                return f"expected uniform points, got 'chebyshev' for {axis.name!r}"
            if self.symbol == "fourier" and not axis.is_periodic:
                return (
                    f"expected periodic axes for symbol='fourier', got {str(axis.kind)!r} for {axis.name!r}"
                )
        if domain.dimension > 3:
            return f"expected one to three dimensions, got {domain.dimension}"
        for name, condition in problem.conditions_on(domain).items():
            if isinstance(condition, Robin):
                return f"expected given values or fluxes, got a Robin condition on {name!r}"
        try:
            _transforms(problem, domain)
        except ValueError as error:
            return str(error)
        for name, coefficient in (("a", problem.diffusion), ("r", problem.reaction_slope)):
            if coefficient.free_symbols & set(problem.space_symbols) and not coefficient.atoms(AppliedUndef):
                return f"expected a constant {name}, got {coefficient}"
            if coefficient.atoms(AppliedUndef):
                if not self.constant_inputs:
                    return f"expected a constant {name}, got the input {coefficient}"
            elif name == "r" and evaluate(coefficient, problem.numbers).item() < 0:
                return f"expected a reaction r >= 0, got {evaluate(coefficient, problem.numbers).item():g}"
        return None

    def solve(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None = None
    ) -> Solution:
        """Solve for a batch of sources, see `Solver.solve`.

        Raises:
            ValueError: Problem, domain or inputs do not fit, see `unsuited`; an input that should be constant
                is not, or gives a <= 0 or r < 0; source and fluxes do not balance where they have to.
        """
        self.check(problem, inputs, domain, times)
        problem, domain = cast(EllipticProblem, problem), cast(Grid, domain)
        started = perf_counter()
        transforms = _transforms(problem, domain)
        faces = faces_of(problem, domain)
        source = problem.coefficient_values(problem.source, inputs, domain)
        device = source.device
        source = source.cpu()
        if problem.reaction_at_zero != 0:
            source = source - problem.coefficient_values(problem.reaction_at_zero, inputs, domain).cpu()
        if not bool(torch.isfinite(source).all()):
            raise ValueError(f"{problem.name}: expected a finite source, got NaN or infinity")
        diffusion = self._constant("a", problem.diffusion, problem, inputs, domain)
        reaction = self._constant("r", problem.reaction_slope, problem, inputs, domain)
        right_side = _right_side(source, faces, transforms, diffusion)
        message = f"{len(source)} samples by " + " x ".join(_label(item) for item in transforms)
        free = reaction == 0
        if bool(free.any()) and all(item.has_constants for item in transforms):
            rows = free.expand(len(source))
            offset = check_compatibility(source[rows], faces, domain, rounding=rounding_of(inputs))
            message += f", a mean of at most {offset.abs().max().item():.1e} taken off the source"
        inverse = FastPoissonInverse(
            transforms, diffusion.tolist(), reaction.tolist(), fourier=self.symbol == "fourier"
        )
        unknown = torch.from_numpy(inverse(right_side.numpy()))
        values = _with_given_values(unknown, faces, transforms, domain)
        report = SolveReport(status=SolveStatus.CONVERGED, message=message, seconds=perf_counter() - started)
        return Solution(
            values=values[:, None].to(device),
            domain=domain,
            channels=tuple(variable.name for variable in problem.outputs),
            units=tuple(variable.unit for variable in problem.outputs),
            report=report,
        )

    def _constant(
        self,
        name: str,
        coefficient: sympy.Expr,
        problem: EllipticProblem,
        inputs: Mapping[str, Field],
        grid: Grid,
    ) -> Float64[Tensor, " samples_or_one"]:
        """The coefficient: one number for all samples where it is the same, else one a sample."""
        if not coefficient.atoms(AppliedUndef):
            result = evaluate(coefficient, problem.numbers).reshape(1)
        else:
            values = problem.coefficient_values(coefficient, inputs, grid).cpu().flatten(1)
            result = values[:, 0].contiguous()
            spread = (values - result[:, None]).abs().amax(1)
            bad = torch.nonzero(spread > 1e-12 * result.abs()).flatten().tolist()
            if bad:
                raise ValueError(
                    f"expected a constant {name} = {coefficient}, got one that varies by "
                    f"{spread[bad[0]].item():g} in sample {bad[0]}; try SparseFiniteDifferenceSolver"
                )
            if bool((result == result[0]).all()):
                result = result[:1]
        wrong = result <= 0 if name == "a" else result < 0
        if bool(wrong.any()):
            expected = "a > 0" if name == "a" else "r >= 0"
            raise ValueError(f"expected {expected}, got {result[wrong][0].item():g}; try another solver")
        return result


def _transforms(problem: EllipticProblem, grid: Grid) -> tuple[AxisTransform, ...]:
    ends = {
        name: End.DIRICHLET if isinstance(condition, Dirichlet) else End.NEUMANN
        for name, condition in problem.conditions_on(grid).items()
    }
    return tuple(
        AxisTransform(axis, ends.get(f"{axis.name}_lower"), ends.get(f"{axis.name}_upper"))
        for axis in grid.axes
    )


def _label(transform: AxisTransform) -> str:
    name, number = transform.kind
    return f"{name.upper()}-{'I' * number if number < 4 else 'IV'}" if number else "FFT"


def _right_side(
    source: Tensor, faces: list[FaceData], transforms: tuple[AxisTransform, ...], diffusion: Tensor
) -> Tensor:
    """The source at the unknowns, with what the data on the faces adds to the equations next to them."""
    unknowns = [item.unknowns for item in transforms]
    # A copy of its own: the transforms work in place.
    result = source[:, *unknowns].clone(memory_format=torch.contiguous_format)
    for face in faces:
        others = [item for number, item in enumerate(unknowns) if number != face.number]
        data = face.values[tuple(others)]
        if not bool(data.any()):
            continue
        axis = transforms[face.number].axis
        # Two and not one: half a spacing to the wall of a cell, half a cell around a node at the end.
        if isinstance(face.condition, Dirichlet):
            factor = diffusion * (1 if axis.has_ends else 2) / axis.spacing**2
        else:
            factor = torch.ones_like(diffusion) * (2 if axis.has_ends else 1) / axis.spacing
        position = result.shape[face.number + 1] - 1 if face.is_upper else 0
        result.select(face.number + 1, position).add_(factor.reshape(-1, *(1,) * data.ndim) * data)
    return result


def _with_given_values(
    unknown: Tensor, faces: list[FaceData], transforms: tuple[AxisTransform, ...], grid: Grid
) -> Tensor:
    """The solution at all points: what was solved for, and the values given at nodes."""
    if tuple(unknown.shape[1:]) == grid.shape:
        return unknown
    values = unknown.new_empty(len(unknown), *grid.shape)
    for face in faces:
        if isinstance(face.condition, Dirichlet) and grid.axes[face.number].has_ends:
            position = grid.shape[face.number] - 1 if face.is_upper else 0
            values.select(face.number + 1, position).copy_(face.values)
    values[:, *(item.unknowns for item in transforms)] = unknown
    return values
