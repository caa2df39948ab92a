"""Order of the shape solver: stress around a round hole, and flow in a bend, against closed forms."""

import torch
from order_case import OrderCase
from shape_flows import Bend, KirschPlate, bend_velocity, kirsch_stress

from pdeops.domains import Field
from pdeops.problems import evaluate
from solvers import ShapeSolver


def against(problem, truth):
    """Error on the reference domain; the truth is a function of the image's points, (points, 2)."""

    def run(solver, size):
        grid = problem.default_domain((size + 1, size + 1))
        inputs = problem.sample_inputs(grid, [0])
        solution = solver.solve(problem, inputs, grid)
        values = truth(problem.image(inputs).points).reshape(1, -1, *grid.shape)
        return 1 / size, {"l2": solution.relative_error(Field(values, grid, solution.channels)).item()}

    return run


def velocity_at(points):
    x, y = points.unbind(-1)
    return torch.stack([evaluate(part, {"x": x, "y": y}) for part in bend_velocity()])


def case(label, problem, truth):
    return OrderCase(
        label=label,
        solver=ShapeSolver(),
        kind="space",
        sizes=[12, 24, 36],
        run=against(problem, truth),
        norms={"l2": 2},
    )


CASES = [case("kirsch", KirschPlate(), kirsch_stress), case("bend", Bend(), velocity_at)]
