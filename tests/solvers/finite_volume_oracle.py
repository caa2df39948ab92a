"""The finite-volume equations written point by point and solved by dense elimination."""

import itertools
import math

import torch


def dense_system(grid, diffusion, *, walls, source, reaction=None, mask=None, outside=0.0, mean="harmonic"):
    """Matrix and right side for one sample, one row a point of the grid; known points have rows of ones.

    Args:
        grid: The grid.
        diffusion: a (*shape).
        walls: By name: ("dirichlet", g), ("neumann", g) or ("robin", alpha, g), each a function of the other
            axes' numbers.
        source: f (*shape).
        reaction: r (*shape).
        mask: Points to solve for.
        outside: Value at the others.
        mean: Of the coefficient at a face.
    """
    shape, axes = grid.shape, grid.axes
    number = {point: i for i, point in enumerate(itertools.product(*map(range, shape)))}
    matrix = torch.zeros(len(number), len(number), dtype=torch.float64)
    right_side = torch.zeros(len(number), dtype=torch.float64)

    def width(axis, i):
        half = axes[axis].kind == "nodes" and i in (0, shape[axis] - 1)
        return axes[axis].spacing / (2 if half else 1)

    def known(point):
        if mask is not None and not mask[point]:
            return outside
        for axis, i in enumerate(point):
            for side, end in (("lower", 0), ("upper", shape[axis] - 1)):
                wall = walls.get(f"{axes[axis].name}_{side}")
                if axes[axis].kind == "nodes" and i == end and wall[0] == "dirichlet":
                    return wall[1](*point[:axis], *point[axis + 1 :])
        return None

    for point, row in number.items():
        if known(point) is not None:
            matrix[row, row], right_side[row] = 1, known(point)
            continue
        volume = math.prod(width(axis, i) for axis, i in enumerate(point))
        right_side[row] += volume * source[point]
        if reaction is not None:
            matrix[row, row] += volume * reaction[point]
        for axis, i in enumerate(point):
            area, spacing = volume / width(axis, i), axes[axis].spacing
            for step, side in ((-1, "lower"), (1, "upper")):
                other = i + step
                if axes[axis].is_periodic:
                    other %= shape[axis]
                if 0 <= other < shape[axis]:
                    neighbour = (*point[:axis], other, *point[axis + 1 :])
                    left, right = diffusion[point], diffusion[neighbour]
                    face = 2 / (1 / left + 1 / right) if mean == "harmonic" else (left + right) / 2
                    matrix[row, row] += area * face / spacing
                    matrix[row, number[neighbour]] -= area * face / spacing
                    continue
                kind, *numbers = walls[f"{axes[axis].name}_{side}"]
                numbers = [value(*point[:axis], *point[axis + 1 :]) for value in numbers]
                to_wall = 2 * diffusion[point] / spacing
                if kind == "dirichlet":
                    matrix[row, row] += area * to_wall
                    right_side[row] += area * to_wall * numbers[0]
                    continue
                alpha, value = (0.0, numbers[0]) if kind == "neumann" else numbers
                if axes[axis].kind == "nodes":
                    matrix[row, row] += area * alpha
                    right_side[row] += area * value
                else:
                    # The flux to the wall, to_wall (u - w), is the flux out of it, alpha w - g.
                    matrix[row, row] += area * alpha * to_wall / (alpha + to_wall)
                    right_side[row] += area * (value - alpha * value / (alpha + to_wall))
    return matrix, right_side


def dense_solution(grid, diffusion, **data):
    """Solution (*shape) of `dense_system`."""
    return torch.linalg.solve(*dense_system(grid, diffusion, **data)).reshape(grid.shape)
