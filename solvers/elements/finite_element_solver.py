"""Finite elements for steady problems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, ClassVar, Literal, cast

import torch
from torch import Tensor

from pdeops.domains import Domain, Field, import_scikit_fem
from pdeops.problems import LinearElasticity, Problem, Stokes
from pdeops.problems.elliptic import EllipticProblem
from solvers.elements.mesh_of import mesh_of, why_no_mesh
from solvers.solver import Solution, Solver, SolveReport, SolverError, SolveStatus, checked_values

if TYPE_CHECKING:
    from solvers.elements.elliptic_elements import ElementOutcome


@dataclass(frozen=True, kw_only=True)
class FiniteElementSolver(Solver):
    r"""Solves elliptic problems, linear elasticity and Stokes flow on meshes.

    Continuous piecewise polynomials on segments, triangles or tetrahedra, assembled by scikit-fem: of
    elliptic problems :math:`\int a \nabla u \cdot \nabla v + g(u) v = \int f v + \int_{\Gamma} q v` for all
    test functions v, with fluxes q. Conditions of all kinds are given by part of the boundary, and may vary
    along it. A reaction that is not linear is met by Newton's method from zero, its steps halved until the
    residual falls. Stokes flow takes quadratic velocities and linear pressures (Taylor and Hood). The
    solution is given at the points of the mesh; `solve_functions` keeps it as a function. A grid of nodes is
    cut into simplices.

    The order in L2 is the degree plus one, in H1 the degree. Setup and solve are direct by default: about a
    second for 50000 unknowns in the plane, growing with the power 1.5 there and 2 in space.

    Args:
        degree: 1 or 2. Formulas are exact at the quadrature points; fields given at the points of the mesh
            are extended to quadratic functions for degree 2 (`PointFields`), so both keep their order.
        method: ``"direct"``: sparse LU, for every problem; ``"amg"``: conjugate gradients with algebraic
            multigrid of pyamg, for more than about 100000 unknowns; it needs a definite matrix, so neither
            Helmholtz nor Stokes.
        tolerance: Of the relative residual of conjugate gradients and of Newton's method. Good values: 1e-10.
        max_iterations: Of conjugate gradients in a system, and of Newton's method.

    Raises:
        ValueError: A setting is out of its range.

    Failure mode: Triangles with corners on a curve leave a strip between polygon and curve, which limits
    degree 2 to second order. At a re-entrant corner of angle :math:`\omega` the order falls to
    :math:`2\pi/\omega` (4/3 on an L-shape) in L2 on uniform meshes. Linear elements lock as Poisson's ratio
    nears 1/2. Helmholtz problems need about ten points a wave, more over many waves.

    References:
        | T. Gustafsson, G. D. McBain, 2020, scikit-fem: a Python package for finite element assembly,
        | doi:10.21105/joss.02369
        | S. C. Brenner, L. R. Scott, 2008, The mathematical theory of finite element methods,
        | doi:10.1007/978-0-387-75934-0
    """

    time_order: ClassVar[float | None] = None

    degree: int = 2
    method: Literal["direct", "amg"] = "direct"
    tolerance: float = 1e-10
    max_iterations: int = 200

    def __post_init__(self) -> None:
        """Check the settings."""
        if self.degree not in (1, 2):
            raise ValueError(f"degree: expected 1 or 2, got {self.degree!r}; try 2")
        if self.method not in ("direct", "amg"):
            raise ValueError(f"method: expected 'direct' or 'amg', got {self.method!r}; try 'direct'")
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance: expected a number between 0 and 1, got {self.tolerance}; try 1e-10")
        if self.max_iterations < 1:
            raise ValueError(f"max_iterations: expected 1 or more, got {self.max_iterations}; try 200")

    @property
    def space_order(self) -> float | None:  # type: ignore[override]
        """Order in L2: the degree plus one."""
        return self.degree + 1

    def unsuited(self, problem: Problem, domain: Domain) -> str | None:
        """Expects a steady problem that elements discretise, on a mesh or on nodes; see `Solver.unsuited`."""
        if not isinstance(problem, EllipticProblem | LinearElasticity | Stokes):
            return f"expected an elliptic problem, LinearElasticity or Stokes, got {type(problem).__name__}"
        if isinstance(problem, Stokes) and self.degree != 2:
            return "expected degree=2 for Stokes flow (Taylor-Hood), got degree=1, which is not stable"
        if isinstance(problem, Stokes) and self.method != "direct":
            return "expected method='direct' for Stokes flow, got 'amg', which needs a definite matrix"
        return why_no_mesh(domain)

    def solve(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None = None
    ) -> Solution:
        """Solve for a batch of inputs, see `Solver.solve`.

        Raises:
            ImportError: scikit-fem or pyamg is not installed.
            ValueError: The problem or the mesh is not fit (see `pdeops.domains.check_mesh`), or data does not
                balance.
            SolverError: A matrix is singular, or the tolerance was not met; the report has the residuals.
        """
        self.check(problem, inputs, domain, times)
        started = perf_counter()
        outcome = self.solve_functions(problem, inputs, domain)
        iterations = torch.tensor([len(item) - 1 for item in outcome.residuals])
        longest = int(iterations.max())
        history = [list(item) + [item[-1]] * (longest + 1 - len(item)) for item in outcome.residuals]
        failed = [status for status in outcome.statuses if status is not SolveStatus.CONVERGED]
        report = SolveReport(
            status=failed[0] if failed else SolveStatus.CONVERGED,
            message=(
                f"{len(iterations)} samples, {outcome.functions[0].space.num_unknowns} unknowns a function, "
                f"at most {longest} iterations, relative residual at most "
                f"{max(item[-1] for item in history):.2e}{outcome.note}"
            ),
            seconds=perf_counter() - started,
            iterations=iterations,
            residual_history=torch.tensor(history, dtype=torch.float64).T,
        )
        if failed:
            raise SolverError(report)
        device = next(iter(inputs.values())).values.device
        values = torch.stack([function.point_values for function in outcome.functions], dim=1)
        return Solution(
            values=values.reshape(*values.shape[:2], *domain.shape).to(device),
            domain=domain,
            channels=tuple(variable.name for variable in problem.outputs),
            units=tuple(variable.unit for variable in problem.outputs),
            report=report,
        )

    def solve_functions(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain
    ) -> ElementOutcome:
        """Solve, and keep the solution as finite element functions.

        Args:
            problem: See `solve`.
            inputs: See `solve`.
            domain: See `solve`.

        Returns:
            One function an output, with the basis of scikit-fem, the coefficients and true errors against an
            exact solution; and how each sample ended.

        Raises:
            ImportError: scikit-fem or pyamg is not installed.
            ValueError: See `solve`.
            SolverError: A matrix is singular.
        """
        import_scikit_fem()
        from solvers.elements.elliptic_elements import solve_elliptic
        from solvers.elements.sparse_system import SingularMatrix
        from solvers.elements.vector_elements import solve_elasticity, solve_stokes

        self.check(problem, inputs, domain, None)
        started = perf_counter()
        mesh = mesh_of(domain)
        values = {
            name: checked_values(problem, name, inputs, domain).flatten(1).cpu().numpy() for name in inputs
        }
        try:
            if isinstance(problem, LinearElasticity):
                return solve_elasticity(problem, values, mesh, self)
            if isinstance(problem, EllipticProblem):
                return solve_elliptic(problem, values, mesh, self)
            return solve_stokes(cast(Stokes, problem), values, mesh)
        except SingularMatrix as error:
            raise SolverError(
                SolveReport(SolveStatus.SINGULAR, f"{problem.name}: {error}", perf_counter() - started)
            ) from None
