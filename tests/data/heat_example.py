"""The heat equation on a circle, solved exactly in Fourier space: small enough for any test."""

import math
import time
from dataclasses import asdict, dataclass
from typing import ClassVar

import sympy
import torch

from pdeops.domains import AxisKind, Field, Grid
from pdeops.problems import Problem, Variable

NUM_WAVES = 3


@dataclass(frozen=True, kw_only=True)
class HeatEquation(Problem):
    """du/dt = diffusivity d2u/dx2 with u(0) a sum of three sines of random size."""

    name: ClassVar[str] = "heat"
    steady: ClassVar[bool] = False
    dimension: ClassVar[int] = 1
    inputs: ClassVar[tuple[Variable, ...]] = (Variable("initial_temperature"),)
    outputs: ClassVar[tuple[Variable, ...]] = (Variable("temperature"),)
    axis_kinds: ClassVar[tuple[AxisKind, ...]] = (AxisKind.PERIODIC,)

    diffusivity: float = 0.02

    def __post_init__(self):
        pass

    @property
    def parameters(self):
        return asdict(self)

    @property
    def equations(self):
        u, t, x = self.function("temperature"), self.time_symbol, self.space_symbols[0]
        return (sympy.Eq(sympy.diff(u, t), self.diffusivity * sympy.diff(u, x, 2)),)

    @classmethod
    def default_domain(cls, shape):
        return Grid.periodic(shape)

    def amplitudes(self, seeds):
        rows = [torch.randn(NUM_WAVES, generator=torch.Generator().manual_seed(s)).double() for s in seeds]
        return torch.stack(rows)

    def sample_inputs(self, domain, seeds):
        waves = torch.arange(1, NUM_WAVES + 1).double()
        sines = torch.sin(2 * math.pi * waves[:, None] * domain.axes[0].points)
        values = self.amplitudes(seeds) @ sines
        return {"initial_temperature": Field(values[:, None], domain, ("initial_temperature",))}


@dataclass(frozen=True)
class HeatSolver:
    """Exact in Fourier space; can be slowed down, and can fail, for the tests."""

    seconds_a_batch: float = 0.0
    poison: float = math.inf  # samples whose initial temperature exceeds it come out as NaN

    @property
    def settings(self):
        return {"solver": "heat"} if math.isinf(self.poison) else {"solver": "heat", "poison": self.poison}

    def solve(self, problem, inputs, domain, times):
        time.sleep(self.seconds_a_batch)
        initial = inputs["initial_temperature"].values
        spectrum = torch.fft.rfft(initial)
        waves = 2 * math.pi * torch.arange(spectrum.shape[-1], device=initial.device).double()
        decay = torch.exp(-problem.diffusivity * waves**2 * times.to(initial)[:, None])
        values = torch.fft.irfft(spectrum[:, None] * decay[:, None], n=domain.shape[0])
        values[initial.flatten(1).amax(dim=1) > self.poison] = math.nan
        return Field(values, domain, ("temperature",), times=times)
