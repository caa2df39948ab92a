"""Operators whose output is a sum of products: a factor of the inputs times a function of the point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import AxisKind, Domain
from pdeops.layers import (
    Activation,
    DenseNetwork,
    PointFeatures,
    SensorKind,
    Sensors,
    TaylorAlgebra,
)
from pdeops.operators.operator import Capabilities
from pdeops.operators.output_condition import OutputFormulas
from pdeops.operators.query_operator import Code, Orders, OutputPoints, QueryOperator


class BranchTrunkOperator(QueryOperator):
    r"""Sensors, a trunk network and the sum; what the inputs become is the subclass's.

    .. math:: u_v(a)(y) = g_v(y) + \ell(y)\,\Big(\sum_{k=1}^p b_{vk}(a)\,t_k(y) + c_v\Big)

    The output depends on the point by the trunk only, so derivatives are those of p functions, whatever the
    number of inputs. The trunk always runs in float32 at least: 8 bits are too few for coordinates.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of all output frames, time-major.
        domain: The domain of the inputs.
        output: Where the outputs of the training lie; see `QueryOperator`.
        trunk: Widths of the trunk's layers; the last is the number p of functions.
        activation: Of all networks.
        modified: Whether networks are gated.
        harmonics: Waves by which the trunk sees periodic coordinates.
        sensors: How inputs are read.
        sensor_modes: Functions an axis of the projection.
        bias: Whether there is a constant :math:`c_v` a variable.
        lift: Formula :math:`g_v`, or one a variable; zero if None.
        factor: Formula :math:`\ell`; one if None.

    Raises:
        ValueError: The domain or an option does not fit.
    """

    capabilities: Capabilities = Capabilities(
        dimensions=frozenset({1, 2, 3}),
        axis_kinds=frozenset(AxisKind),
        needs_grid=False,
        any_query=True,
        # With values at the points of training as sensors, which are the default.
        changes_resolution=False,
    )

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        domain: Domain,
        output: OutputPoints | None,
        *,
        trunk: Sequence[int],
        activation: Activation,
        modified: bool,
        harmonics: int,
        sensors: SensorKind,
        sensor_modes: int,
        bias: bool,
        lift: str | Sequence[str] | None,
        factor: str | None,
    ) -> None:
        super().__init__(in_channels, out_channels, domain, output)
        self.sensors = Sensors(domain, sensors, sensor_modes)
        if sensors == "projection":
            self.capabilities = replace(self.capabilities, changes_resolution=True)
        self.features = PointFeatures(self.output.box, self.output.periods, harmonics)
        self.trunk = DenseNetwork(
            self.features.num_channels, trunk, activation=activation, activate_last=True, gated=modified
        )
        self.num_basis = trunk[-1]
        self.bias = nn.Parameter(torch.zeros(self.num_variables)) if bias else None
        texts = [lift] * self.num_variables if isinstance(lift, str) else lift
        if texts is not None and len(texts) != self.num_variables:
            raise ValueError(
                f"lift: expected one formula, or one for each of {self.num_variables} variables, "
                f"got {len(texts)}"
            )
        self.lift = self._formulas(texts)
        self.factor = self._formulas(None if factor is None else [factor])

    def decode(
        self, code: Code, points: Float[Tensor, "*batch points coordinates"]
    ) -> Float[Tensor, "batch variables points"]:
        """Answer at points; see `QueryOperator.decode`."""
        with torch.autocast(points.device.type, enabled=False):
            basis = self.trunk(self.features(points))
        if self.lift is None and self.factor is None:
            answer = self._contract(code, basis)
            return answer if self.bias is None else answer + self.bias[:, None]
        return self.derivatives(code, points, [(0,) * points.shape[-1]])[0]

    def derivatives(
        self, code: Code, points: Float[Tensor, "*batch points coordinates"], orders: Sequence[Orders]
    ) -> list[Float[Tensor, "batch variables points"]]:
        """Derivatives by the coordinates, through the trunk only; see `QueryOperator.derivatives`.

        All of them come from one pass of Taylor polynomials through the trunk and one product with the code.
        """
        algebra = TaylorAlgebra(orders)
        with torch.autocast(points.device.type, enabled=False):
            basis = self.trunk.taylor(self.features.taylor(points, algebra), algebra)
            factor = None if self.factor is None else self.factor.taylor(points, algebra)[:, 0]
            if factor is not None:
                basis = algebra.multiply(basis, factor[..., None])
            wanted = torch.stack([algebra.derivative(basis, order) for order in orders], dim=-3)
        answers = self._contract(code, wanted.flatten(-3, -2)).unflatten(-1, (len(orders), -1))
        constants = self._constants(points, algebra, factor)
        if constants is None:
            return list(answers.unbind(-2))
        return [
            answer + algebra.derivative(constants, order).to(answer)
            for answer, order in zip(answers.unbind(-2), orders, strict=True)
        ]

    def _contract(self, code: Code, basis: Tensor) -> Tensor:
        """Sum over the functions: (batch, variables, p) with (points, p) or (batch, points, p)."""
        assert isinstance(code, Tensor)
        if basis.ndim == 2:
            return (code.flatten(0, 1) @ basis.T).unflatten(0, code.shape[:2])
        if len(basis) != len(code):
            raise ValueError(
                f"{type(self).__name__}: expected points for {len(code)} samples, got {len(basis)} sets"
            )
        if self.num_variables == 1:
            # One row a sample: batched products of such are slower than plain sums.
            return (code * basis).sum(dim=-1).unsqueeze(1)
        return torch.bmm(code, basis.mT)

    def _constants(self, points: Tensor, algebra: TaylorAlgebra, factor: Tensor | None) -> Tensor | None:
        """What does not depend on the inputs, lift and bias: (indices, [batch,] variables, points)."""
        parts = []
        if self.lift is not None:
            # A set of points a sample: the samples come before the variables.
            parts.append(self.lift.taylor(points, algebra).movedim(1, -2))
        if self.bias is not None:
            if factor is None:
                factor = points.new_zeros(len(algebra.indices), *points.shape[:-1])
                factor[0] = 1
            parts.append(factor.unsqueeze(-2) * self.bias[:, None])
        return sum(parts[1:], parts[0]) if parts else None

    def _formulas(self, texts: Sequence[str] | None) -> OutputFormulas | None:
        if texts is None:
            return None
        return OutputFormulas(texts, self.output.domain.dimension, self.output.times is not None)
