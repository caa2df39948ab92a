"""One sample of a scalar elliptic problem on a grid: assemble, solve, and say how sure the answer is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import scipy.sparse
import torch
from scipy.sparse.linalg import spilu
from torch import Tensor

from pdeops.domains import Field, Grid
from pdeops.problems import EllipticProblem
from solvers.elliptic.compatibility import check_compatibility, rounding_of
from solvers.elliptic.face_data import FaceData
from solvers.elliptic.sparse_element_system import assemble_elements
from solvers.elliptic.sparse_finite_difference_direct import (
    NEAR_SINGULAR,
    SINGULAR,
    Factors,
    SingularMatrixError,
)
from solvers.elliptic.sparse_finite_difference_newton import newton
from solvers.elliptic.sparse_finite_difference_system import Array, FaceMean, SparseSystem, assemble
from solvers.krylov import KrylovResult, conjugate_gradient, gmres, minres
from solvers.solver import SolveStatus

Method = Literal["direct", "cg", "minres", "gmres"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of one sample.

    Args:
        values: u at all points, flat.
        history: Relative residuals.
        status: How it ended.
        message: What has to be known about it.
    """

    values: Array
    history: list[float]
    status: SolveStatus = SolveStatus.CONVERGED
    message: str = ""


@dataclass(eq=False)
class SampleSolver:
    """Solves sample after sample and keeps the last factors.

    Args:
        problem: The problem.
        grid: The grid.
        faces: Its boundary conditions.
        method: See `SparseFiniteDifferenceSolver`, as the rest.
        degree: See there.
        face_mean: See there.
        tolerance: See there.
        max_iterations: See there.
        max_newton_steps: See there.
    """

    problem: EllipticProblem
    grid: Grid
    faces: list[FaceData]
    method: Method
    degree: int
    face_mean: FaceMean
    tolerance: float
    max_iterations: int
    max_newton_steps: int
    _system: tuple[Array, SparseSystem] | None = field(default=None, init=False)
    _factors: tuple[Array, SparseSystem, Factors] | None = field(default=None, init=False)

    def solve(self, index: int, inputs: Mapping[str, Field]) -> Outcome:
        """Solve for one sample.

        Args:
            index: Its number, for messages.
            inputs: Its inputs, on the CPU, with a batch of one.

        Returns:
            The outcome.

        Raises:
            ValueError: Coefficients or data do not fit.
        """
        problem, grid = self.problem, self.grid

        def values(expression: object, unknown: Tensor | None = None) -> Array:
            return problem.coefficient_values(expression, inputs, grid, unknown=unknown)[0].numpy()

        diffusion = values(problem.diffusion)
        if not (diffusion > 0).all():
            raise ValueError(
                f"{problem.name}: expected a diffusion coefficient a > 0, got {diffusion.min():g} in sample "
                f"{index}"
            )
        system = self._assembled(diffusion)
        source = values(problem.source)
        # At nodes of given value the source does not enter.
        if not np.isfinite((system.mass @ source.ravel())[system.free]).all():
            raise ValueError(
                f"{problem.name}: expected a finite source, got NaN or infinity in sample {index}"
            )
        if not problem.is_linear:
            return self._nonlinear(index, system, source.ravel(), values)
        reaction = values(problem.reaction_slope).ravel()
        source = source - values(problem.reaction_at_zero)
        free = system.free
        whole = system.matrix + system.weighted_mass(reaction) if reaction.any() else system.matrix
        loads = system.mass @ source.ravel() + system.load - whole @ system.given_values
        right_side, matrix, volumes = loads[free], whole[free][:, free], system.volumes[free]
        floating = not system.fixes_constants and not reaction.any()
        if floating:
            check_compatibility(
                torch.from_numpy(source)[None],
                self.faces,
                grid,
                first_sample=index,
                rounding=rounding_of(inputs),
            )
            right_side = right_side - volumes * (right_side.sum() / volumes.sum())
        note = ""
        if self.method == "direct":
            unknown, note, status = self._direct(system, matrix, right_side, reaction, diffusion, floating)
            history = [_relative(matrix, unknown, right_side)]
        else:
            result = self._iterate(matrix, right_side, volumes * diffusion.mean() if floating else None)
            unknown = result.solution[0].numpy()
            if floating:
                unknown = unknown - (volumes @ unknown) / volumes.sum()
            history, status, note = result.residual_history[:, 0].tolist(), result.status, result.message
        complete = system.given_values.copy()
        complete[free] = unknown
        if status is not SolveStatus.CONVERGED:
            note = f"sample {index}: {note}"
        return Outcome(complete, history, status, note)

    def _assembled(self, diffusion: Array) -> SparseSystem:
        if self._system is None or not np.array_equal(self._system[0], diffusion):
            if self.degree == 1:
                system = assemble(diffusion, self.faces, self.grid, self.face_mean)
            else:
                system = assemble_elements(diffusion, self.faces, self.grid, self.degree)
            self._system = diffusion, system
        return self._system[1]

    def _direct(
        self,
        system: SparseSystem,
        matrix: scipy.sparse.csr_matrix,
        right_side: Array,
        reaction: Array,
        diffusion: Array,
        floating: bool,
    ) -> tuple[Array, str, SolveStatus]:
        volumes = system.volumes[system.free]
        if floating:
            # A multiplier for the mean: regular, and of mean zero to rounding.
            matrix = scipy.sparse.bmat([[matrix, volumes[:, None]], [volumes[None], None]])
            right_side = np.append(right_side, 0.0)
        previous = self._factors
        if previous and previous[1] is system and np.array_equal(previous[0], reaction):
            factors = previous[2]
        else:
            try:
                factors = Factors.of(matrix)
            except SingularMatrixError as error:
                return np.zeros(len(volumes)), f"the matrix is singular ({error})", SolveStatus.SINGULAR
            self._factors = reaction, system, factors
        unknown = factors.solve(right_side)
        negative = any(
            face.coefficients is not None and bool((face.coefficients < 0).any()) for face in self.faces
        )
        if floating or (not negative and (reaction >= 0).all()):
            return unknown[: len(volumes)], "", SolveStatus.CONVERGED
        condition = factors.condition()
        eigenvalue = factors.smallest_eigenvalue(system.mass[system.free][:, system.free])
        note = f"condition about {condition:.1e}, eigenvalue nearest to zero about {eigenvalue:.3g}"
        if not condition < SINGULAR:
            note += ": a resonance to rounding; try another frequency or another grid"
            return unknown, note, SolveStatus.SINGULAR
        margin = self._eigenvalue_error(reaction, diffusion.ravel())
        if abs(eigenvalue) < margin:
            note += (
                f", within the grid's own error of eigenvalues there (up to {margin:.2g}): on which side "
                "of a resonance the problem is remains open, try more points or a higher degree"
            )
        elif condition > NEAR_SINGULAR:
            note += ": near a resonance, where small errors of the data become large"
        return unknown, note, SolveStatus.CONVERGED

    def _eigenvalue_error(self, reaction: Array, diffusion: Array) -> float:
        r"""How far eigenvalues near zero are off: :math:`k^2 (p! / (2p)!)^2 (k H)^{2p} / (2p + 1)`.

        For waves along an axis, k the local wavenumber, H the size of an element of degree p; with p = 1 the
        :math:`k^4 h^2 / 12` of second differences (Ainsworth, 2004, doi:10.1137/S0036142903423460).
        """
        degree = self.degree
        size = degree * max(axis.spacing for axis in self.grid.axes)
        squares = np.maximum(-reaction, 0) / diffusion
        factor = (math.factorial(degree) / math.factorial(2 * degree)) ** 2 / (2 * degree + 1)
        return float((squares * diffusion * factor * (np.sqrt(squares) * size) ** (2 * degree)).max())

    def _iterate(
        self, matrix: scipy.sparse.csr_matrix, right_side: Array, shift: Array | None
    ) -> KrylovResult:
        product = _as_map(lambda x: matrix @ x)
        given = torch.from_numpy(right_side)[None]
        diagonal = matrix.diagonal()
        scaling = np.abs(np.where(diagonal == 0, 1.0, diagonal))
        scaled = _as_map(lambda x: x / scaling)
        tolerance, limit = self.tolerance, self.max_iterations
        if self.method == "cg":
            return conjugate_gradient(
                product, given, preconditioner=scaled, tolerance=tolerance, max_iterations=limit
            )
        if self.method == "minres":
            return minres(product, given, preconditioner=scaled, tolerance=tolerance, max_iterations=limit)
        # A singular matrix has no factors; shifted by about its smallest other eigenvalue it has good ones.
        regular = matrix if shift is None else matrix + scipy.sparse.diags(shift)
        incomplete = spilu(regular.tocsc(), drop_tol=1e-4, fill_factor=10)
        return gmres(
            product,
            given,
            preconditioner=_as_map(incomplete.solve),
            tolerance=tolerance,
            max_iterations=limit,
        )

    def _nonlinear(
        self, index: int, system: SparseSystem, source: Array, values: Callable[..., Array]
    ) -> Outcome:
        free, mass, shape = system.free, system.mass, self.grid.shape

        def everywhere(unknown: Array) -> Array:
            complete = system.given_values.copy()
            complete[free] = unknown
            return complete

        def reaction(expression: object, complete: Array) -> Array:
            return values(expression, torch.from_numpy(complete).reshape(1, *shape)).ravel()

        def residual(unknown: Array) -> Array:
            complete = everywhere(unknown)
            local = mass @ (reaction(self.problem.reaction, complete) - source)
            return (system.matrix @ complete + local - system.load)[free]

        def jacobian(unknown: Array) -> scipy.sparse.spmatrix:
            slope = reaction(self.problem.reaction_slope, everywhere(unknown))
            return (system.matrix + mass @ scipy.sparse.diags(slope))[free][:, free]

        result = newton(
            residual,
            jacobian,
            np.zeros(int(free.sum())),
            tolerance=self.tolerance,
            max_steps=self.max_newton_steps,
        )
        note = f"sample {index}: {result.message}" if result.status is not SolveStatus.CONVERGED else ""
        return Outcome(everywhere(result.solution), result.history, result.status, note)


def _as_map(function: Callable[[Array], Array]) -> Callable[[Tensor], Tensor]:
    """A function of flat arrays as a map of tensors (1, unknowns)."""
    return lambda x: torch.from_numpy(function(x[0].numpy()))[None]


def _relative(matrix: scipy.sparse.spmatrix, unknown: Array, right_side: Array) -> float:
    scale = float(np.linalg.norm(right_side))
    return float(np.linalg.norm(right_side - matrix @ unknown)) / (scale or 1.0)
