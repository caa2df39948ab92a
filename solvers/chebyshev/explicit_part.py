"""The explicit part of an evolution equation on a box, evaluated on the grid."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from pdeops.problems import SemilinearProblem, evaluate
from pdeops.problems.expression import Value
from solvers.chebyshev.eigen_space import EigenSpace
from solvers.chebyshev.evolution_split import EvolutionSplit


class ExplicitPart:
    """The rest of the right-hand sides at the points of the grid.

    Args:
        problem: Names and numbers.
        inputs: Known functions of space by name, shape (batch, *shape).
        split: Its split.
        space: Basis and derivatives.
    """

    def __init__(
        self,
        problem: SemilinearProblem,
        inputs: Mapping[str, Float64[Tensor, "batch *shape"]],
        split: EvolutionSplit,
        space: EigenSpace,
    ) -> None:
        """Collect what does not change, among it the diffusion of the lift."""
        self.problem, self.inputs, self.split, self.space = problem, inputs, split, space
        device = space.lift.values.device
        self._names = [axis.name for axis in space.product_grid.axes]
        self._known: dict[str, Value] = {
            **{name: x.to(device) for name, x in problem.coordinates(space.product_grid).items()},
            **problem.numbers,
        }
        lift = space.lift
        forcing = [
            lift.diffused(list(weights)) + rate * space.closure.inner(lift.values)
            for weights, rate in zip(split.weights, split.rates, strict=True)
        ]
        self._forcing = space.fast.to_coefficients(torch.stack(forcing))
        self._is_linear = all(expression == 0 for expression in split.expressions)

    @property
    def symbol(self) -> Float64[Tensor, "channels *inner"]:
        """Eigenvalues of the implicit part (1 / time)."""
        pairs = zip(self.split.weights, self.split.rates, strict=True)
        return torch.stack([self.space.fast.symbol(weights) + rate for weights, rate in pairs])

    def __call__(
        self,
        state: Float64[Tensor, "batch channels *inner"],
        time: Tensor | float,
        samples: Int64[Tensor, " batch"],
    ) -> Float64[Tensor, "batch channels *inner"]:
        """Everything but the implicit part, as coefficients; `samples` are the numbers of the states."""
        if self._is_linear:
            return self._forcing.expand_as(state)
        full = self.space.to_grid(state)
        names = [variable.name for variable in self.problem.outputs]
        # A time of the shape (batch, 1, ..., 1) loses the dimension of the channels.
        if isinstance(time, Tensor) and time.ndim:
            time = time.reshape(-1, *(1,) * self.space.product_grid.dimension)
        values = self._known | {self.problem.time_symbol.name: time}
        values |= {name: item[samples] for name, item in self.inputs.items()}
        values |= dict(zip(names, full.unbind(1), strict=True))
        rates = [
            evaluate(expression, values, self._rule).to(full).expand(full[:, 0].shape)
            for expression in self.split.expressions
        ]
        return self.space.rate_to_state(torch.stack(rates, dim=1)) + self._forcing

    def _rule(self, values: Tensor, coordinate: str, order: int) -> Tensor:
        shape = torch.broadcast_shapes(values.shape, self.space.product_grid.shape)
        return self.space.derivative(values.expand(shape), self._names.index(coordinate), order)
