"""Kalman filter and smoother for linear Gaussian chains, all steps at once."""

from __future__ import annotations

from functools import cached_property

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.gp.associative_scan import Element, associative_scan


class LinearGaussianChain:
    r"""States that follow one another linearly, seen through Gaussian messages.

    .. math:: x_k = A_k x_{k-1} + q_k, \quad q_k \sim N(0, Q_k), \qquad
              \text{message at } k:\ \exp(h_k^\top x_k - \tfrac12 x_k^\top J_k x_k)

    with :math:`A_1 = 0`, so that :math:`Q_1` is the covariance of the first state. A message may be flat,
    J = 0 and h = 0: that is a missing observation, and it changes nothing elsewhere.

    Any stretch of the chain is a Gaussian of its last state given the one before it and a message to that
    one: :math:`(A, b, C, h, J)`. Joining two stretches is associative, so the filter is a scan from the
    left and the smoother joins it with a scan from the right. Only matrices I + C J of two positive
    semidefinite ones are inverted: they never are singular, whatever the gaps and messages.

    Args:
        transitions: :math:`A_k`, shape (n, d, d), the first one 0.
        noises: Covariances :math:`Q_k`, shape (n, d, d).
        precisions: :math:`J_k`, shape (n, d, d), symmetric positive semidefinite.
        shifts: :math:`h_k`, shape (n, d).

    Failure mode: Of a message p times as precise as the prior 16 - log10(p) digits are left; add noise.

    Source: Sarkka and Garcia-Fernandez (2021), Temporal parallelization of Bayesian smoothers,
    doi:10.1109/TAC.2020.2976316; here with messages in natural form.

    Example:
        >>> one = torch.ones(1, 1, 1, dtype=torch.float64)
        >>> LinearGaussianChain(0 * one, one, 3 * one, one[0]).smooth()[0]
        tensor([[0.2500]], dtype=torch.float64)
    """

    def __init__(
        self,
        transitions: Float64[Tensor, "n d d"],
        noises: Float64[Tensor, "n d d"],
        precisions: Float64[Tensor, "n d d"],
        shifts: Float64[Tensor, "n d"],
    ) -> None:
        self.transitions = transitions
        self.noises = noises
        self.precisions = precisions
        self.shifts = shifts
        nothing, zero = torch.zeros_like(noises), torch.zeros_like(shifts)
        identity = torch.eye(shifts.shape[1]).to(shifts).expand_as(noises)
        self._steps = _join(
            (transitions, zero, noises, zero, nothing), (identity, zero, nothing, shifts, precisions)
        )

    @cached_property
    def filtered(self) -> tuple[Float64[Tensor, "n d"], Float64[Tensor, "n d d"]]:
        """Each state given the messages up to its own: means (n, d) and covariances (n, d, d)."""
        _, means, covariances, _, _ = associative_scan(_join, self._steps)
        return means, covariances

    def predictions(self) -> tuple[Float64[Tensor, "n d"], Float64[Tensor, "n d d"]]:
        """Each state given the messages before its own.

        Returns:
            Means (n, d) and covariances (n, d, d).
        """
        means, covariances = (_after_nothing(part) for part in self.filtered)
        moved = (self.transitions @ means[..., None]).squeeze(-1)
        return moved, self.transitions @ covariances @ self.transitions.mT + self.noises

    def smooth(self) -> tuple[Float64[Tensor, "n d"], Float64[Tensor, "n d d"]]:
        """Each state given all messages.

        Returns:
            Means (n, d) and covariances (n, d, d).
        """
        means, covariances = self.filtered
        flipped = tuple(part.flip(0) for part in self._steps)
        _, _, _, shifts, precisions = associative_scan(lambda right, left: _join(left, right), flipped)
        shifts, precisions = (_after_nothing(part).flip(0) for part in (shifts, precisions))
        # With a square root of the covariance the variances stay positive however small they are.
        root, failed = torch.linalg.cholesky_ex(covariances)
        if bool(failed.any()):
            values, vectors = torch.linalg.eigh(covariances)
            root = vectors * values.clamp_min(0).sqrt()[:, None]
        inner = root.mT @ precisions @ root
        identity = torch.eye(inner.shape[-1]).to(inner)
        half = torch.linalg.solve_triangular(torch.linalg.cholesky(identity + inner), root.mT, upper=False)
        smoothed = half.mT @ half
        pull = shifts - (precisions @ means[..., None]).squeeze(-1)
        return means + (smoothed @ pull[..., None]).squeeze(-1), smoothed


def _join(left: Element, right: Element) -> Element:
    """Two stretches of the chain, one after the other."""
    move, mean, covariance, shift, precision = left
    next_move, next_mean, next_covariance, next_shift, next_precision = right
    size = move.shape[-1]
    identity = torch.eye(size).to(move)
    met = mean + (covariance @ next_shift[..., None]).squeeze(-1)
    columns = torch.cat((move, covariance, met[..., None]), dim=-1)
    solved = torch.linalg.solve(identity + covariance @ next_precision, columns)
    seen_move, seen_covariance, seen_mean = solved.split((size, size, 1), dim=-1)
    pull = next_shift - (next_precision @ mean[..., None]).squeeze(-1)
    return (
        next_move @ seen_move,
        (next_move @ seen_mean).squeeze(-1) + next_mean,
        _symmetric(next_move @ seen_covariance @ next_move.mT) + next_covariance,
        (seen_move.mT @ pull[..., None]).squeeze(-1) + shift,
        _symmetric(seen_move.mT @ next_precision @ move) + precision,
    )


def _symmetric(matrices: Tensor) -> Tensor:
    return (matrices + matrices.mT) / 2


def _after_nothing(sequence: Tensor) -> Tensor:
    """The sequence one step later, zero at first."""
    return torch.cat((torch.zeros_like(sequence[:1]), sequence[:-1]))
