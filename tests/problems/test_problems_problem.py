"""Validation in words, plain parameters, domains, LaTeX."""

import pickle

import pytest
import torch

from pdeops.domains import Field, Grid
from pdeops.problems import (
    BoundaryConditions,
    Burgers1D,
    Darcy2D,
    Dirichlet,
    LognormalPermeability,
    NavierStokes2D,
    Neumann,
    PeriodicRandomField,
    Poisson,
    Robin,
)

PROBLEMS = [NavierStokes2D(), Burgers1D(), Darcy2D()]


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (-1, ValueError, "viscosity: expected a positive number, got -1; try 0.001"),
        (0.0, ValueError, "viscosity: expected a positive number, got 0.0; try 0.001"),
        (float("nan"), ValueError, "viscosity: expected a positive number, got nan; try 0.001"),
        (float("inf"), ValueError, "viscosity: expected a positive number, got inf; try 0.001"),
        ("0.1", TypeError, "viscosity: expected a positive number, got '0.1' of type str; try 0.001"),
        (True, TypeError, "viscosity: expected a positive number, got True of type bool; try 0.001"),
        (None, TypeError, "viscosity: expected a positive number, got None of type NoneType; try 0.001"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_parameters_are_checked_in_words(value, error, message):
    with pytest.raises(error) as caught:
        NavierStokes2D(viscosity=value)
    assert str(caught.value) == message


def test_numbers_without_a_sign_may_be_negative():
    assert NavierStokes2D(forcing_amplitude=-2).forcing_amplitude == -2.0
    with pytest.raises(ValueError, match=r"forcing_amplitude: expected a finite number, got nan; try 0\.1"):
        NavierStokes2D(forcing_amplitude=float("nan"))


def test_formulas_are_checked_at_construction():
    with pytest.raises(ValueError, match=r"forcing: formula 'sinn\(x\)'.*try 'sin'"):
        NavierStokes2D(forcing="sinn(x)")
    with pytest.raises(ValueError, match=r"forcing: .*got 't'"):
        Darcy2D(forcing="t")


def test_an_integer_is_the_same_problem_as_a_float():
    one, same = NavierStokes2D(viscosity=1), NavierStokes2D(viscosity=1.0)
    assert one == same
    assert hash(one) == hash(same)
    assert type(one.parameters["viscosity"]) is float


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)
def test_problems_are_values(problem):
    problem.equations  # noqa: B018
    if not problem.steady:
        problem.linear_symbol(tuple(torch.ones(1) for _ in range(problem.dimension)))
    assert pickle.loads(pickle.dumps(problem)) == problem
    assert type(problem)() == problem
    with pytest.raises(AttributeError):
        problem.viscosity = 3.0


def test_parameters_are_flat_and_plain():
    problem = Darcy2D(forcing="x", sampler=LognormalPermeability(median=3))
    assert problem.parameters == {
        "boundary": "BoundaryConditions",
        "boundary.default": "Dirichlet",
        "boundary.default.value": "0",
        "forcing": "x",
        "sampler": "LognormalPermeability",
        "sampler.median": 3.0,
        "sampler.field": "NeumannRandomField",
        "sampler.field.scale": 50.0,
        "sampler.field.smoothness": 3.0,
        "sampler.field.inverse_length": 3.0,
        "sampler.field.max_wavenumber": 64,
    }
    assert NavierStokes2D().numbers == {"viscosity": 1e-3, "forcing_amplitude": 0.1}


def test_a_sampler_that_is_no_dataclass_is_named_where_it_would_be_stored():
    class Constant:
        def sample(self, grid, seeds):
            return torch.ones(len(seeds), *grid.shape, dtype=torch.float64)

    problem = Darcy2D(sampler=Constant())
    assert (
        problem.sample_inputs(problem.default_domain((4, 4)), [0])["permeability"].values.unique().item()
        == 1.0
    )
    with pytest.raises(TypeError, match=r"sampler: expected .* try a frozen dataclass"):
        problem.parameters  # noqa: B018


@pytest.mark.parametrize(
    ("problem", "domain", "message"),
    [
        (
            NavierStokes2D(),
            Grid.box((8, 8), "nodes"),
            r"got x in \[0, 1\] \(nodes\), y .*; try NavierStokes2D.default_domain",
        ),
        (NavierStokes2D(), Grid.periodic((8, 8), lengths=(2.0, 1.0)), r"got x in \[0, 2\]"),
        (
            NavierStokes2D(),
            Grid.periodic((8,)),
            r"navier_stokes: expected a grid on x in \[0, 1\], y in \[0, 1\]",
        ),
        (Burgers1D(), Grid.periodic((8,), names=("s",)), "got s in"),
        (
            Darcy2D(),
            Grid.periodic((8, 8)),
            "with cells or nodes or chebyshev axes or a mesh in 2 dimensions, got x .*periodic",
        ),
    ],
)
def test_domains_that_do_not_fit_are_refused(problem, domain, message):
    with pytest.raises(ValueError, match=message):
        problem.check_domain(domain)
    with pytest.raises(ValueError, match=message):
        problem.sample_inputs(domain, [0])


