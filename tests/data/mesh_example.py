"""Poisson's equation on a disk as the problem's own domain, for data sets that live on a mesh."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from pdeops.domains import Field, disk_mesh
from pdeops.problems import Poisson


@dataclass(frozen=True, kw_only=True)
class DiskPoisson(Poisson):
    """Sources on a unit disk that has about so many points across."""

    name: ClassVar[str] = "disk_poisson"

    @classmethod
    def default_domain(cls, shape):
        return disk_mesh(round(math.log2(shape[0])) - 1)


@dataclass(frozen=True)
class HalfOfSource:
    """A solver that halves the source at every point, so that its answer is known."""

    @property
    def settings(self):
        return {"solver": "half"}

    def solve(self, problem, inputs, domain, times):
        values = inputs["source"].values / 2
        return Field(torch.as_tensor(values), domain, ("potential",))
