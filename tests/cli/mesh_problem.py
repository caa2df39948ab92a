"""A problem whose own domain is a mesh, and which shows its samples elsewhere, for the command line."""

import math
from dataclasses import dataclass
from typing import ClassVar

from pdeops.domains import Mesh, disk_mesh
from pdeops.problems import Poisson


@dataclass(frozen=True, kw_only=True)
class MovedDisk(Poisson):
    """Sources on a unit disk, shown twice as large and moved by the first value of the source."""

    name: ClassVar[str] = "moved_disk"

    @classmethod
    def default_domain(cls, shape):
        return disk_mesh(round(math.log2(shape[0])) - 1)

    def image(self, inputs, sample=0):
        field = inputs["source"]
        return Mesh(2 * field.domain.points + field.values[sample, 0, 0].item(), field.domain.simplices)
