"""GP-HM as a model that is fitted to one instance of a problem."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Domain, Field
from pdeops.gp.direct_solver import GaussianProcessSolver
from pdeops.gp.joint_solver import JointGaussianProcessSolver
from pdeops.gp.posterior import GaussianProcessSolution
from pdeops.instances import InstanceFit, Measurements
from pdeops.problems import Problem


class CollocationModel:
    """GP-HM, direct or joint: the solution of one instance from its equation, without any data.

    Args:
        solver: `GaussianProcessSolver` (direct) or `JointGaussianProcessSolver` (as published).

    Good values: See the solvers.

    Failure mode: See the solvers.

    Source: Fang et al. (2024), arXiv:2311.04465.
    """

    from_measurements = False

    def __init__(self, *, solver: GaussianProcessSolver | JointGaussianProcessSolver) -> None:
        self.solver = solver

    @property
    def name(self) -> str:
        """That of the solver."""
        return type(self.solver).__name__

    @property
    def shows_progress(self) -> bool:
        """The joint fit takes many steps, and shows them."""
        return isinstance(self.solver, JointGaussianProcessSolver)

    def misfit(self, problem: Problem, domain: Domain) -> str | None:
        """Why the solver cannot work for a problem on a domain, or None."""
        return self.solver.unsuited(problem, domain)

    def fit(
        self,
        problem: Problem,
        inputs: Mapping[str, Field],
        domain: Domain,
        times: Float64[Tensor, " time"] | None = None,
        measurements: Mapping[str, Measurements] | None = None,
    ) -> InstanceFit:
        """Solve one instance; see `InstanceModel.fit`.

        Raises:
            ValueError: Problem and domain do not fit.
            RuntimeError: Newton's method did not come to rest.
        """
        solution = self.solver.solve(problem, inputs, domain, times)
        mean = Field(solution.values, domain, solution.channels, solution.units, solution.times)
        # Values on the grid are the unknowns of the joint fit; kernels and precisions come on top.
        number, deviation = mean.values.numel(), None
        message = "" if isinstance(self.solver, GaussianProcessSolver) else f"{self.solver.num_steps} steps"
        if isinstance(solution, GaussianProcessSolution):
            deviation = solution.standard_deviation
            if solution.report is not None:
                message = f"{solution.report.status}: {solution.report.message}"
            number = sum(posterior.coefficients.numel() for posterior in solution.posteriors)
        if not bool(torch.isfinite(mean.values).all()):
            raise RuntimeError("the solution is not finite; try a smaller learning rate or more jitter")
        return InstanceFit(mean, deviation, number, None, message)
