"""An operator whose answers can be worked out by hand, for the command line."""

import torch

from pdeops.operators import QueryOperator
from pdeops.operators.operator import Capabilities


class Average(QueryOperator):
    """The mean of the first input over its domain, times a number that is learnt, plus a linear function."""

    capabilities = Capabilities(frozenset({1, 2}), needs_grid=False, any_query=True)

    def __init__(self, in_channels, out_channels, domain, output=None):
        super().__init__(in_channels, out_channels, domain, output)
        self.factor = torch.nn.Parameter(torch.ones(()))
        self.slope = torch.nn.Parameter(torch.ones(self.output.num_coordinates, 1))

    def encode(self, values, domain=None):
        domain = self.resolve_domain(values, domain)
        weights = domain.quadrature_weights.to(values)
        return (values[:, 0] * weights).flatten(1).sum(dim=1) / weights.sum()

    def decode(self, code, points):
        return self.factor * code[:, None, None] + (points @ self.slope).movedim(-1, -2)


class BoundAverage(Average):
    """The same, without a claim to other points."""

    capabilities = Capabilities(frozenset({1, 2}), needs_grid=False, any_query=True, changes_resolution=False)
