"""Time and memory of a physics-informed step: derivatives through the trunk against nested reverse mode.

The residual of diffusion-reaction, u_t - D u_xx - k u^2 - f, with its gradient by the weights, of one
DeepONet with branch and trunk of 3 layers of 128 channels and tanh, for --functions functions at --points
points, float32:

- forward: `DeepONet.derivatives`, Taylor polynomials through the trunk, which is the same for all functions;
- reverse: every function with points of its own and automatic differentiation twice, as usually coded;
- loop: the same, function by function.

Memory is the growth of the resident set to its peak over three steps, in a process of its own.

    python scripts/benchmark.py operator_derivatives --functions 100 --points 4000
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from functools import partial
from statistics import median

import torch
from torch import Tensor

from benchmarks.training_step import Step, measure_memory, measure_memory_apart, take_turns, use_allocator
from pdeops.domains import Grid
from pdeops.operators import DeepONet, OutputPoints

WAYS = ("forward", "reverse", "loop")
DIFFUSION = REACTION = 0.01


def build(way: str, num_functions: int, num_points: int) -> tuple[Step, int]:
    """Build a step: residual, mean square, gradient by the weights."""
    torch.manual_seed(0)
    grid = Grid.box((50,))
    operator = DeepONet(1, 1, grid, OutputPoints(grid, (1.0,)), branch=(128,) * 3, trunk=(128,) * 3)
    inputs, points = torch.randn(num_functions, 1, 50), torch.rand(num_points, 2)

    def residual(u: Tensor, u_t: Tensor, u_xx: Tensor) -> Tensor:
        return u_t - DIFFUSION * u_xx - REACTION * u * u

    def by_reverse(code: Tensor, at: Tensor) -> Tensor:
        at = at.clone().requires_grad_()
        u = operator.decode(code, at)
        (slopes,) = torch.autograd.grad(u.sum(), at, create_graph=True)
        (second,) = torch.autograd.grad(slopes[..., 0].sum(), at, create_graph=True)
        return residual(u[:, 0], slopes[..., 1], second[..., 0])

    def step() -> float:
        operator.zero_grad()
        code = operator.encode(inputs)
        if way == "forward":
            loss = residual(*operator.derivatives(code, points, [(0, 0), (0, 1), (2, 0)])).square().mean()
        elif way == "reverse":
            loss = by_reverse(code, points.expand(num_functions, -1, -1)).square().mean()
        else:
            each = [by_reverse(one[None], points[None]).square().mean() for one in code]
            loss = torch.stack(each).mean()
        loss.backward()
        return loss.item()

    return step, sum(parameter.numel() for parameter in operator.parameters())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print.

    Args:
        arguments: Command line; by default that of the process.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--functions", type=int, default=100, help="functions of a step (100)")
    parser.add_argument("--points", type=int, default=4000, help="points of the residual (4000)")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch (1)")
    parser.add_argument("--repetitions", type=int, default=5, help="turns of each way (5)")
    parser.add_argument(
        "--allocator", choices=("keep", "default"), default="keep", help="memory of the process (keep)"
    )
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    allocator = use_allocator("operator_derivatives", arguments, options.allocator)
    torch.set_num_threads(options.threads)
    sizes = options.functions, options.points
    if options.memory_of is not None:
        print(json.dumps(measure_memory(partial(build, options.memory_of, *sizes))))
        return
    shared = ["--functions", str(sizes[0]), "--points", str(sizes[1]), "--threads", str(options.threads)]
    memory = {
        way: measure_memory_apart("operator_derivatives", ["--memory-of", way, *shared])
        for way in options.ways
    }
    losses = {way: build(way, *sizes)[0]() for way in options.ways}
    results = take_turns({way: partial(build, way, *sizes) for way in options.ways}, options.repetitions)
    print(
        f"Residual and gradient, {sizes[0]} functions, {sizes[1]} points, torch {torch.__version__}, "
        f"{platform.machine()}, {options.threads} thread(s), {allocator}\n\n"
        "| way | median ms | best ms | steps | this / forward | peak MB | this / forward | loss |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for way, (seconds, _) in results.items():
        slower = median(seconds) / median(results["forward"][0]) if "forward" in results else float("nan")
        larger = memory[way] / memory.get("forward", float("nan"))
        print(
            f"| {way} | {1e3 * median(seconds):.0f} | {1e3 * min(seconds):.0f} | {len(seconds)} "
            f"| {slower:.1f} | {memory[way]:.0f} | {larger:.1f} | {losses[way]:.6g} |"
        )
