"""The operator network with one branch an input."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import reduce

from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import Domain
from pdeops.layers import Activation, DenseNetwork, SensorKind
from pdeops.operators.branch_trunk import BranchTrunkOperator
from pdeops.operators.query_operator import OutputPoints


class MIONet(BranchTrunkOperator):
    r"""Multiple-input operator network: one branch an input channel, and the output is the product of all.

    .. math:: u_v(a_1, \dots, a_n)(y) = g_v(y) + \ell(y)\,
              \Big(\sum_{k=1}^p t_k(y) \prod_{i=1}^n b^{(i)}_{vk}\big(s(a_i)\big) + c_v\Big)

    A channel in which the solution is linear can have a linear branch: the output is then linear in it, up to
    the constant.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of all output frames, time-major.
        domain: The domain of the inputs.
        output: Where the outputs of the training lie; the domain of the inputs, without time, if None.
        branch: Widths of each branch's layers; the last is the number p of functions.
        trunk: Widths of the trunk's layers; the last is p, too.
        activation: See `DeepONet`.
        linear: Numbers of the channels whose branch is one linear map without constant.
        modified: See `DeepONet`.
        harmonics: See `DeepONet`.
        sensors: See `DeepONet`.
        sensor_modes: See `DeepONet`.
        bias: See `DeepONet`.
        lift: See `DeepONet`.
        factor: See `DeepONet`.

    Raises:
        ValueError: The domain or an option does not fit.

    Good values: widths of 200 with 1,000 training pairs.

    Failure mode: An input channel that is zero in all samples leaves the output constant where its branch is
    linear. Many channels make products that vanish or grow: for frames of a history take `DeepONet`.

    Source: Jin, Meng and Lu (2022), arXiv:2202.06137.

    Example:
        >>> operator = MIONet(2, 1, Grid.box((100,)), branch=(40, 40), trunk=(40, 40), linear=(1,))
        >>> operator(torch.zeros(8, 2, 100)).shape
        torch.Size([8, 1, 100])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        domain: Domain,
        output: OutputPoints | None = None,
        *,
        branch: Sequence[int] = (64, 64, 64),
        trunk: Sequence[int] = (64, 64, 64),
        activation: Activation = "tanh",
        linear: Sequence[int] = (),
        modified: bool = False,
        harmonics: int = 1,
        sensors: SensorKind = "values",
        sensor_modes: int = 8,
        bias: bool = True,
        lift: str | Sequence[str] | None = None,
        factor: str | None = None,
    ) -> None:
        if not branch or not trunk or branch[-1] != trunk[-1]:
            raise ValueError(
                "MIONet: expected branch and trunk with the same last width, "
                f"got {list(branch)} and {list(trunk)}"
            )
        if any(not 0 <= channel < in_channels for channel in linear):
            raise ValueError(
                f"MIONet: linear: expected channels from 0 to {in_channels - 1}, got {list(linear)}"
            )
        super().__init__(
            in_channels,
            out_channels,
            domain,
            output,
            trunk=trunk,
            activation=activation,
            modified=modified,
            harmonics=harmonics,
            sensors=sensors,
            sensor_modes=sensor_modes,
            bias=bias,
            lift=lift,
            factor=factor,
        )
        *hidden, num_basis = branch
        source, target = self.sensors.num_sensors, self.num_variables * num_basis

        def make(channel: int) -> nn.Module:
            if channel not in linear:
                return DenseNetwork(source, [*hidden, target], activation=activation, gated=modified)
            matrix = nn.Linear(source, target, bias=False)
            nn.init.xavier_normal_(matrix.weight)
            return matrix

        self.branches = nn.ModuleList(map(make, range(in_channels)))

    def encode(
        self, values: Float[Tensor, "batch in_channels *shape"], domain: Domain | None = None
    ) -> Float[Tensor, "batch variables basis"]:
        """Read the inputs; see `QueryOperator.encode`.

        Args:
            values: Input, shape (batch, in_channels, *domain.shape).
            domain: Domain of the input; None is the training domain.

        Returns:
            Coefficients of the trunk's functions.

        Raises:
            ValueError: The values do not lie on the domain, or it does not fit.
        """
        self.resolve_domain(values, domain)
        channels = self.sensors(values, domain).unbind(1)
        factors = [branch(channel) for branch, channel in zip(self.branches, channels, strict=True)]
        product: Tensor = reduce(operator.mul, factors)
        return product.unflatten(1, (self.num_variables, self.num_basis))