def test_darcy_lives_on_nodes_too():
    domain = Grid.box((85, 85), "nodes")
    assert Darcy2D().sample_inputs(domain, [0])["permeability"].domain == domain


def test_residual_says_what_does_not_fit():
    problem = Burgers1D()
    domain = problem.default_domain((8,))
    times = torch.tensor([0.0, 1.0], dtype=torch.float64)
    start = problem.sample_inputs(domain, [0])
    solution = Field(torch.zeros(1, 2, 1, 8).double(), domain, ("velocity",), times=times)
    with pytest.raises(ValueError, match="expected a solution with times"):
        problem.residual(solution.snapshot(0), start)
    with pytest.raises(ValueError, match=r"expected the inputs \['initial_velocity'\], got \[\]"):
        problem.residual(solution, {})
    with pytest.raises(ValueError, match="expected a solution with channels"):
        problem.residual(Field(solution.values, domain, ("speed",), times=times), start)
    with pytest.raises(ValueError, match="on the solution's domain"):
        problem.residual(solution, problem.sample_inputs(problem.default_domain((16,)), [0]))
    with pytest.raises(ValueError, match="with channel 'initial_velocity'"):
        problem.residual(solution, {"initial_velocity": solution.snapshot(0)})


def test_latex_is_written_with_the_symbols():
    assert Burgers1D().latex().splitlines() == [
        r"u \partial_{x} u + \partial_{t} u = \nu \partial_{x}^{2} u \\",
        r"u\left(x, 0\right) = u_0 \\",
        r"u = 0 \quad\text{on the boundary}",
    ]
    darcy = Darcy2D().latex()
    assert r"\partial_{x} \left(a \partial_{x} p\right)" in darcy
    assert darcy.splitlines()[-1] == r"p = 0 \quad\text{on the boundary}"
    mixed = Darcy2D(boundary={"x_lower": Robin(coefficient="2", value="y"), "default": Neumann()}).latex()
    flux = r"\left(n_{x} \partial_{x} p + n_{y} \partial_{y} p\right) a"
    assert mixed.splitlines()[-2:] == [
        flux + r" + 2 p = y \quad\text{on x lower} \\",
        flux + r" = 0 \quad\text{on the rest of the boundary}",
    ]


def test_the_programs_burgers_setting_of_the_docstring():
    sampler = PeriodicRandomField(scale=49.0, smoothness=2.5, inverse_length=7.0, max_wavenumber=512)
    problem = Burgers1D(viscosity=1e-3, sampler=sampler)
    values = problem.sample_inputs(problem.default_domain((1024,)), range(50))["initial_velocity"].values
    waves = 2 * torch.pi * torch.arange(1, 512).double()
    expected = (2 * 49**2 * (waves**2 + 49) ** -2.5).sum().item()
    assert values.square().mean().item() == pytest.approx(expected, rel=0.5)


def test_conditions_cover_the_boundary_and_nothing_else():
    grid = Grid.box((4, 4))
    conditions = BoundaryConditions({"x_lower": Dirichlet(value="y"), "default": Neumann()})
    assert list(conditions.on(grid).values()) == [Dirichlet(value="y"), Neumann(), Neumann(), Neumann()]
    assert conditions.on(Grid.box((4, 4), ["nodes", "periodic"])).keys() == {"x_lower", "x_upper"}
    assert hash(conditions) == hash(BoundaryConditions(dict(reversed(list(conditions.items())))))
    with pytest.raises(ValueError, match=r"got none for \['x_upper', 'y_lower', 'y_upper'\]; try 'default'"):
        BoundaryConditions({"x_lower": Dirichlet()}).on(grid)
    with pytest.raises(ValueError, match=r"or 'default', got \['left'\]"):
        Darcy2D(boundary={"left": Dirichlet(), "default": Neumann()}).check_domain(grid)
    with pytest.raises(ValueError, match=r"boundary condition on 'x_lower': .*'q'"):
        Darcy2D(boundary={"x_lower": Dirichlet(value="q"), "default": Neumann()})


@pytest.mark.usefixtures("unchecked")
def test_a_number_is_no_boundary_condition():
    with pytest.raises(TypeError, match="expected Dirichlet, Neumann or Robin, got 0; try"):
        Darcy2D(boundary={"x_lower": 0})


def test_a_periodic_axis_of_one_point_is_a_domain_although_nodes_need_two():
    # One point a period: the fields of one dimension less.
    grid = Grid.periodic((1, 8))
    assert Poisson().check_domain(grid) is grid
    with pytest.raises(ValueError, match=r"expected a grid on x, y .*default_domain\(\(2, 8\)\)"):
        Poisson().check_domain(Grid.periodic((1, 8), names=("a", "b")))
