"""Draws of the error of a collocated solution: from the prior, through the same solve."""

from __future__ import annotations

import math
from dataclasses import dataclass

import scipy.fft
import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.gp.prior_waves import PriorWaves
from pdeops.gp.tensor_collocation import (
    ROUNDING,
    Collocated,
    LinearisedSystem,
    TensorCollocation,
    weighted_sum,
)

NOISE_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class ErrorDraws:
    """Functions of the prior and what the solver makes of their data: the difference is an error.

    Args:
        waves: Coefficients of the waves of each draw, shape (draws, *waves).
        solutions: Coefficients of the solution for its data, shape (draws, *ranks).
        responses: Coefficients of the solution for noise of the size of rounding, same shape.
        scales: Factor of the error of each draw, shape (2, draws): for the unknown, and for its derivatives.
    """

    waves: Float64[Tensor, "draws *waves"]
    solutions: Float64[Tensor, "draws *ranks"]
    responses: Float64[Tensor, "draws *ranks"]
    scales: Float64[Tensor, "2 draws"]


def residual_sizes(residual: Float64[Tensor, "*shape"]) -> Float64[Tensor, " 2"]:
    """Norm of the waves of a residual over their numbers, and of the residual itself.

    Args:
        residual: The equation's residual at the points of a grid.

    Returns:
        Both norms.
    """
    waves = torch.from_numpy(scipy.fft.dctn(residual.cpu().numpy(), norm="ortho"))
    squares = torch.zeros_like(waves)
    for number, count in enumerate(waves.shape):
        halves = torch.arange(count, dtype=torch.float64) + 0.5
        squares += halves.square().reshape([-1 if n == number else 1 for n in range(waves.ndim)])
    return torch.stack([(waves / squares.sqrt()).norm(), waves.norm()])


def draw_errors(collocation: TensorCollocation, found: Collocated, draws: int, seed: int) -> ErrorDraws:
    r"""Draw functions from the prior and solve for their data.

    A draw has all waves of the prior, also those that the functions leave out. Its source and its boundary
    data go through the linearised solve as those of the problem did. Its error is scaled by how much larger
    the misfit of the problem is than that of the draw: so a solution that the prior holds for unlikely has
    wide intervals. The misfit is that of the equation's residual, or what is missed of the conditions on the
    faces where that is more than the error that the residual stands for. The norm of the residual is the one
    whose ratio to the error scatters least over draws: for the unknown that of the waves over their numbers,
    for derivatives that of the residual itself.

    Noise of the size of rounding in the source is added: the phase of its fastest wave, in units of the last
    place, and one number for all points of the same coordinate, for they share the rounding of its waves.

    Args:
        collocation: Functions and equation.
        found: The solution.
        draws: Number of draws.
        seed: Of the draws.

    Returns:
        The draws.

    Good values: 32 draws: deviations to 13 %.

    Failure mode: One solve has one error, smooth over the box: coverage is near its level over many problems,
        and may be anything for one. Where the error is a tenth of the solution or more deviations are too
        small; so they may be, by factors of ten and more, in nonlinear equations in time whose products make
        waves that the data do not have. Matern draws are rougher than smooth solutions: their deviations of
        derivatives are too wide.

    Source: Matheron's rule, Wilson et al. (2021), arXiv:2011.04026.
    """
    prior = PriorWaves(collocation)
    generator = torch.Generator().manual_seed(seed)
    values = collocation.derivatives(found.coefficients)
    slopes = collocation.equation.jacobian(values)
    system = LinearisedSystem(collocation, slopes)
    largest = max((slopes[orders] * values[orders]).square().mean().sqrt().item() for orders in slopes)
    phase = max(
        (basis.speeds.max() * (basis.points[-1] - basis.points[0])).item() for basis in collocation.bases
    )
    rounding = min(ROUNDING * phase / math.sqrt(12) * largest, found.noise)
    residual = collocation.equation.residual(values)
    floor = found.noise / max(residual.square().mean().sqrt().item(), 1e-300)
    sizes = floor * residual_sizes(residual)
    missed, _ = collocation.missed(collocation.faces, found.coefficients)
    missed_points = max(sum(values.numel() for values in collocation.faces), 1)
    drawn, solutions, responses, ratios, face_ratios, square = [], [], [], [], [], 0.0
    for _ in range(draws):
        waves = torch.randn(prior.shape, generator=generator, dtype=torch.float64).to(found.coefficients)
        source, faces = weighted_sum(slopes, prior.derivatives(waves)), prior.faces(waves)
        coefficients = collocation.lifted(collocation.on_functions(faces))
        for _ in range(2):  # as in `TensorCollocation.solve`
            left = source - weighted_sum(slopes, collocation.derivatives(coefficients))
            coefficients = coefficients + collocation.spread(system.solve(collocation.tested(left)))
        left = source - weighted_sum(slopes, collocation.derivatives(coefficients))
        noise = torch.zeros_like(source)
        for number, count in enumerate(source.shape):
            line = rounding * torch.randn(count, generator=generator, dtype=torch.float64).to(source)
            noise += line.reshape([-1 if n == number else 1 for n in range(source.ndim)])
        drawn.append(waves)
        solutions.append(coefficients)
        responses.append(collocation.spread(system.solve(collocation.tested(noise), NOISE_TOLERANCE)))
        ratios.append(sizes / residual_sizes(left))
        own, size = collocation.missed(faces, coefficients)
        face_ratios.append(missed / max(own, ROUNDING * size, 1e-300))
        error = collocation.values(coefficients) - prior.values(waves)
        square += (ratios[-1][0] ** 2).item() * error.square().mean().item() / draws
    scales = torch.stack(ratios, dim=1)
    # In the unit of the unknown: where a value is given, what is missed of it is the error there.
    if missed**2 / missed_points > square:
        scales = scales.new_tensor(face_ratios).repeat(2, 1)
    return ErrorDraws(
        torch.stack(drawn), torch.stack(solutions), torch.stack(responses), scales.to(found.coefficients)
    )
