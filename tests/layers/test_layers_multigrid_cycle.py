"""The V-cycle against matrices, against the multigrid solver, and as an iteration."""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import nn

import solvers.elliptic.multigrid as multigrid
from pdeops.domains import Grid
from pdeops.layers import BoundaryPadding, MultigridCycle
from solvers.elliptic.flux_balance import FluxBalance

Beyond = Callable[[int, int], tuple[int, float]]

# Where the values beyond the ends come from, said as an index and a factor.
RULES: dict[tuple[str, str], Beyond] = {
    ("periodic", "zeros"): lambda i, n: (i % n, 1.0),
    ("periodic", "dirichlet"): lambda i, n: (i % n, 1.0),
    ("periodic", "neumann"): lambda i, n: (i % n, 1.0),
    ("nodes", "zeros"): lambda i, n: (min(max(i, 0), n - 1), float(0 <= i < n)),
    ("cells", "zeros"): lambda i, n: (min(max(i, 0), n - 1), float(0 <= i < n)),
    ("nodes", "dirichlet"): lambda i, n: (min(abs(i), 2 * (n - 1) - abs(i)), 1.0 if 0 <= i < n else -1.0),
    ("nodes", "neumann"): lambda i, n: (min(abs(i), 2 * (n - 1) - abs(i)), 1.0),
    ("cells", "dirichlet"): lambda i, n: (min(max(i, 0), n - 1), 1.0 if 0 <= i < n else -1.0),
    ("cells", "neumann"): lambda i, n: (min(max(i, 0), n - 1), 1.0),
}


