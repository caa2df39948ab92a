"""Operators that answer by formulas, to be held to equations, and a small one that learns."""

import torch
from torch import nn

from pdeops.operators import Capabilities, OutputPoints, QueryOperator
from pdeops.problems import evaluate

COORDINATES = ("x", "y", "z")


class FormulaOperator(QueryOperator):
    """The outputs of an exact solution, times a number that each sample may have: a weight."""

    capabilities = Capabilities(dimensions=frozenset({1, 2, 3}), needs_grid=False, any_query=True)

    def __init__(self, exact, domain, times=None, in_channels=1):
        outputs = [exact.expressions[variable.name] for variable in exact.problem.outputs]
        frames = 1 if times is None else len(times)
        super().__init__(in_channels, len(outputs) * frames, domain, OutputPoints(domain, times))
        self.formulas = outputs
        self.numbers = exact.problem.numbers
        self.names = COORDINATES[: domain.dimension] + (() if times is None else ("t",))
        self.weight = nn.Parameter(torch.ones(1, dtype=torch.float64))

    def encode(self, values, domain=None):
        return torch.ones(len(values), 1, dtype=values.dtype)

    def decode(self, code, points):
        values = {**dict(zip(self.names, points.unbind(-1), strict=True)), **self.numbers}
        results = [evaluate(formula, values).expand(points.shape[:-1]) for formula in self.formulas]
        return self.weight * code[:, :, None] * torch.stack(results)


class SmallBranchAndTrunk(QueryOperator):
    """A branch and a trunk of one hidden layer, with dropout in the branch to draw random numbers."""

    capabilities = Capabilities(dimensions=frozenset({1, 2, 3}), needs_grid=False, any_query=True)

    def __init__(self, in_channels, out_channels, domain, output=None, *, width=16, dropout=0.0):
        super().__init__(in_channels, out_channels, domain, output)
        num_values = in_channels * domain.num_points
        self.branch = nn.Sequential(
            nn.Linear(num_values, width), nn.Tanh(), nn.Dropout(dropout), nn.Linear(width, width)
        )
        self.trunk = nn.Sequential(
            nn.Linear(self.output.num_coordinates, width),
            nn.Tanh(),
            nn.Linear(width, width * self.num_variables),
            nn.Tanh(),
        )

    def encode(self, values, domain=None):
        return self.branch(values.flatten(1))

    def decode(self, code, points):
        basis = self.trunk(points).unflatten(-1, (self.num_variables, -1))
        return torch.einsum("bk,...qvk->bvq" if points.ndim == 2 else "bk,bqvk->bvq", code, basis)
