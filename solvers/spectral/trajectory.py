"""What step control needs to know about what it steps, in any spectral basis."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from pdeops.problems import Problem


@runtime_checkable
class Trajectory(Protocol):
    """One call of `solve`: the problem, and its state as coefficients (batch, channels, *modes)."""

    initial: Tensor

    @property
    def problem(self) -> Problem:
        """The problem."""
        ...

    @property
    def space(self) -> Any:
        """The basis.

        It has ``to_grid(state)``, the values on its ``product_grid``; and ``wavenumbers``, one tensor an axis
        that broadcasts to a state and orders its coefficients from smooth to rough.
        """
        ...

    @property
    def batch_size(self) -> int:
        """Number of samples."""
        ...
