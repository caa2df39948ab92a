"""What every neural operator takes, gives and says about itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import AxisKind, Domain, Grid
from pdeops.layers import TruncatedTransform

EVENLY_SPACED = frozenset({AxisKind.PERIODIC, AxisKind.CELLS, AxisKind.NODES})
"""Kinds of axes whose points are equally far apart, as transforms and small convolutions need them."""


@dataclass(frozen=True)
class Capabilities:
    """What an architecture can do; the contract tests hold it to this.

    Those of a class hold for its default options; options that change them change those of the object.

    Args:
        dimensions: Numbers of space dimensions.
        axis_kinds: Kinds of the axes of its grids.
        needs_grid: Whether the input must lie on a grid (otherwise on a mesh, too).
        any_query: Whether the output can be asked for at any points.
        changes_resolution: Whether the output converges when the same function is given on finer domains.
    """

    dimensions: frozenset[int]
    axis_kinds: frozenset[AxisKind] = frozenset(AxisKind)
    needs_grid: bool = True
    any_query: bool = False
    changes_resolution: bool = True


class Operator(nn.Module, ABC):
    """A learned map from input fields on a domain to output fields.

    Subclasses add their architecture as keyword-only options after the three arguments here.

    Args:
        in_channels: Channels of the input fields.
        out_channels: Channels of the output fields.
        domain: The domain of the training data.

    Raises:
        ValueError: The domain does not fit; see `misfit`.
    """

    capabilities: Capabilities

    def __init__(self, in_channels: int, out_channels: int, domain: Domain) -> None:
        super().__init__()
        if in_channels < 1 or out_channels < 1:
            raise ValueError(
                f"{type(self).__name__}: expected at least one channel in and out, "
                f"got {in_channels} and {out_channels}"
            )
        reason = type(self).misfit(domain)
        if reason is not None:
            raise ValueError(f"{type(self).__name__}: {reason}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.domain = domain

    @classmethod
    def misfit(cls, domain: Domain) -> str | None:
        """Say why a domain does not fit, before any data is made.

        Args:
            domain: The domain.

        Returns:
            The reason, or None if it fits.
        """
        if not isinstance(domain, Grid):
            reason = "expected a grid, got a mesh; try to resample the fields"
            return reason if cls.capabilities.needs_grid else None
        if domain.dimension not in cls.capabilities.dimensions:
            dimensions = " or ".join(map(str, sorted(cls.capabilities.dimensions)))
            return f"expected {dimensions} dimensions, got {domain.dimension}"
        for axis in domain.axes:
            if axis.kind not in cls.capabilities.axis_kinds:
                kinds = ", ".join(sorted(cls.capabilities.axis_kinds))
                return f"axis {axis.name!r}: expected a kind among {kinds}, got {str(axis.kind)!r}"
        return None

    def prepare(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Look at the training data once, before a training begins; nothing by default.

        Args:
            pairs: Inputs and targets of the training split, batch by batch, normalised as in training.
        """

    @abstractmethod
    def forward(
        self,
        values: Float[Tensor, "batch in_channels *shape"],
        domain: Domain | None = None,
        query: Float[Tensor, "*batch points coordinates"] | None = None,
    ) -> Float[Tensor, "batch out_channels *out_shape"]:
        """Map input fields to output fields.

        Args:
            values: Input, shape (batch, in_channels, *domain.shape).
            domain: Domain of the input; None is the training domain.
            query: Points of the output, for a `QueryOperator`; None is the domain.

        Returns:
            Output, shape (batch, out_channels, *domain.shape), or (batch, out_channels, points).

        Raises:
            ValueError: The values do not lie on the domain, or the domain or query does not fit.
        """

    def resolve_domain(self, values: Tensor, domain: Domain | None, query: Tensor | None = None) -> Domain:
        """Check the arguments of `forward` and return the domain that they mean.

        Args:
            values: Input of `forward`.
            domain: Domain given, or None.
            query: Query given, or None.

        Returns:
            The domain.

        Raises:
            ValueError: See `forward`.
        """
        name = type(self).__name__
        if query is not None and not self.capabilities.any_query:
            raise ValueError(f"{name}: expected query=None, for it answers on the domain only; try Field.at")
        if domain is None:
            domain = self.domain
        elif domain is not self.domain:
            reason = type(self).misfit(domain)
            if reason is not None:
                raise ValueError(f"{name}: {reason}")
        expected = (self.in_channels, *domain.shape)
        if tuple(values.shape[1:]) != expected:
            raise ValueError(
                f"{name}: expected values of shape (batch, {', '.join(map(str, expected))}), "
                f"got {tuple(values.shape)}; on another resolution, pass its domain"
            )
        return domain


class SpectralOperator(Operator):
    """An operator that predicts coefficients in an orthonormal basis, so that losses can stay there.

    By Parseval's identity the norm of a difference of coefficients is the norm of the difference of the
    fields, so training needs no inverse transform.
    """

    transform: TruncatedTransform

    @abstractmethod
    def coefficients(
        self, values: Float[Tensor, "batch in_channels *shape"], domain: Domain | None = None
    ) -> Float[Tensor, "batch out_channels *modes"]:
        """Predict the coefficients of the output in the basis of ``transform``.

        Args:
            values: Input, shape (batch, in_channels, *domain.shape).
            domain: Domain of the input; None is the training domain.

        Returns:
            Coefficients, shape (batch, out_channels, *transform.modes).
        """

    def forward(
        self,
        values: Float[Tensor, "batch in_channels *shape"],
        domain: Domain | None = None,
        query: Float[Tensor, "points dimension"] | None = None,
    ) -> Float[Tensor, "batch out_channels *out_shape"]:
        """Map input fields to output fields on the same grid: the coefficients, transformed back.

        Args:
            values: Input, shape (batch, in_channels, *domain.shape).
            domain: Grid of the input; None is the training grid.
            query: None; the operator answers on its grid only.

        Returns:
            Output, shape (batch, out_channels, *domain.shape).

        Raises:
            ValueError: See `coefficients`.
        """
        grid = as_grid(self.resolve_domain(values, domain, query))
        return self.transform.inverse(self.coefficients(values, domain), grid.shape)


def as_grid(domain: Domain) -> Grid:
    """Narrow a domain to a grid, for operators that need one.

    Args:
        domain: The domain.

    Returns:
        The same domain.

    Raises:
        TypeError: It is a mesh.
    """
    if not isinstance(domain, Grid):
        raise TypeError(f"expected a Grid, got a {type(domain).__name__}; try to resample the fields")
    return domain


def modes_per_axis(modes: int | Sequence[int], dimension: int) -> tuple[int, ...]:
    """Return one number of modes an axis.

    Args:
        modes: One number for all axes, or one an axis.
        dimension: Number of axes.

    Returns:
        The numbers.

    Raises:
        ValueError: There are more or fewer numbers than axes, or one is not positive.
    """
    numbers = (modes,) * dimension if isinstance(modes, int) else tuple(modes)
    if len(numbers) != dimension or min(numbers) < 1:
        raise ValueError(f"modes: expected a positive number, or one an axis ({dimension}), got {modes}")
    return numbers
