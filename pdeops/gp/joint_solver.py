"""GP-HM as published: field, kernel and precisions are found together by Adam."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float64
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

from pdeops.domains import Domain, Field, Grid
from pdeops.gp.boundary_rows import face_factors, face_values
from pdeops.gp.direct_solver import GaussianProcessSolver, checked_batch
from pdeops.gp.equation_terms import EquationTerms
from pdeops.gp.kernel_factor import KernelFactor, along, kronecker_log_determinant
from pdeops.gp.kernel_lattice import KERNELS
from pdeops.gp.mixture_kernels import MixtureKernel
from pdeops.gp.posed_problem import PosedProblem
from pdeops.problems import Problem


def log_prior(values: Float64[Tensor, "*shape"], factors: Sequence[KernelFactor]) -> Float64[Tensor, ""]:
    r"""Logarithm of the normal density of values on a grid, without its constant.

    .. math:: -\tfrac12 \log\det K - \tfrac12 u^T K^{-1} u, \qquad K = K_1 \otimes \dots \otimes K_d

    Args:
        values: Values at the points of the grid.
        factors: Covariance of each axis.

    Returns:
        The logarithm; no matrix joins two axes.
    """
    solved = values
    for number, factor in enumerate(factors):
        moved = torch.movedim(solved, number, 0)
        solved = torch.movedim(factor.solve(moved.reshape(len(moved), -1)).reshape(moved.shape), 0, number)
    return -(kronecker_log_determinant(factors) + (values * solved).sum()) / 2


class JointModel(nn.Module):
    """Values on a grid, kernels of its axes and precisions, with the published objective.

    Args:
        problem: A steady problem for one unknown with Dirichlet conditions.
        inputs: Inputs by name, one sample.
        grid: The grid.
        kernel: ``"gaussian"`` or ``"student"``.
        components: Number of waves an axis.
        highest_frequency: Frequencies start evenly from 0 to this, in cycles a unit of length.
        boundary_weight: Factor of the boundary's part.
        jitter: On the diagonal of each covariance matrix.
    """

    def __init__(
        self,
        problem: Problem,
        inputs: Mapping[str, Field],
        grid: Grid,
        *,
        kernel: str,
        components: int,
        highest_frequency: float,
        boundary_weight: float,
        jitter: float,
    ) -> None:
        super().__init__()
        self.grid, self.boundary_weight, self.jitter = grid, boundary_weight, jitter
        self.equation = EquationTerms(PosedProblem(problem, inputs, grid))
        self.sides = [
            (number, 0 if end.item() == grid.axes[number].lower else -1)
            for number in range(grid.dimension)
            for _, _, end in face_factors(problem, grid, number)
        ]
        faces = [face_values(problem, grid, number).unbind(number) for number in range(grid.dimension)]
        self.faces = [face.to(self.equation.device) for pair in faces for face in pair]
        frequencies = torch.linspace(0, highest_frequency, components, dtype=torch.float64)
        self.kernels = nn.ModuleList(KERNELS[kernel](frequencies) for _ in grid.axes)
        self.values = nn.Parameter(torch.zeros(grid.shape, dtype=torch.float64))
        self.log_boundary_precision = nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.log_equation_precision = nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.to(self.equation.device)

    def factors(self) -> list[KernelFactor]:
        """Covariance of each axis."""
        kernels = [kernel for kernel in self.kernels if isinstance(kernel, MixtureKernel)]
        pairs = zip(kernels, self.grid.axes, strict=True)
        return [KernelFactor(kernel, axis, self.jitter) for kernel, axis in pairs]

    def residual(self, factors: Sequence[KernelFactor]) -> Float64[Tensor, " *shape"]:
        """The equation at all points, with derivatives of the conditional mean."""
        derivatives = {}
        for orders in self.equation.symbols:
            values: Tensor = self.values
            for number, order in enumerate(orders):
                if order:
                    values = along(factors[number].derivative_matrix(order), values, number)
            derivatives[orders] = values
        return self.equation.residual(derivatives)

    def forward(self) -> Float64[Tensor, ""]:
        """The objective to be maximised: logarithms of prior, boundary and equation."""
        factors = self.factors()
        errors = torch.cat(
            [
                (self.values.select(number, side) - face).flatten()
                for (number, side), face in zip(self.sides, self.faces, strict=True)
            ]
        )
        residual = self.residual(factors)

        def likelihood(log_precision: Tensor, misses: Tensor) -> Tensor:
            return (misses.numel() * log_precision - log_precision.exp() * misses.square().sum()) / 2

        return (
            log_prior(self.values, factors)
            + self.boundary_weight * likelihood(self.log_boundary_precision, errors)
            + likelihood(self.log_equation_precision, residual)
        )


@dataclass(frozen=True, kw_only=True)
class JointGaussianProcessSolver:
    r"""GP-HM as published, for comparison: `GaussianProcessSolver` is better by orders in error and time.

    .. math:: \max_{u, \Theta, \tau_1, \tau_2} \log p(u \mid \Theta)
        + \lambda \log p(g \mid u, \tau_1) + \log p(0 \mid F(u), \tau_2)

    by Adam, with the kernels' weights and lengths as logarithms, and derivatives :math:`K^{(m)} K^{-1} u` of
    the conditional mean.

    Args:
        kernel: ``"gaussian"`` or ``"student"``.
        num_steps: Steps of Adam.
        learning_rate: Of Adam.
        components: Waves an axis.
        highest_frequency: Where the frequencies start, from 0 to this, in cycles a unit of length.
        boundary_weight: The number :math:`\lambda`.
        jitter: On the diagonal of each covariance matrix.

    Raises:
        ValueError: A number is out of range.

    Good values: Frequencies up to the highest of the data, that is its angular frequency over
        :math:`2 \pi`, 1e5 steps or more.

    Failure mode: The error oscillates by factors of ten to a thousand along the way, and steps may lock the
        kernel to a wrong frequency.

    Source: Fang et al. (2024), arXiv:2311.04465.
    """

    time_order: ClassVar[float | None] = None
    space_order: ClassVar[float | None] = None

    kernel: str = "student"
    num_steps: int = 10_000
    learning_rate: float = 1e-2
    components: int = 30
    highest_frequency: float = 30.0
    boundary_weight: float = 200.0
    jitter: float = 1e-6

    def __post_init__(self) -> None:
        """Check the arguments."""
        if self.kernel not in KERNELS:
            raise ValueError(f"kernel: expected one of {sorted(KERNELS)}, got {self.kernel!r}")
        for name in ("num_steps", "learning_rate", "components", "highest_frequency", "jitter"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}: expected a positive number, got {getattr(self, name)}")

    @property
    def settings(self) -> dict[str, Any]:
        """The numerical settings as plain values."""
        return {"solver": type(self).__name__, **asdict(self)}

    def unsuited(self, problem: Problem, domain: Domain) -> str | None:
        """Why it cannot solve a problem on a domain, or None."""
        reason = GaussianProcessSolver().unsuited(problem, domain)
        if reason is not None or not isinstance(domain, Grid):
            return reason
        if not problem.steady:
            return "expected a steady problem"
        wrong = [axis.name for axis in domain.axes if not axis.has_ends]
        if wrong:
            return f"expected axes of nodes or Chebyshev points, got others for {wrong}"
        slopes = (slope for n in range(domain.dimension) for _, slope, _ in face_factors(problem, domain, n))
        return "expected Dirichlet conditions" if any(slope != 0 for slope in slopes) else None

    def solve(
        self, problem: Problem, inputs: Mapping[str, Field], domain: Domain, times: Tensor | None = None
    ) -> Field:
        """Solve the problem for a batch of inputs, see `GaussianProcessSolver.solve`."""
        reason = self.unsuited(problem, problem.check_domain(domain))
        if reason is not None or not isinstance(domain, Grid) or times is not None:
            raise ValueError(f"{type(self).__name__} for {problem.name}: {reason or 'expected no times'}")
        batch = checked_batch(problem, inputs, domain)
        values = [
            self.fit(
                problem, {name: field.sample(i) for name, field in inputs.items()}, domain
            ).values.detach()
            for i in range(batch)
        ]
        output = problem.outputs[0]
        return Field(torch.stack(values)[:, None], domain, (output.name,), (output.unit,))

    def fit(self, problem: Problem, inputs: Mapping[str, Field], grid: Grid) -> JointModel:
        """Train a model for one sample.

        Args:
            problem: The problem.
            inputs: Inputs by name, one sample.
            grid: The grid.

        Returns:
            The model after the last step.
        """
        model = JointModel(
            problem,
            inputs,
            grid,
            kernel=self.kernel,
            components=self.components,
            highest_frequency=self.highest_frequency,
            boundary_weight=self.boundary_weight,
            jitter=self.jitter,
        )
        optimizer = torch.optim.Adam(model.parameters(), lr=self.learning_rate)
        console = Console(stderr=True)
        steps = range(self.num_steps)
        for _ in track(steps, "GP-HM", console=console, disable=not console.is_terminal, transient=True):
            optimizer.zero_grad()
            loss = -model()
            loss.backward()
            optimizer.step()
        return model
