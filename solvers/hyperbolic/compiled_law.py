"""Fluxes, speeds and sources of a conservation law as functions of tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sympy
import torch
from jaxtyping import Float
from torch import Tensor

from pdeops.problems.conservation_law import ConservationLaw

TORCH_FUNCTIONS = {
    **{name: getattr(torch, name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log")},
    **{name: getattr(torch, name) for name in ("asin", "acos", "atan", "sqrt", "sign")},
    "Abs": torch.abs,
}


class CompiledLaw:
    """The expressions of a law, turned into straight code once; a walk of the trees costs more than the sums.

    Args:
        law: The law; its parameters become numbers in the code.
    """

    def __init__(self, law: ConservationLaw) -> None:
        self._symbols = {
            law.function(variable.name): sympy.Dummy(variable.name, real=True) for variable in law.outputs
        }
        self._coordinates = law.space_symbols
        self._numbers = {law.symbol(name): value for name, value in law.numbers.items()}
        axes = range(law.dimension)
        self._fluxes = [self._compiled([flux[axis] for flux in law.fluxes]) for axis in axes]
        self._speeds = [self._compiled(distinct_speeds(law.characteristic_speeds[axis])) for axis in axes]
        self._sources = self._compiled(law.sources)

    def fluxes(
        self, axis: int, state: Float[Tensor, "batch channels *shape"], coordinates: Sequence[Tensor]
    ) -> Float[Tensor, "batch channels *shape"]:
        """Fluxes along an axis.

        Args:
            axis: Number of the axis.
            state: Values of the outputs.
            coordinates: Where, one tensor an axis, on the state's device.

        Returns:
            One flux an output.
        """
        return torch.stack(self._values(self._fluxes[axis], state, coordinates), dim=1)

    def speeds(
        self, axis: int, state: Float[Tensor, "batch channels *shape"], coordinates: Sequence[Tensor]
    ) -> tuple[Float[Tensor, "batch *shape"], Float[Tensor, "batch *shape"]]:
        """Lowest and highest speed along an axis; see `fluxes`."""
        values = self._values(self._speeds[axis], state, coordinates)
        return values[0], values[-1]

    def sources(
        self, state: Float[Tensor, "batch channels *shape"], coordinates: Sequence[Tensor]
    ) -> Float[Tensor, "batch channels *shape"]:
        """Sources; see `fluxes`."""
        return torch.stack(self._values(self._sources, state, coordinates), dim=1)

    def _compiled(self, expressions: Sequence[sympy.Expr]) -> Callable[..., list[Tensor | float]]:
        plain = [sympy.N(item.subs(self._symbols).subs(self._numbers)) for item in expressions]
        arguments = [*self._symbols.values(), *self._coordinates]
        return sympy.lambdify(arguments, plain, modules=[TORCH_FUNCTIONS], cse=True)

    @staticmethod
    def _values(
        function: Callable[..., list[Tensor | float]], state: Tensor, coordinates: Sequence[Tensor]
    ) -> list[Tensor]:
        shape = state.select(1, 0).shape
        return [
            torch.as_tensor(value, dtype=state.dtype, device=state.device).expand(shape)
            for value in function(*state.unbind(1), *coordinates)
        ]


def distinct_speeds(speeds: tuple[sympy.Expr, sympy.Expr]) -> tuple[sympy.Expr, ...]:
    """Lowest and highest speed, or the one that they are."""
    return speeds[:1] if speeds[0] == speeds[1] else speeds
