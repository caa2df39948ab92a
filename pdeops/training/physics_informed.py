"""Training of an operator on the equations of a problem, without solutions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, cast

import torch
from jaxtyping import Float
from sympy.core.function import AppliedUndef
from torch import Tensor, nn

from pdeops.data import Batch, Normaliser, Window, full_precision
from pdeops.domains import Field
from pdeops.operators import Operator, QueryOperator
from pdeops.operators.query_operator import Orders
from pdeops.problems import Problem
from pdeops.problems.boundary_condition import DEFAULT
from pdeops.training.collocation import Collocation, draw_boundary, draw_inside, seeded
from pdeops.training.equation_residual import EquationResidual, Outputs, pointwise_misfit
from pdeops.training.optimisation import OptimizerFactory, SchedulerFactory
from pdeops.training.supervised import SupervisedOperator

Answer = Callable[[Tensor, Sequence[Orders]], Sequence[Tensor]]
"""``answer(points, orders)``: derivatives of the outputs at points, physical units, see `Outputs`."""


class PhysicsInformedLoss(nn.Module):
    r"""Mean square of what is left of the equations, the initial and the boundary conditions.

    .. math:: \ell = w_r \overline{r^2} + w_0 \overline{(u - u_0)^2} + w_b \overline{b^2}

    The means are over functions, equations and points. Points are drawn anew each step from (seed, step), and
    shared by all functions of a batch. Residuals are in physical units and not scaled: where equations of a
    system differ much in size, choose units in which they do not.

    Args:
        problem: States the equations.
        num_points: Points of space and time for the equations, a step.
        num_boundary_points: Points at time zero, and points on each part of the boundary, a step.
        residual_weight: :math:`w_r`.
        initial_weight: :math:`w_0`; 0 where the operator meets the initial conditions by its form.
        boundary_weight: :math:`w_b`; 0 where it meets the boundary conditions. Periodic axes have none.
        seed: Seed of the points.

    Raises:
        ValueError: The problem is not stated pointwise in its outputs (`EquationResidual`), or a number is
            out of range.

    Good values: 100 points for ordinary equations and 300 in space and time, 50 to 100 functions a batch, a
        rate of 3e-3 that falls to zero, conditions by form (``lift`` and ``factor`` of `DeepONet`).

    Failure mode: Equations that hold only in the weak sense (shocks, coefficients that jump) have no
        pointwise residual. A small residual is a small error only as far as the equation is stable.

    Source: Wang, Wang and Perdikaris (2021), doi:10.1126/sciadv.abi8605.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        num_points: int = 1000,
        num_boundary_points: int = 100,
        residual_weight: float = 1.0,
        initial_weight: float = 1.0,
        boundary_weight: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, count in (("num_points", num_points), ("num_boundary_points", num_boundary_points)):
            if count < 1:
                raise ValueError(f"physics-informed loss: {name}: expected at least 1, got {count}")
        weights = {"residual": residual_weight, "initial": initial_weight, "boundary": boundary_weight}
        for name, weight in weights.items():
            if not weight >= 0:
                raise ValueError(
                    f"physics-informed loss: {name}_weight: expected a number of at least 0, got {weight}"
                )
        self.problem = problem
        self.num_points = num_points
        self.num_boundary_points = num_boundary_points
        self.weights = weights
        self.seed = seed
        self.equations = EquationResidual(problem, problem.equations)
        start = problem.initial_conditions
        self.initial = EquationResidual(problem, start) if start else None
        self.boundary = {
            part: EquationResidual(problem, [equation])
            for part, equation in problem.boundary_conditions.items()
        }

    def forward(
        self, answer: Answer, inputs: Mapping[str, Field], final_time: float | None, step: int
    ) -> Float[Tensor, ""]:
        """Compute the loss of a batch.

        Args:
            answer: The operator's answer at points, for the functions of the batch.
            inputs: Inputs of the problem by name, one channel each, physical units.
            final_time: The equations hold from time 0 to here; None for a steady problem.
            step: Number of the step, which with the seed says where the points are.

        Returns:
            The loss.
        """
        parts = self.parts(answer, inputs, final_time, seeded(self.seed, step))
        return sum((self.weights[name] * value for name, value in parts.items()), torch.zeros(()))

    def parts(
        self,
        answer: Answer,
        inputs: Mapping[str, Field],
        final_time: float | None,
        generator: torch.Generator,
    ) -> dict[str, Float[Tensor, ""]]:
        """Mean squares of the parts whose weight is not 0.

        Args:
            answer: See `forward`.
            inputs: See `forward`.
            final_time: See `forward`.
            generator: Draws the points.

        Returns:
            By name: ``residual``, ``initial`` and ``boundary``, those that there are.
        """
        domain = next(iter(inputs.values())).domain

        def mean_square(residual: EquationResidual, where: Collocation) -> Tensor:
            return self.residuals(residual, answer, inputs, where).square().mean()

        parts = {}
        if self.weights["residual"]:
            where = draw_inside(domain, final_time, self.num_points, generator)
            parts["residual"] = mean_square(self.equations, where)
        if self.weights["initial"] and self.initial is not None:
            where = draw_inside(domain, 0.0, self.num_boundary_points, generator)
            parts["initial"] = mean_square(self.initial, where)
        conditions = {
            part: self.boundary.get(part, self.boundary.get(DEFAULT)) for part in domain.boundary_names
        }
        if self.weights["boundary"] and any(conditions.values()):
            squares = [
                mean_square(
                    residual, draw_boundary(domain, part, final_time, self.num_boundary_points, generator)
                )
                for part, residual in conditions.items()
                if residual is not None
            ]
            parts["boundary"] = torch.stack(squares).mean()
        return parts

    def residuals(
        self,
        residual: EquationResidual,
        answer: Answer,
        inputs: Mapping[str, Field],
        where: Collocation,
    ) -> Float[Tensor, "batch equations points"]:
        """Residuals at points, on the device and in the precision of the inputs."""
        values = next(iter(inputs.values())).values
        points = where.points.to(values)
        outputs: Outputs = partial(answer, points)
        normals = None if where.normals is None else where.normals.to(values)
        return residual(outputs, lambda name, orders: where.values(inputs, name, orders), points, normals)


