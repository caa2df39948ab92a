"""Functional Tucker decomposition as a surrogate of one instance, from scattered measurements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from pdeops.domains import Domain, Field
from pdeops.gp.functional_tucker import FunctionalTucker
from pdeops.gp.tensor_core import TuckerCore
from pdeops.instances import InstanceFit, Measurements, posterior_field
from pdeops.problems import Problem


class FunctionalTuckerModel:
    """A field in space and time from scattered noisy values of it; the equations are not used.

    Each unknown gets a `FunctionalTucker` of its own, whose modes are the time, where there is one, and the
    coordinates in space.

    Args:
        ranks: Rank of all modes, or one a mode; None to let the evidence choose, see `AutomaticRanks`.
        core: "tucker" or "cp".
        smoothness: Smoothness of the Matern kernels: 0.5, 1.5 or 2.5.
        length_scale: First length scale, as a fraction of each coordinate's range.
        noise_std: Standard deviation of the noise, in the unit of the values; None to learn it.
        sweeps: Most sweeps over all modes.
        starts: Random starts.
        seed: Seed of the starts.

    Raises:
        ValueError: An option is not among the choices.

    Good values: See `FunctionalTucker`.

    Failure mode: See `FunctionalTucker`.

    Source: Fang et al. (2024), Functional Bayesian Tucker decomposition for continuous-indexed tensor data.
    """

    name = "FunctionalTucker"
    from_measurements = True
    shows_progress = True

    def __init__(
        self,
        *,
        ranks: int | Sequence[int] | None = None,
        core: Literal["tucker", "cp"] = "tucker",
        smoothness: float = 2.5,
        length_scale: float = 0.2,
        noise_std: float | None = None,
        sweeps: int = 200,
        starts: int = 3,
        seed: int = 0,
        progress: bool = False,
    ) -> None:
        self.ranks = tuple(ranks) if isinstance(ranks, Sequence) else ranks
        self.core = core
        self.smoothness, self.length_scale, self.noise_std = smoothness, length_scale, noise_std
        self.sweeps, self.starts, self.seed, self.progress = sweeps, starts, seed, progress
        self._new()

    def misfit(self, problem: Problem, domain: Domain) -> str | None:
        """Why it cannot work for a problem on a domain, or None."""
        names = ([] if problem.steady else ["t"]) + [str(symbol) for symbol in problem.space_symbols]
        if len(names) < 2:
            return (
                f"expected two or more coordinates of space and time, got {', '.join(names)} of a steady "
                "problem; try a problem with a time, or with two dimensions"
            )
        if isinstance(self.ranks, tuple) and len(self.ranks) != len(names):
            return f"ranks: expected one each for {', '.join(names)}, got {list(self.ranks)}; try 5"
        return None

    def fit(
        self,
        problem: Problem,
        inputs: Mapping[str, Field],
        domain: Domain,
        times: Float64[Tensor, " time"] | None,
        measurements: Mapping[str, Measurements],
    ) -> InstanceFit:
        """Learn each unknown from its measurements; see `InstanceModel.fit`.

        Raises:
            ValueError: An unknown has no measurements.
            FloatingPointError: Every start broke down.
        """
        missing = [output.name for output in problem.outputs if output.name not in measurements]
        if missing:
            raise ValueError(f"FunctionalTuckerModel: expected measurements of {missing}, got none")
        fields, number, evidence, words = [], 0, 0.0, []
        for output in problem.outputs:
            given = measurements[output.name]
            model = self._new().fit(given.points, given.values)
            fields.append(posterior_field(model, domain, times, channel=output.name, unit=output.unit))
            number += free_numbers(model)
            # The model scales its values to 1, which changes their density.
            evidence += model.bounds[-1] - len(given.values) * math.log(model.scale)
            end = "converged" if model.converged else "not converged"
            ranks = " x ".join(str(rank) for rank in model.ranks_found)
            words.append(
                f"{output.name}: ranks {ranks}, {end} in {len(model.bounds)} sweeps, "
                f"noise {model.noise_variance**0.5:.2g}"
            )
        names, units = (tuple(getattr(output, key) for output in problem.outputs) for key in ("name", "unit"))
        dim = 1 if times is None else 2
        mean, deviation = (
            Field(
                torch.cat([field.values.narrow(dim, part, 1) for field in fields], dim),
                domain,
                names,
                units,
                times,
            )
            for part in (0, 1)
        )
        return InstanceFit(mean, deviation, number, evidence, "; ".join(words))

    def _new(self) -> FunctionalTucker:
        return FunctionalTucker(
            self.ranks,
            core=self.core,
            smoothness=self.smoothness,
            length_scale=self.length_scale,
            noise_std=self.noise_std,
            sweeps=self.sweeps,
            starts=self.starts,
            seed=self.seed,
            progress=self.progress,
        )


def free_numbers(model: FunctionalTucker) -> int:
    """Number of values of the functions at the points that were seen, and of the core where it is learned."""
    posterior = model.posterior
    core = posterior.core.mean.numel() if isinstance(posterior.core, TuckerCore) else 0
    return core + sum(functions.means.numel() for functions in posterior.functions)
