"""Orders of the finite element solvers: true errors in L2 and the H1 seminorm, by quadrature in the cells."""

import math
from dataclasses import replace
from functools import cache

import torch
from order_case import OrderCase

from pdeops.domains import Field, box_mesh, l_shape_mesh
from pdeops.problems import (
    AllenCahn,
    Darcy2D,
    Dirichlet,
    HeatEquation,
    LinearElasticity,
    Neumann,
    Poisson,
    SteadyAllenCahn,
    Stokes,
)
from solvers import FiniteElementEvolutionSolver, FiniteElementSolver
from solvers.elements.element_function import relative_errors

LINEAR, QUADRATIC = FiniteElementSolver(degree=1), FiniteElementSolver(degree=2)


def on(exact, mesh_of, names=None):
    """Run a solver against an exact solution; the size is passed to the maker of meshes."""

    def run(solver, size):
        mesh, h = mesh_of(size)
        functions = solver.solve_functions(exact.problem, exact.inputs(mesh), mesh).functions
        outputs = [variable.name for variable in exact.problem.outputs]
        chosen = [outputs.index(name) for name in names or outputs]
        truth = [exact.expressions[outputs[number]] for number in chosen]
        return h, relative_errors([functions[number] for number in chosen], exact.problem, truth)

    return run


def square(size):
    return box_mesh((size, size)), 1 / size


def flat_square(size):
    """Cells that are longer than wide, on another box: nothing hangs on the unit square."""
    return box_mesh((size, size), lower=(-0.5, 0.0), upper=(0.5, 0.5)), 1 / size


def quarter(size):
    """A quarter of the unit square: the waves of the exact solutions are twice as well resolved."""
    return box_mesh((size, size), upper=(0.5, 0.5)), 0.5 / size


def anywhere(exact):
    """The same solution with its own values as conditions, so that it can be posed on any domain."""
    first, second = [exact.expressions[variable.name] for variable in exact.problem.outputs[:2]]
    problem = replace(
        exact.problem,
        boundary_x={"default": Dirichlet(value=str(first))},
        boundary_y={"default": Dirichlet(value=str(second))},
    )
    return replace(exact, problem=problem)


def cube(size):
    return box_mesh((size,) * 3), 1 / size


def interval(size):
    return box_mesh((size,)), 1 / size


def corner(size):
    return l_shape_mesh(size), 2.0**-size


SINGULAR = "sqrt(x**2 + y**2)**(2/3)*cos(4/3*atan((y - x)/(sqrt(2*(x**2 + y**2)) - x - y + 1e-300)))"
r"""On the L-shape: :math:`r^{2/3} \cos(2 \varphi / 3)`, with the angle from the bisector of the domain.

The tangent of half that angle is the coordinate across over r plus the one along, which never changes sign.
"""


def singular_poisson():
    problem = Poisson(boundary={"default": Dirichlet(value=SINGULAR)})

    def run(solver, size):
        mesh, h = corner(size)
        source = Field(torch.zeros(1, 1, mesh.num_points).double(), mesh, ("source",))
        outcome = solver.solve_functions(problem, {"source": source}, mesh)
        return h, outcome.functions[0].errors(problem, problem.parse(SINGULAR))

    return run


def steady_cases():
    poisson, elasticity = Poisson().exact_solutions(), LinearElasticity().exact_solutions()
    scenes = [
        ("poisson dirichlet", on(poisson["smooth"], flat_square), [6, 12, 24]),
        ("poisson mixed", on(poisson["mixed"], square), [6, 12, 24]),
        ("poisson l-shape", on(poisson["smooth"], corner), [2, 3, 4]),
        ("poisson interval", on(Poisson(dimension=1).exact_solutions()["smooth"], interval), [8, 16, 32]),
        ("poisson cube", on(Poisson(dimension=3).exact_solutions()["smooth"], cube), [3, 4, 6]),
        ("darcy variable", on(Darcy2D().exact_solutions()["smooth"], square), [12, 24, 48]),
        ("allen-cahn", on(SteadyAllenCahn().exact_solutions()["smooth"], quarter), [6, 12, 24]),
        ("elasticity", on(anywhere(elasticity["clamped"]), quarter), [12, 24, 48]),
    ]
    for label, run, sizes in scenes:
        for solver in (LINEAR, QUADRATIC):
            order = solver.degree + 1
            yield OrderCase(
                label=f"{label} P{solver.degree}",
                solver=solver,
                kind="space",
                sizes=sizes,
                run=run,
                norms={"l2": order, "h1": order - 1},
            )


