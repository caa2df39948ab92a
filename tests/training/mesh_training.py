"""An operator small enough for tests on meshes, and a data set whose answer it can learn."""

import torch
from torch import nn

from pdeops.data import PDEDataModule, import_arrays
from pdeops.domains import AxisKind, Mesh, box_mesh
from pdeops.operators import Capabilities, Operator

NAME = "mesh_training.PointwiseLinear"


class PointwiseLinear(Operator):
    """The same affine map of the channels at every point."""

    capabilities = Capabilities(
        dimensions=frozenset({1, 2, 3}),
        axis_kinds=frozenset(AxisKind),
        needs_grid=False,
        changes_resolution=False,
    )

    def __init__(self, in_channels, out_channels, domain):
        super().__init__(in_channels, out_channels, domain)
        self.map = nn.Linear(in_channels, out_channels)

    def forward(self, values, domain=None, query=None):
        self.resolve_domain(values, domain, query)
        return self.map(values.movedim(1, -1)).movedim(-1, 1)


def uneven_mesh():
    """A unit square whose points crowd at its left side, so that a mean over points is no integral."""
    box = box_mesh((6, 6))
    points = box.points.clone()
    points[:, 0] = points[:, 0] ** 3
    return Mesh(points, box.simplices, box.boundaries)


def make_file(path, mesh, num_samples=12):
    """Sources and potentials that are 3 times the source plus 1."""
    source = torch.randn(num_samples, mesh.num_points, generator=torch.Generator().manual_seed(0)).double()
    return import_arrays(
        path,
        {"source": source},
        3 * source + 1,
        mesh,
        output_channels=("potential",),
        num_validation=2,
        num_test=3,
        dtype="float64",
    )


def make_data(path, **options):
    data = PDEDataModule(path=path, batch_size=4, **options)
    data.prepare_data()
    data.setup()
    return data
