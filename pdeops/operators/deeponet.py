"""The deep operator network."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from pdeops.domains import Domain
from pdeops.layers import Activation, DenseNetwork, SensorKind, StackedNetworks
from pdeops.operators.branch_trunk import BranchTrunkOperator
from pdeops.operators.query_operator import OutputPoints


class DeepONet(BranchTrunkOperator):
    r"""Deep operator network: a branch reads the inputs, a trunk the point, and the output is their product.

    .. math:: u_v(a)(y) = g_v(y) + \ell(y)\,\Big(\sum_{k=1}^p b_{vk}\big(s(a)\big)\,t_k(y) + c_v\Big)

    with the sensors s. The last layer of the trunk is activated, that of the branch is not. Several variables
    share the trunk; the branch has p outputs for each of them.

    Lift g and factor :math:`\ell` hold conditions exactly: with the factor ``"x*(1 - x)*t"`` the output is g
    at the walls and at the start. They act in the units in which the operator works: with normalised outputs
    zero is the mean of the data, so train with ``data.normalise=inputs``.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of all output frames, time-major.
        domain: The domain of the inputs.
        output: Where the outputs of the training lie; the domain of the inputs, without time, if None.
        branch: Widths of the branch's layers; the last is the number p of functions.
        trunk: Widths of the trunk's layers; the last is p, too.
        activation: ``"relu"``, ``"tanh"``, ``"gelu"``, ``"silu"`` or ``"sine"``.
        stacked: Whether the branch is p networks with one output each.
        modified: Whether both networks are gated, each by its own input (see `DenseNetwork`). With gates
            shared by the two, as also published, the functions of the trunk would depend on the input.
        harmonics: Waves by which the trunk sees coordinates that repeat.
        sensors: ``"values"`` at the points of training, or ``"projection"``, which reads any grid or mesh.
        sensor_modes: Functions an axis of the projection.
        bias: Whether there is a constant c a variable.
        lift: Formula of x, y, z and t for g, or one a variable; zero if None.
        factor: Formula for :math:`\ell`, of all variables; one if None.

    Raises:
        ValueError: The domain or an option does not fit.

    Good values: branch and trunk of 2 to 4 layers of 40 to 128 channels; ReLU with values alone, tanh where
    derivatives are wanted.

    Failure mode: The output lies in the span of p functions: fronts that move need many, so transport and
    shocks come out worse than with operators that are not linear in the branch.

    Source: Lu, Jin, Pang, Zhang and Karniadakis (2021), doi:10.1038/s42256-021-00302-5.

    Example:
        >>> operator = DeepONet(1, 1, Grid.box((100,)), branch=(40, 40), trunk=(40, 40))
        >>> operator(torch.zeros(8, 1, 100), query=torch.rand(5, 1)).shape
        torch.Size([8, 1, 5])
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
        stacked: bool = False,
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
                "DeepONet: expected branch and trunk with the same last width, "
                f"got {list(branch)} and {list(trunk)}"
            )
        if stacked and modified:
            raise ValueError("DeepONet: expected stacked or modified networks, got both; try stacked=false")
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
        source, target = in_channels * self.sensors.num_sensors, self.num_variables * num_basis
        self.branch = (
            StackedNetworks(source, hidden, target, activation=activation)
            if stacked
            else DenseNetwork(source, [*hidden, target], activation=activation, gated=modified)
        )

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
        coefficients: Tensor = self.branch(self.sensors(values, domain).flatten(1))
        return coefficients.unflatten(1, (self.num_variables, self.num_basis))