def stokes_case():
    return OrderCase(
        label="stokes velocity",
        solver=QUADRATIC,
        kind="space",
        sizes=[8, 16, 32],
        run=on(anywhere(Stokes().exact_solutions()["vortex"]), quarter, ["velocity_x", "velocity_y"]),
        norms={"l2": 3, "h1": 2},
    )


def corner_cases():
    for solver in (LINEAR, QUADRATIC):
        yield OrderCase(
            label=f"singular corner P{solver.degree}",
            solver=solver,
            kind="space",
            sizes=[3, 4, 5],
            run=singular_poisson(),
            norms={"l2": 4 / 3, "h1": 2 / 3},
            tolerance=0.1,
            reason="the gradient is infinite at a re-entrant corner of 3 pi / 2: orders 2 * 2/3 and 2/3",
        )


def heat_in_space(solver, size):
    """The solution is symmetric but for x, so a quarter of the square has known fluxes at its inner sides."""
    exact = HeatEquation().exact_solutions()["warm_wall"]
    given = Dirichlet(value="x")
    boundary = {
        "x_lower": given,
        "y_lower": given,
        "x_upper": Neumann(flux="diffusivity"),
        "y_upper": Neumann(),
    }
    problem = replace(exact.problem, boundary=boundary)
    (mesh, h), times = quarter(size), torch.tensor([0.5]).double()
    (function,) = solver.solve_functions(problem, exact.inputs(mesh), mesh, times)
    truth = exact.expressions["temperature"].subs(problem.time_symbol, times.item())
    return h, function.errors(problem, truth)


def phases():
    """Allen-Cahn with a steady inflow on one side: diffusion, growth and the cubic term all at work."""
    problem = AllenCahn(
        diffusivity=0.02, boundary={"x_lower": Dirichlet(value="cos(pi*y)/2"), "default": Dirichlet()}
    )
    mesh = box_mesh((6, 6))
    x, y = mesh.points.T
    start = torch.cos(math.pi * y) / 2 * (1 - x) ** 2 * (1 + x)
    return problem, {"initial_phase": Field(start[None, None], mesh, ("initial_phase",))}, mesh


@cache
def exact_in_time(degree):
    problem, inputs, mesh = phases()
    solver = FiniteElementEvolutionSolver(degree=degree, time_step=1 / 1280)
    return solver.solve_functions(problem, inputs, mesh, torch.tensor([1.0]).double())[0]


def phases_in_time(solver, size):
    problem, inputs, mesh = phases()
    times = torch.tensor([1.0]).double()
    (function,) = replace(solver, time_step=1 / size).solve_functions(problem, inputs, mesh, times)
    reference = exact_in_time(solver.degree)
    mass = reference.space.mass()
    size_of = [
        math.sqrt(values @ (mass @ values))
        for values in ((function.coefficients - reference.coefficients)[0], reference.coefficients[0])
    ]
    return 1 / size, {"l2": size_of[0] / size_of[1]}


def evolution_cases():
    for degree in (1, 2):
        yield OrderCase(
            label=f"heat P{degree}",
            solver=FiniteElementEvolutionSolver(degree=degree, time_step=0.01),
            kind="space",
            sizes=[6, 12, 24],
            run=heat_in_space,
            norms={"l2": degree + 1, "h1": degree},
        )
        yield OrderCase(
            label=f"allen-cahn P{degree}",
            solver=FiniteElementEvolutionSolver(degree=degree, time_step=1.0),
            kind="time",
            sizes=[40, 80, 160],
            run=phases_in_time,
            norms={"l2": 2},
        )


CASES = [*steady_cases(), stokes_case(), *corner_cases(), *evolution_cases()]
