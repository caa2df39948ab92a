"""Known values: the L-shape and the disk under a uniform load."""

import math

import numpy
import pytest
import torch

from pdeops.domains import Field, disk_mesh, l_shape_mesh
from pdeops.problems import Poisson
from solvers import FiniteElementSolver


def uniform_load(mesh):
    return {"source": Field(torch.ones(1, 1, mesh.num_points).double(), mesh, ("source",))}


def deflection(mesh, degree):
    """The finite element function of -Lap u = 1, u = 0 on the boundary."""
    solver = FiniteElementSolver(degree=degree)
    return solver.solve_functions(Poisson(), uniform_load(mesh), mesh).functions[0]


class SingularExpansion:
    r"""The same on the L-shape by another method: functions that are exact around the corner.

    With the angle :math:`\theta` from one side of the corner to the other, at :math:`3 \pi / 2`,

    .. math:: u = -\tfrac{Y^2}{2} - \frac{r^2 (\log r \sin 2\theta + \theta \cos 2\theta)}{3 \pi}
                  + \sum_k c_k r^{2k/3} \sin \tfrac{2 k \theta}{3}

    has -Lap u = 1 and vanishes on both sides; the c_k are fitted to u = 0 on the four other sides.
    """

    def __init__(self, num_terms):
        self.powers = numpy.arange(1, num_terms + 1) * 2 / 3
        side = (1 - numpy.cos(math.pi * (numpy.arange(200) + 0.5) / 200)) / 2
        x = numpy.concatenate([-1 + 0 * side, 2 * side - 1, 1 + 0 * side, -side])
        y = numpy.concatenate([2 * side - 1, -1 + 0 * side, -side, 1 + 0 * side])
        particular, terms = self.parts(x, y)
        self.coefficients = numpy.linalg.lstsq(terms, -particular, rcond=1e-14)[0]

    def parts(self, x, y):
        angle = numpy.arctan2(y, x)
        theta = numpy.where(angle < math.pi / 2 - 1e-9, angle + 2 * math.pi, angle) - math.pi / 2
        r = numpy.maximum(numpy.hypot(x, y), 1e-300)
        swirl = numpy.log(r) * numpy.sin(2 * theta) + theta * numpy.cos(2 * theta)
        particular = -((r * numpy.sin(theta)) ** 2) / 2 - r**2 * swirl / (3 * math.pi)
        # Scaled to size one at the far corners.
        waves = (r[:, None] / math.sqrt(2)) ** self.powers * numpy.sin(self.powers * theta[:, None])
        return particular, waves

    def __call__(self, x, y):
        particular, waves = self.parts(x, y)
        return particular + waves @ self.coefficients

    def integral(self):
        """Gauss points on three squares, drawn towards the corner."""
        nodes, weights = numpy.polynomial.legendre.leggauss(40)
        places, weights = ((nodes + 1) / 2) ** 3, weights / 2 * 3 * ((nodes + 1) / 2) ** 2
        x, y = (item.reshape(-1) for item in numpy.meshgrid(places, places))
        measure = numpy.outer(weights, weights).reshape(-1)
        return sum(float(self(i * x, j * y) @ measure) for i, j in ((-1, 1), (-1, -1), (1, -1)))


def test_l_shape_by_two_families():
    terms = {count: SingularExpansion(count) for count in (40, 80)}
    integrals = {count: expansion.integral() for count, expansion in terms.items()}
    spread = abs(integrals[80] - integrals[40])
    assert spread < 3e-6
    elements = [deflection(l_shape_mesh(level), 2).integral() for level in (4, 5)]
    # The energy of a corner singularity converges with h^(4/3).
    extrapolated = elements[1] + (elements[1] - elements[0]) / (2 ** (4 / 3) - 1)
    assert extrapolated == pytest.approx(integrals[80], abs=spread)
    assert extrapolated == pytest.approx(0.214076, abs=3e-6)
    # Every conforming solution has less energy than the exact one.
    assert elements[0] < elements[1] < integrals[80]


def test_l_shape_maximum_is_on_the_diagonal():
    expansion = SingularExpansion(80)
    places = numpy.linspace(-0.4, -0.25, 1501)
    values = expansion(places, places)
    assert values.max() == pytest.approx(0.149412, abs=1e-6)
    assert places[values.argmax()] == pytest.approx(-0.33107, abs=2e-4)
    errors = []
    for level in (4, 5):
        mesh = l_shape_mesh(level)
        found = deflection(mesh, 2).point_values[0]
        x, y = mesh.points.numpy().T
        exact = expansion(x, y)
        # Pollution of the corner singularity, of order 4/3 far from it; the expansion errs at other corners.
        far = (numpy.hypot(x, y) > 0.25) & (numpy.maximum(abs(x), abs(y)) < 0.75)
        errors.append(abs(found.numpy() - exact)[far].max())
        assert found.max().item() == pytest.approx(exact.max(), abs=errors[-1])
    assert math.log2(errors[0] / errors[1]) == pytest.approx(4 / 3, abs=0.2)


@pytest.mark.parametrize("degree", [1, 2])
def test_disk(degree):
    # u = (1 - r^2) / 4: maximum 1/4, integral pi / 8. The polygon limits both degrees to second order.
    values = [deflection(disk_mesh(level), degree) for level in (3, 4, 5)]
    integrals = [math.pi / 8 - function.integral() for function in values]
    assert math.log2(integrals[1] / integrals[2]) == pytest.approx(2, abs=0.1)
    assert 0 < integrals[2] < 2e-3
    tops = [abs(1 / 4 - function.point_values.max().item()) for function in values]
    assert math.log2(tops[1] / tops[2]) == pytest.approx(2, abs=0.35)
    assert tops[2] < 5e-4