class PhysicsInformedOperator(SupervisedOperator):
    r"""Fit an operator to the equations of a problem, on inputs alone.

    .. math:: \min_\theta \; \frac{1}{N} \sum_i \ell\bigl(G_\theta(a_i)\bigr)

    with the :math:`\ell` of `PhysicsInformedLoss`. Targets of training batches are never looked at;
    validation and test are those of `SupervisedOperator`, against solutions. The residual is computed in
    single precision at least, whatever the precision of the Trainer.

    Args:
        operator: Answers at any point.
        loss: A `PhysicsInformedLoss`, of the problem whose inputs the batches hold.
        optimizer: See `SupervisedOperator`, as all that follow.
        scheduler: Learning rates.
        scheduler_interval: When the scheduler steps.
        input_normaliser: Normalises inputs before they are encoded.
        output_normaliser: Takes outputs to physical units, and derivatives by its deviation.
        window: One call from the initial state, or from none (``input_frames=0``), for problems in time.
        compile: Compile the operator for validation and test.
        artefact: Stored in every checkpoint.

    Raises:
        TypeError: The loss is another one.
        ValueError: Operator, problem or window do not fit, see `physics_misfit`.
    """

    def __init__(
        self,
        operator: Operator,
        loss: nn.Module,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        *,
        scheduler_interval: Literal["step", "epoch"] = "epoch",
        input_normaliser: Normaliser | None = None,
        output_normaliser: Normaliser | None = None,
        window: Window | None = None,
        compile: bool = False,
        artefact: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(loss, PhysicsInformedLoss):
            raise TypeError(
                f"physics-informed training: expected a PhysicsInformedLoss, got {type(loss).__name__}"
            )
        reason = physics_misfit(type(operator), loss.problem, window)
        if reason is not None:
            raise ValueError(reason)
        super().__init__(
            operator,
            loss,
            optimizer,
            scheduler,
            scheduler_interval=scheduler_interval,
            input_normaliser=input_normaliser,
            output_normaliser=output_normaliser,
            window=window,
            compile=compile,
            artefact=artefact,
        )

    def on_test_start(self) -> None:
        """There is no training mean: nothing is known of the training solutions."""

    def answer_to(self, inputs: Field) -> Answer:
        """The operator's answer to inputs, as a function of the points.

        Args:
            inputs: Physical units.

        Returns:
            Derivatives at points, in physical units: only values are shifted by the mean.
        """
        operator = cast(QueryOperator, self.operator)
        code = operator.encode(self._normalise(self._cast(inputs.values)), inputs.domain)

        def answer(points: Tensor, orders: Sequence[Orders]) -> list[Tensor]:
            values = map(full_precision, operator.derivatives(code, self._cast(points), orders))
            if self.output_normaliser is None:
                return list(values)
            count = operator.num_variables
            mean, deviation = (
                buffer[:count, None].to(points)
                for buffer in (self.output_normaliser.mean, self.output_normaliser.deviation)
            )
            return [
                deviation * value + (0 if any(order) else mean)
                for value, order in zip(values, orders, strict=True)
            ]

        return answer

    def _loss(self, batch: Batch) -> Tensor:
        operator, loss = cast(QueryOperator, self.operator), cast(PhysicsInformedLoss, self.loss)
        times = operator.output.times
        inputs = batch.inputs
        # Second derivatives and their differences lose everything in half precision.
        with torch.autocast(inputs.values.device.type, enabled=False):
            named = inputs_of(loss.problem, inputs)
            return loss(self.answer_to(inputs), named, None if times is None else times[-1], self.global_step)


def physics_misfit(operator: type[Operator], problem: Problem, window: Window | None) -> str | None:
    """Say why an operator cannot be trained on the equations of a problem, before any data is made.

    Args:
        operator: Its class.
        problem: The problem.
        window: Its window, None for a steady problem.

    Returns:
        The reason, or None if it can.
    """
    start = "physics-informed training: expected"
    if not issubclass(operator, QueryOperator):
        return (
            f"{start} an operator that answers at any point, got {operator.__name__}; try "
            "model=pi_deeponet, or training=supervised"
        )
    reason = pointwise_misfit(problem)
    if reason is not None:
        return f"{reason}; try training=supervised"
    if not problem.steady and (
        window is None
        or window.input_frames > 1
        or window.num_calls > 1
        or window.output_frames < 2
        or window.first_frame
    ):
        return (
            f"{start} a window of one call from the initial state to two frames or more, got {window}; "
            "try input_frames=1, output_frames=10, frames_per_call=0 and first_frame=0"
        )
    return None


def inputs_of(problem: Problem, inputs: Field) -> dict[str, Field]:
    """The inputs of a problem by name, from the channels of a batch.

    Args:
        problem: The problem.
        inputs: Channels named after the inputs; the initial state may be named after the outputs, as a
            window's first frame is.

    Returns:
        Fields of one channel.

    Raises:
        ValueError: A channel is missing.
    """
    starts = {
        equation.rhs.func.__name__: equation.lhs.func.__name__
        for equation in problem.initial_conditions
        if isinstance(equation.rhs, AppliedUndef)
    }
    names = {variable.name: variable.name for variable in problem.inputs}
    names |= {start: output for start, output in starts.items() if start not in inputs.channels}
    return {name: inputs.select(channel) for name, channel in names.items()}