def convolution_matrix(
    weight: torch.Tensor, shape: Sequence[int], rules: Sequence[Beyond], stride: int = 1
) -> torch.Tensor:
    """Matrix of (K u)_i = sum_t K_t u_{stride i - 1 + t}, entry by entry."""
    coarse = [-(-size // stride) for size in shape]
    result = torch.zeros(weight.shape[0], *coarse, weight.shape[1], *shape, dtype=weight.dtype)
    for point in np.ndindex(*coarse):
        for offset in np.ndindex(*weight.shape[2:]):
            source = [
                rule(stride * i - 1 + t, n) for rule, i, t, n in zip(rules, point, offset, shape, strict=True)
            ]
            every, index = slice(None), [inner for inner, _ in source]
            factor = math.prod(factor for _, factor in source)
            result[(every, *point, every, *index)] += factor * weight[(every, every, *offset)]
    return result.reshape(weight.shape[0] * math.prod(coarse), -1)


def prolongation_matrix(weight: torch.Tensor, shape: Sequence[int], rules: Sequence[Beyond]) -> torch.Tensor:
    """Matrix of (P c)_j = sum_i P_{j + 1 - 2i} c_i with i from -1 to n, entry by entry; weight (in, out)."""
    coarse = [(size + 1) // 2 for size in shape]
    result = torch.zeros(weight.shape[1], *shape, weight.shape[0], *coarse, dtype=weight.dtype)
    for point in np.ndindex(*shape):
        for source in itertools.product(*(range(-1, size + 1) for size in coarse)):
            offset = [j + 1 - 2 * i for j, i in zip(point, source, strict=True)]
            if all(0 <= t < k for t, k in zip(offset, weight.shape[2:], strict=True)):
                inside = [rule(i, n) for rule, i, n in zip(rules, source, coarse, strict=True)]
                every, index = slice(None), [inner for inner, _ in inside]
                factor = math.prod(factor for _, factor in inside)
                result[(every, *point, every, *index)] += factor * weight[(every, every, *offset)].T
    return result.reshape(weight.shape[1] * math.prod(shape), -1)


def cycle_matrix(cycle: MultigridCycle, shape: tuple[int, ...], rules: Sequence[Beyond]) -> torch.Tensor:
    """The whole V-cycle as a product of matrices, from the finest level down and back."""

    def smooth(steps: nn.Module, f: torch.Tensor, u: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
        for smoother, operator in zip(steps.smoothers, steps.operators, strict=True):
            residual = f
            if not isinstance(operator, nn.Identity):
                residual = f - convolution_matrix(operator.weight, size, rules) @ u
            u = u + convolution_matrix(smoother.weight, size, rules) @ residual
        return u

    def solve(number: int, f: torch.Tensor, u: torch.Tensor | None, size: tuple[int, ...]) -> torch.Tensor:
        level = cycle.levels[number]
        channels = cycle.levels[-1].smoothers[0].weight.shape[0]
        if u is None:
            u = f.new_zeros(channels * math.prod(size), f.shape[1])
        if number == len(cycle.levels) - 1:
            return smooth(level, f, u, size)
        u = smooth(level.pre, f, u, size)
        restrict = convolution_matrix(level.restrict.weight, size, rules, stride=2)
        coarse = tuple((n + 1) // 2 for n in size)
        if hasattr(level, "restrict_start"):
            start = convolution_matrix(level.restrict_start.weight, size, rules, stride=2) @ u
            correction = solve(number + 1, restrict @ f, start, coarse)
        else:
            residual = f - convolution_matrix(level.operator.weight, size, rules) @ u
            correction = solve(number + 1, restrict @ residual, None, coarse)
        u = u + prolongation_matrix(level.prolong.convolution.weight, size, rules) @ correction
        return smooth(level.post, f, u, size)

    unknowns = cycle.levels[-1].smoothers[0].weight.shape[1] * math.prod(shape)
    return solve(0, torch.eye(unknowns, dtype=torch.float64), None, shape)


@pytest.mark.parametrize("restrict", ["residual", "input"])
@pytest.mark.parametrize(("kind", "boundary"), RULES)
@pytest.mark.parametrize("size", [16, 13, 11, 14])
def test_equals_the_product_of_its_matrices(size: int, kind: str, boundary: str, restrict: str) -> None:
    padding = BoundaryPadding(Grid.box((size,), kind), boundary)
    cycle = MultigridCycle(2, 3, (size,), padding, num_levels=3, restrict=restrict, post=1).double()
    values = torch.randn(4, 2, size, dtype=torch.float64)
    expected = values.flatten(1) @ cycle_matrix(cycle, (size,), [RULES[kind, boundary]]).T
    torch.testing.assert_close(cycle(values).flatten(1), expected, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("restrict", ["residual", "input"])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(
    ("shape", "kinds", "boundary"),
    [
        ((9, 8), ("periodic", "nodes"), "neumann"),
        ((8, 6), ("cells", "periodic"), "dirichlet"),
        ((6, 5, 4), ("cells", "nodes", "periodic"), "neumann"),
    ],
)
def test_kinds_of_axes_mix(
    shape: tuple[int, ...], kinds: tuple[str, ...], boundary: str, shared: bool, restrict: str
) -> None:
    padding = BoundaryPadding(Grid.box(shape, kinds), boundary)
    options = {"num_levels": 2, "restrict": restrict, "shared": shared, "pre": 2}
    cycle = MultigridCycle(1, 2, shape, padding, **options).double()
    values = torch.randn(3, 1, *shape, dtype=torch.float64)
    rules = [RULES[kind, boundary] for kind in kinds]
    expected = values.flatten(1) @ cycle_matrix(cycle, shape, rules).T
    torch.testing.assert_close(cycle(values).flatten(1), expected, atol=1e-12, rtol=1e-12)


def test_no_steps_before_the_coarser_levels_restricts_the_input_itself() -> None:
    # Both forms are then the same map, if the stencils are: nothing is subtracted, nothing restricted twice.
    padding = BoundaryPadding(Grid.box((13,), "nodes"))
    forms = []
    for restrict in ("residual", "input"):
        torch.manual_seed(3)
        forms.append(
            MultigridCycle(2, 2, (13,), padding, num_levels=3, restrict=restrict, pre=0, post=1).double()
        )
    values = torch.randn(2, 2, 13, dtype=torch.float64)
    forms[0].load_state_dict(forms[1].state_dict())
    torch.testing.assert_close(forms[0](values), forms[1](values), atol=1e-13, rtol=0)


@pytest.mark.parametrize(("kind", "shape"), [("nodes", (9, 17)), ("cells", (8, 16)), ("cells", (12,))])
def test_transfers_start_as_linear_interpolation_and_as_an_average(kind: str, shape: tuple[int, ...]) -> None:
    grid = Grid.box(shape, kind)
    coarse = grid.with_shape([(size + 1) // 2 for size in shape])
    cycle = MultigridCycle(2, 2, shape, BoundaryPadding(grid), num_levels=2).double()
    linear = [sum(x * (k + 2) for k, x in enumerate(box.coordinates)) + 1 for box in (grid, coarse)]
    fine, half = (torch.stack([values, -3 * values])[None] for values in linear)
    # One point away from the walls, where zeros come in, both are exact for linear functions.
    inner = (..., *(slice(1, -1) for _ in shape))
    with torch.no_grad():
        found, averaged = cycle.levels[0].prolong(half), cycle.levels[0].restrict(fine)
    torch.testing.assert_close(found[inner], fine[inner], atol=1e-12, rtol=0)
    torch.testing.assert_close(averaged[inner], half[inner], atol=1e-12, rtol=0)


def classical(grid: Grid, boundary: str, mass: float, coarsest: str, steps: int = 3) -> MultigridCycle:
    """The textbook's V(steps, steps) for -Laplace u + mass u, with unit spacing: its stencils as weights.

    Cells and periodic points are joined in pairs, as in `solvers`; of nodes every other one stays. Coarse
    operators are those of the coarser grid.
    """
    dimension = grid.dimension
    # Down to 3 periodic points, 3 nodes or 4 cells an axis.
    pairs = grid.axes[0].kind != "nodes"
    intervals = grid.shape[0] - (0 if pairs else 1)
    levels = int(math.log2(intervals / (3 if grid.is_periodic else 4 if pairs else 2))) + 1
    cycle = MultigridCycle(
        1,
        1,
        grid.shape,
        BoundaryPadding(grid, boundary),
        num_levels=levels,
        restrict="residual",
        pre=steps,
        post=steps,
        coarsest=1 if coarsest == "inverse" else 12,
    ).double()
    # Chebyshev's polynomial on [1/2, 2], as factors of Jacobi steps.
    angles = [math.pi * (2 * k + 1) / (2 * steps) for k in range(steps)]
    damping = [1 / (1.25 - 0.75 * math.cos(angle)) for angle in angles]
    line = [0.25, 0.75, 0.75, 0.25] if pairs else [0.5, 1.0, 0.5]
    transfer = torch.ones((), dtype=torch.float64)
    for _ in range(dimension):
        transfer = transfer[..., None] * torch.tensor(line, dtype=torch.float64)
    for number, level in enumerate(cycle.levels):
        face = 2.0 ** (number * (dimension - 2))
        diagonal = 2 * dimension * face + mass * 2.0 ** (number * dimension)
        operator = torch.zeros((3,) * dimension, dtype=torch.float64)
        for axis in range(dimension):
            for side in (0, 2):
                operator[tuple(side if other == axis else 1 for other in range(dimension))] = -face
        operator[(1,) * dimension] = diagonal
        identity = torch.zeros((3,) * dimension, dtype=torch.float64)
        identity[(1,) * dimension] = 1 / diagonal
        with torch.no_grad():
            for name, parameter in level.named_parameters():
                if "smoothers" in name:
                    factor = damping[int(name.split(".")[-2]) % steps]
                    parameter.copy_(factor * identity)
                elif "operator" in name:
                    parameter.copy_(operator)
                else:
                    parameter.copy_(transfer)
    if coarsest == "inverse":
        # On three periodic points an axis every map that commutes with shifts is a stencil of width 3.
        size = (3,) * dimension
        matrix = convolution_matrix(operator[None, None], size, [RULES["periodic", "dirichlet"]] * dimension)
        with torch.no_grad():
            row = torch.linalg.pinv(matrix)[int(np.ravel_multi_index((1,) * dimension, size))].reshape(size)
            cycle.levels[-1].smoothers[0].weight.copy_(row)
    return cycle


@pytest.mark.parametrize("shape", [(48,), (24, 24), (12, 12, 12)])
def test_with_the_classical_stencils_it_is_the_cycle_of_the_multigrid_solver(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    mass, dimension = 0.01, len(shape)
    # The solver goes down to three points an axis, too.
    monkeypatch.setattr(multigrid, "COARSEST_UNKNOWNS", 3**dimension)
    faces = tuple(torch.ones(1, *shape, dtype=torch.float64) for _ in shape)
    walls = tuple(
        torch.zeros(
            1, *(2 if other == axis else size for other, size in enumerate(shape)), dtype=torch.float64
        )
        for axis in range(dimension)
    )
    balance = FluxBalance(faces, walls, torch.full((1, *shape), mass, dtype=torch.float64))
    solver = multigrid.Multigrid(balance, [1.0] * dimension, smoothing_steps=2, dtype=torch.float64)
    cycle = classical(Grid.periodic(shape), "zeros", mass, "inverse", steps=2)
    values = torch.randn(3, *shape, dtype=torch.float64)
    torch.testing.assert_close(cycle(values[:, None])[:, 0], solver(values), atol=1e-11, rtol=1e-11)


def contraction(grid: Grid, boundary: str) -> float:
    """Factor by which u <- u + V(f - A u) reduces the residual in the long run, for Poisson's equation."""
    cycle = classical(grid, boundary, 0.0, "inverse" if grid.is_periodic else "steps")
    padding = BoundaryPadding(grid, boundary)
    error = torch.randn(1, 1, *grid.shape, dtype=torch.float64)
    norms = []
    with torch.no_grad():
        for _ in range(14):
            residual = cycle.levels[0].operator(padding(error))
            norms.append(residual.norm())
            error = error - cycle(residual)
    return float((norms[-1] / norms[-6]) ** 0.2)


@pytest.mark.parametrize(
    ("kind", "boundary", "sizes"),
    [
        ("periodic", "zeros", (12, 24, 96)),
        ("nodes", "neumann", (17, 33, 129)),
        ("nodes", "dirichlet", (17, 33, 129)),
        ("cells", "neumann", (16, 32, 128)),
        ("cells", "dirichlet", (16, 32, 128)),
    ],
)
def test_with_the_classical_stencils_it_solves_poisson_at_a_rate_that_no_grid_changes(
    kind: str, boundary: str, sizes: tuple[int, ...]
) -> None:
    assert max(contraction(Grid.box((size, size), kind), boundary) for size in sizes) < 0.2


def test_zeros_move_away_from_the_wall_on_coarser_levels() -> None:
    # What the docstring warns of: with them no choice of the spacing makes all levels the same problem.
    assert contraction(Grid.box((65, 65), "nodes"), "zeros") > 1


@pytest.mark.parametrize(("kind", "boundary"), RULES)
def test_gradients_of_the_padding_are_those_of_differences(kind: str, boundary: str) -> None:
    padding = BoundaryPadding(Grid.box((4, 3), ("periodic", kind)), boundary)
    values = torch.randn(1, 2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(padding, values)
    assert torch.autograd.gradgradcheck(lambda v: padding(v) ** 2, values)
    adjacent = values.detach().contiguous(memory_format=torch.channels_last)
    found = padding(adjacent)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(found, padding(values))
