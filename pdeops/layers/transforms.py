"""Truncated orthonormal transforms between values on a grid and coefficients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdeops.domains import AxisKind, Grid
from pdeops.layers.bases import analysis_matrix, check_modes, synthesis_matrix
from pdeops.layers.constants import constant
from pdeops.layers.fast_transforms import fast_analysis, fast_synthesis

TransformMethod = Literal["auto", "matmul", "fft"]

# A matrix costs 2 n m operations a line, an FFT about 2.5 n log2 n slower ones, and cosines reorder the line
# before and turn the spectrum after. Measured on one core (AVX-512, float32, 2^21 values, lines along the
# last dimension, n from 64 to 4096), both take the same time at m = this number times log2 n, within a factor
# of 2.
MATMUL_MODES_PER_OCTAVE = {AxisKind.PERIODIC: 6.0, AxisKind.CELLS: 32.0, AxisKind.NODES: 32.0}


class TruncatedTransform(nn.Module):
    r"""The lowest coefficients of a field in an orthonormal tensor-product basis, and back.

    .. math:: c_k = \frac{1}{|\Omega|}\int_\Omega u\,\phi_k\,dx, \qquad u(x) = \sum_{k < m} c_k\,\phi_k(x)

    with the functions of `synthesis_matrix`: Fourier on periodic axes, cosines on cells and nodes. The
    integral is the quadrature of the grid, under which the functions are exactly orthonormal, so

    * the coefficients do not depend on the resolution: a field that is band-limited goes to another number of
      points by ``inverse(forward(values), shape)`` exactly;
    * Parseval's identity is one of means: :math:`\sum c_k^2 = |\Omega|^{-1}\int u^2 dx` for such a field.
      The lengths of the axes never enter, which keeps coefficients at the scale of the values.

    Two methods give the same numbers: products with cached matrices, cost 2 n m a line, and the FFT, cost
    O(n log n) a line whatever m is; ``"auto"`` takes, axis by axis, what is faster on a CPU: the matrix up to
    m = 6 log2 n on periodic axes (36 of 64) and 32 log2 n on the others. Inside autocast all is float32.

    Args:
        kinds: Kind of each axis: periodic, cells or nodes.
        modes: Number of basis functions m on each axis, at most its number of points. On a periodic axis
            2 K + 1 functions hold the waves up to K.
        method: ``"auto"``, ``"matmul"`` or ``"fft"``.

    Raises:
        ValueError: An axis has no such basis, or the numbers of kinds and modes differ.

    Good values: 2 K + 1 modes on a periodic axis and K to 2 K on the others, K the highest wave of interest.

    Failure mode: Cosines converge slowly (as k^-2) for fields whose slope at the walls is not zero. The
    Nyquist function (modes equal to the number of points) does not keep its size on other grids.

    Source: Poli et al. (2022), Transform Once, arXiv:2211.14453, for networks on such coefficients.

    Example:
        >>> transform = TruncatedTransform.of_grid(Grid.periodic((64, 64)), modes=(25, 25))
        >>> transform(torch.ones(1, 3, 64, 64)).shape
        torch.Size([1, 3, 25, 25])
    """

    def __init__(
        self, kinds: Sequence[AxisKind | str], modes: Sequence[int], *, method: TransformMethod = "auto"
    ) -> None:
        super().__init__()
        if len(kinds) != len(modes) or not kinds:
            raise ValueError(f"transform: expected one number of modes an axis, got {kinds} and {modes}")
        if method not in ("auto", "matmul", "fft"):
            raise ValueError(f"transform: method: expected 'auto', 'matmul' or 'fft', got {method!r}")
        for kind, number in zip(kinds, modes, strict=True):
            check_modes(kind, max(number, 2), number)
        self.kinds = tuple(AxisKind(kind) for kind in kinds)
        self.modes = tuple(modes)
        self.method = method

    @classmethod
    def of_grid(
        cls, grid: Grid, modes: Sequence[int], *, method: TransformMethod = "auto"
    ) -> TruncatedTransform:
        """Build the transform that fits a grid's axes.

        Args:
            grid: The grid.
            modes: Number of basis functions on each axis.
            method: See the class.

        Returns:
            The transform.

        Raises:
            ValueError: The grid does not carry these modes.
        """
        transform = cls(tuple(AxisKind(axis.kind) for axis in grid.axes), modes, method=method)
        transform.check_shape(grid.shape)
        return transform

    @property
    def dimension(self) -> int:
        """Number of axes."""
        return len(self.kinds)

    def check_shape(self, shape: Sequence[int]) -> None:
        """Check that a grid of this shape carries the modes.

        Raises:
            ValueError: It has another number of axes, or more modes than points on one.
        """
        if len(shape) != self.dimension:
            raise ValueError(f"transform: expected {self.dimension} axes, got the shape {tuple(shape)}")
        for kind, num_points, number in zip(self.kinds, shape, self.modes, strict=True):
            check_modes(kind, num_points, number)

    def forward(self, values: Float[Tensor, "*batch_and_shape"]) -> Float[Tensor, "*batch_and_modes"]:
        """Coefficients of values.

        Args:
            values: Values, shape (..., *shape).

        Returns:
            Coefficients, shape (..., *modes); float32, or float64 for such values.

        Raises:
            ValueError: The grid does not carry the modes.
        """
        self.check_shape(values.shape[-self.dimension :])
        with torch.autocast(values.device.type, enabled=False):
            result = _at_least_float32(values)
            # Last axis first: it is one large product, and it leaves the others a fraction of the lines.
            for axis in reversed(range(self.dimension)):
                kind, number = self.kinds[axis], self.modes[axis]
                dim = axis - self.dimension
                num_points = result.shape[dim]
                if self._takes_matmul(kind, num_points, number):
                    arguments = (str(kind), num_points, number)
                    matrix = constant(analysis_matrix, arguments, result.dtype, result.device)
                    result = _apply(matrix, result, dim)
                else:
                    result = fast_analysis(result.movedim(dim, -1), kind, number).movedim(-1, dim)
        return result

    def inverse(
        self, coefficients: Float[Tensor, "*batch_and_modes"], shape: Sequence[int]
    ) -> Float[Tensor, "*batch_and_shape"]:
        """Values from coefficients, on a grid of any shape that carries the modes.

        Args:
            coefficients: Coefficients, shape (..., *modes).
            shape: Number of points an axis of the grid wanted.

        Returns:
            Values, shape (..., *shape); float32, or float64 for such coefficients.

        Raises:
            ValueError: The coefficients are not (..., *modes), or the grid does not carry the modes.
        """
        if tuple(coefficients.shape[-self.dimension :]) != self.modes:
            raise ValueError(
                f"transform: expected coefficients (..., {', '.join(map(str, self.modes))}), "
                f"got {tuple(coefficients.shape)}"
            )
        self.check_shape(shape)
        with torch.autocast(coefficients.device.type, enabled=False):
            result = _at_least_float32(coefficients)
            for axis in range(self.dimension):
                kind, number, num_points = self.kinds[axis], self.modes[axis], shape[axis]
                dim = axis - self.dimension
                if self._takes_matmul(kind, num_points, number):
                    arguments = (str(kind), num_points, number)
                    matrix = constant(synthesis_matrix, arguments, result.dtype, result.device)
                    result = _apply(matrix, result, dim)
                else:
                    result = fast_synthesis(result.movedim(dim, -1), kind, num_points).movedim(-1, dim)
        return result

    def extra_repr(self) -> str:
        """Kinds, modes and method, for printing."""
        return f"kinds={tuple(map(str, self.kinds))}, modes={self.modes}, method={self.method!r}"

    def _takes_matmul(self, kind: AxisKind, num_points: int, modes: int) -> bool:
        if self.method == "auto":
            return modes <= MATMUL_MODES_PER_OCTAVE[kind] * math.log2(max(num_points, 2))
        return self.method == "matmul"


def _at_least_float32(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()


def _apply(matrix: Tensor, values: Tensor, dim: int) -> Tensor:
    """Multiply a matrix into one dimension without moving the others."""
    if dim == -1:
        return values @ matrix.T
    rows, columns = matrix.size(0), matrix.size(1)
    lines = values.reshape(-1, values.shape[dim], math.prod(values.shape[dim + 1 :]))
    # bmm and not matmul: matmul would fold the batch into the columns, which costs two copies.
    result = torch.bmm(matrix.expand(len(lines), rows, columns), lines)
    return result.reshape(*values.shape[:dim], rows, *values.shape[dim + 1 :])
