"""Several functions of one coordinate with Gaussian-process priors, seen through Gaussian messages."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64, Int64
from torch import Tensor
from torch.nn import functional

from pdeops.gp.kalman import LinearGaussianChain
from pdeops.gp.state_space import FAR, MaternStateSpace

FIRST_STEP, LARGEST_STEP = 0.1, 0.5
"""Steps of the logarithms of the kernels' parameters, the first one and any."""

LEAST_DEVIATION = 1e-8
"""A function this small is nothing in double precision next to values of mean square 1."""


class LatentFunctions:
    r"""R functions of one coordinate, :math:`u_r \sim GP(0, \sigma_r^2 k(|x - x'| / \ell_r))`, independent.

    What is known of their values at a point is a message :math:`\exp(h^\top u - \tfrac12 u^\top \Lambda u)`,
    which couples them. The posterior under all messages comes from `LinearGaussianChain` with the states of
    all R functions side by side, in a time linear in the number of points.

    Args:
        coordinate: The coordinate of each datum, shape (entries,), any order, repeated or not.
        number: Number R of functions.
        state_space: The kernel.
        length_scale: First length scale :math:`\ell_r` of all, as a fraction of the coordinate's range.
        generator: Source of the first means, which are drawn from the prior.

    Good values: see `FunctionalTucker`.

    Failure mode: Work grows like the cube of R times the number of states of the kernel.
    """

    points: Float64[Tensor, " points"]
    where: Int64[Tensor, " entries"]

    def __init__(
        self,
        coordinate: Float64[Tensor, " entries"],
        number: int,
        state_space: MaternStateSpace,
        length_scale: float,
        generator: torch.Generator,
    ) -> None:
        self.state_space = state_space
        self.points, self.where = torch.unique(coordinate, return_inverse=True)
        count = len(self.points)
        reach = (self.points[-1] - self.points[0]).item() or 1.0
        self.longest, self.shortest = 1e2 * reach, 1e-4 * reach
        # Logarithms of length scales (first row) and standard deviations (second row).
        self.kernel = self.points.new_zeros(2, number)
        self.kernel[0] = math.log(length_scale * reach)
        self._inverse: Tensor | None = None
        self._last: tuple[Tensor, Tensor] | None = None
        self.means = self._draw(generator)
        self.seconds = self.means[:, :, None] * self.means[:, None, :]
        self.precisions = self.points.new_zeros(count, number, number)
        self.shifts = self.points.new_zeros(count, number)
        self.divergence = 0.0

    @property
    def length_scales(self) -> Float64[Tensor, " number"]:
        """Length scales of the kernels, in the unit of the coordinate."""
        return self.kernel[0].exp()

    @property
    def standard_deviations(self) -> Float64[Tensor, " number"]:
        """Prior standard deviations of the functions."""
        return self.kernel[1].exp()

    def update(
        self,
        precisions: Float64[Tensor, "points number number"],
        shifts: Float64[Tensor, "points number"],
        *,
        learn_kernel: bool,
    ) -> None:
        """Take new messages in place of the old ones: kernel, posterior and its divergence from the prior.

        Args:
            precisions: Sums of the messages' precisions at each point.
            shifts: Sums of their shifts.
            learn_kernel: Whether to move the kernels' parameters uphill first.
        """
        self.precisions, self.shifts = precisions, shifts
        chain = self._climb() if learn_kernel else self._chain(self.points, precisions, shifts, self.kernel)
        with torch.no_grad():
            self.means, covariances = self._values(*chain.smooth(), self.kernel)
            self.seconds = covariances + self.means[:, :, None] * self.means[:, None, :]
            expected = (shifts * self.means).sum() - (precisions * self.seconds).sum() / 2
            self.divergence = (expected - self._normaliser(chain, self.kernel)).item()

    def rescale(self, factors: Float64[Tensor, " number"]) -> None:
        """Multiply each function, its prior and its messages included: the divergence stays.

        Args:
            factors: Positive numbers.
        """
        moved = torch.stack((torch.zeros_like(factors), factors.log()))
        self.kernel = self.kernel + moved
        if self._last is not None:
            self._last = (self._last[0] + moved.flatten(), self._last[1])
        self.means = self.means * factors
        self.seconds = self.seconds * factors[:, None] * factors
        self.shifts = self.shifts / factors
        self.precisions = self.precisions / factors[:, None] / factors

    def turn(self, matrix: Float64[Tensor, "new old"], inverse: Float64[Tensor, "old new"]) -> None:
        """Take as many or fewer linear combinations of the functions in their place.

        Each gets the prior variance of its combination, and the mean of the logarithms of the length scales.

        Args:
            matrix: The combinations.
            inverse: The functions in terms of the combinations that stay.
        """
        shares = matrix.square() * self.standard_deviations.square()
        variances = shares.sum(dim=1).clamp_min(LEAST_DEVIATION**2)
        lengths = (shares @ self.kernel[0]) / shares.sum(dim=1).clamp_min(1e-300)
        self.kernel = torch.stack((lengths, variances.log() / 2))
        self.means = self.means @ matrix.mT
        self.seconds = matrix @ self.seconds @ matrix.mT
        self.precisions = inverse.mT @ self.precisions @ inverse
        self.shifts = self.shifts @ inverse
        self._inverse = self._last = None

    def append(self, others: LatentFunctions, number: int) -> None:
        """Add the largest of other functions of the same coordinate, scaled to 1 and known exactly so far.

        Args:
            others: Where they come from.
            number: How many.
        """
        sizes = others.means.square().mean(dim=0).sqrt()
        chosen = sizes.argsort(descending=True)[:number]
        old = self.kernel.shape[1]
        self.means = torch.cat((self.means, others.means[:, chosen] / sizes[chosen].clamp_min(1e-300)), dim=1)
        seconds = self.means[:, :, None] * self.means[:, None, :]
        seconds[:, :old, :old] = self.seconds
        self.seconds = seconds
        fresh = torch.stack((others.kernel[0, chosen], torch.zeros_like(sizes[chosen])))
        self.kernel = torch.cat((self.kernel, fresh), dim=1)
        # Nothing was said of them until the next update.
        self.precisions = functional.pad(self.precisions, (0, number, 0, number))
        self.shifts = functional.pad(self.shifts, (0, number))
        self._inverse = self._last = None

    def at(
        self, points: Float64[Tensor, " query"]
    ) -> tuple[Float64[Tensor, "query number"], Float64[Tensor, "query number number"]]:
        """Posterior of the functions at any points; those without data enter as missing observations.

        Args:
            points: Coordinates, any order.

        Returns:
            Means (query, R) and covariances (query, R, R).
        """
        with torch.no_grad():
            union, where = torch.unique(torch.cat((self.points, points)), return_inverse=True)
            known, wanted = where[: len(self.points)], where[len(self.points) :]
            precisions = self.precisions.new_zeros(len(union), *self.precisions.shape[1:])
            shifts = self.shifts.new_zeros(len(union), *self.shifts.shape[1:])
            precisions[known], shifts[known] = self.precisions, self.shifts
            chain = self._chain(union, precisions, shifts, self.kernel)
            means, covariances = self._values(*chain.smooth(), self.kernel)
            return means[wanted], covariances[wanted]

    def log_normaliser(self, kernel: Float64[Tensor, "2 number"]) -> Float64[Tensor, ""]:
        r"""Logarithm of the prior expectation of the messages.

        For messages of data with known noise, this is the marginal likelihood but for a constant.

        Args:
            kernel: Logarithms of length scales and standard deviations; may require a gradient.

        Returns:
            The logarithm.
        """
        return self._normaliser(self._chain(self.points, self.precisions, self.shifts, kernel), kernel)

    def _normaliser(self, chain: LinearGaussianChain, kernel: Tensor) -> Tensor:
        means, covariances = self._values(*chain.predictions(), kernel)
        identity = torch.eye(means.shape[1]).to(means)
        pull = self.shifts - (self.precisions @ means[..., None]).squeeze(-1)
        system = identity + covariances @ self.precisions
        moved = torch.linalg.solve(system, covariances @ pull[..., None]).squeeze(-1)
        # Twice the exponent at the prediction, and what the messages pull it up from there.
        exponents = (self.shifts + pull) * means + pull * moved
        return (exponents.sum() - torch.linalg.slogdet(system).logabsdet.sum()) / 2

    def _values(self, means: Tensor, covariances: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
        """Moments of the functions from those of the states, each of which has prior variance 1."""
        first, scales = slice(0, None, self.state_space.order), kernel[1].exp()
        return means[:, first] * scales, covariances[:, first, first] * scales[:, None] * scales

    def _climb(self) -> LinearGaussianChain:
        """One quasi-Newton step of the kernels' parameters; kept only if it is uphill."""
        kernel = self.kernel.clone().requires_grad_()
        chain = self._chain(self.points, self.precisions, self.shifts, kernel)
        height = self._normaliser(chain, kernel)
        (slope,) = torch.autograd.grad(height, kernel)
        inverse = self._bend(slope.flatten())
        step = (inverse @ slope.flatten()).reshape_as(kernel)
        candidate = self.kernel + step * (LARGEST_STEP / step.abs().max().clamp_min(LARGEST_STEP))
        candidate[0].clamp_(math.log(self.shortest), math.log(self.longest))
        candidate[1].clamp_(min=math.log(LEAST_DEVIATION))
        with torch.no_grad():
            moved = self._chain(self.points, self.precisions, self.shifts, candidate)
            if self._normaliser(moved, candidate) > height:
                self.kernel = candidate
                return moved
        self._inverse = inverse / 4
        return chain

    def _bend(self, slope: Tensor) -> Tensor:
        """The inverse curvature by the formula of Broyden, Fletcher, Goldfarb and Shanno.

        The messages have changed since the last slope was taken, but little once the fit is near its end.
        """
        place = self.kernel.flatten()
        identity = torch.eye(len(place)).to(place)
        if self._inverse is None:
            self._inverse = identity * FIRST_STEP / slope.abs().max().clamp_min(1e-300)
        if self._last is not None:
            moved, bent = place - self._last[0], self._last[1] - slope
            product = moved @ bent
            if product > 1e-10 * moved.norm() * bent.norm():
                left = identity - torch.outer(moved, bent) / product
                self._inverse = left @ self._inverse @ left.T + torch.outer(moved, moved) / product
        self._last = (place, slope)
        return self._inverse

    def _chain(
        self, points: Tensor, precisions: Tensor, shifts: Tensor, kernel: Tensor
    ) -> LinearGaussianChain:
        """The states of all functions side by side, each of prior variance 1."""
        order, number = self.state_space.order, kernel.shape[1]
        gaps = points.diff()[:, None] * self.state_space.rate(kernel[0].exp())
        moves, noises = self.state_space.transition(torch.cat((gaps.new_full((1, number), FAR), gaps)))
        # Nothing comes before the first point.
        moves = torch.cat((torch.zeros_like(moves[:1]), moves[1:]))
        blocks = torch.eye(number).to(kernel)
        scales = kernel[1].exp()
        scaled = precisions * scales[:, None] * scales
        corner = torch.zeros(order, order).to(kernel)
        corner[0, 0] = 1.0
        size = number * order
        return LinearGaussianChain(
            torch.einsum("nrij,rs->nrisj", moves, blocks).reshape(-1, size, size),
            torch.einsum("nrij,rs->nrisj", noises, blocks).reshape(-1, size, size),
            torch.einsum("nrs,ij->nrisj", scaled, corner).reshape(-1, size, size),
            torch.einsum("nr,i->nri", shifts * scales, corner[0]).reshape(-1, size),
        )

    def _draw(self, generator: torch.Generator, waves: int = 32) -> Tensor:
        """Functions with the kernel's spectrum, a Student-t density, as sums of random cosines."""
        number, freedom = self.kernel.shape[1], int(2 * self.state_space.smoothness)
        normal = torch.randn(number, waves, 1 + freedom, generator=generator, dtype=torch.float64)
        chi = normal[..., 1:].square().mean(dim=-1).sqrt()
        phases = 2 * math.pi * torch.rand(number, waves, generator=generator, dtype=torch.float64)
        frequencies = (normal[..., 0] / chi).to(self.points) / self.length_scales[:, None]
        sizes = math.sqrt(2 / waves)
        values = self.points.new_zeros(len(self.points), number)
        places = (self.points - self.points[0])[:, None]
        for wave in range(waves):
            values += sizes * torch.cos(places * frequencies[:, wave] + phases[:, wave].to(places))
        return values
