"""Time of one training step: our DeepONet and DeepXDE's (PyTorch backend), side by side in one run.

The same network, data, loss (mean square), dtype (float32), threads and optimizer (Adam, 1e-3). Ours is what
the Lightning module runs: operator, loss, backward, Adam, as ``conf/optimizer/adam.yaml`` has it. DeepXDE's
is one turn of its training loop without callbacks and tests: next batch and training step.

- triples: 10,000 functions with one point each, full batch, networks [100, 40, 40] and [1, 40, 40], ReLU: the
  published setting of the antiderivative.
- aligned: 1,000 functions at the same 100 points, same networks.
- physics: residual of diffusion-reaction, 50 functions on 50 sensors at the same --points points, networks
  [50, 128, 128, 128] and [2, 128, 128, 128], tanh; DeepXDE with its loop over functions and with ZCS; ours
  with derivatives in forward mode through the trunk. No initial or boundary conditions, on either side.

The contestants take turns, so that a busy machine slows all of them; medians are compared.

    pip install -e '.[bench]'
    python scripts/benchmark.py deeponet_step --threads 1
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from statistics import median
from typing import Any

import numpy
import torch
from torch import Tensor, nn

from benchmarks.training_step import Step, take_turns, use_allocator
from pdeops.domains import Grid
from pdeops.operators import DeepONet, OutputPoints
from pdeops.training import MeanSquared

CASES = ("triples", "aligned", "physics")
PEER, PEER_ZCS, OURS, COMPILED = "DeepXDE", "DeepXDE ZCS", "ours", "ours compiled"
DIFFUSION = REACTION = 0.01
NUM_FUNCTIONS, NUM_SENSORS = 50, 50


def contestants(case: str) -> tuple[str, ...]:
    """Who takes part in a case."""
    return (PEER, PEER_ZCS, OURS) if case == "physics" else (PEER, OURS, COMPILED)


def data(case: str, num_points: int) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Inputs at the sensors, points and targets; for physics the targets are the inputs at the points."""
    random = numpy.random.default_rng(0)
    if case == "triples":
        shapes = (10_000, 100), (10_000, 1), (10_000, 1)
    elif case == "aligned":
        shapes = (1000, 100), (100, 1), (1000, 100)
    else:
        shapes = (NUM_FUNCTIONS, NUM_SENSORS), (num_points, 2), (NUM_FUNCTIONS, num_points)
    inputs, targets = (random.standard_normal(shape, dtype="float32") for shape in (shapes[0], shapes[2]))
    return inputs, random.random(shapes[1], dtype="float32"), targets


def build_ours(case: str, num_points: int, compiled: bool) -> tuple[Step, int]:
    """Build our step."""
    inputs, points, targets = map(torch.from_numpy, data(case, num_points))
    grid, loss = Grid.box((inputs.shape[1],)), MeanSquared()
    if case == "physics":
        output = OutputPoints(grid, (1.0,))
        operator = DeepONet(1, 1, grid, output, branch=(128,) * 3, trunk=(128,) * 3, activation="tanh")
    else:
        operator = DeepONet(1, 1, grid, branch=(40, 40), trunk=(40, 40), activation="relu")
    query = points[:, None] if case == "triples" else points
    known = targets.reshape(len(inputs), 1, -1)
    values = inputs[:, None]
    answer: Callable[..., Tensor] = torch.compile(operator, dynamic=False) if compiled else operator

    def compute_loss() -> Tensor:
        if case != "physics":
            return loss.at_points(answer(values, query=query), known)
        u, u_t, u_xx = operator.derivatives(operator.encode(values), points, [(0, 0), (0, 1), (2, 0)])
        return loss.at_points(u_t - DIFFUSION * u_xx - REACTION * u * u, known)

    return finish(operator, compute_loss)


def finish(operator: nn.Module, compute_loss: Callable[[], Tensor]) -> tuple[Step, int]:
    """Add Adam to a loss."""
    optimizer = torch.optim.Adam(operator.parameters(), lr=1e-3)

    def step() -> float:
        optimizer.zero_grad()
        loss = compute_loss()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step, sum(parameter.numel() for parameter in operator.parameters())


def build_peer(case: str, num_points: int, zcs: bool) -> tuple[Step, int]:
    """Build DeepXDE's step."""
    os.environ["DDE_BACKEND"] = "pytorch"
    import deepxde

    inputs, points, targets = data(case, num_points)
    if case == "physics":
        sizes = [50, 128, 128, 128], [2, 128, 128, 128], "tanh", "Glorot normal"
        network = deepxde.nn.DeepONetCartesianProd(*sizes)
        samples: Any = physics_data(inputs, points, targets, zcs)
        model = (deepxde.zcs.Model if zcs else deepxde.Model)(samples, network)
    else:
        sizes = [100, 40, 40], [1, 40, 40], "relu", "Glorot normal"
        both = (inputs, points), targets
        if case == "triples":
            network, samples = deepxde.nn.DeepONet(*sizes), deepxde.data.Triple(*both, *both)
        else:
            network = deepxde.nn.DeepONetCartesianProd(*sizes)
            samples = deepxde.data.TripleCartesianProd(*both, *both)
        model = deepxde.Model(samples, network)
    model.compile("adam", lr=1e-3, verbose=0)

    def step() -> float:
        model.train_state.set_data_train(*samples.train_next_batch(None))
        state = model.train_state
        model._train_step(state.X_train, state.y_train, state.train_aux_vars)
        return 0.0

    return step, sum(parameter.numel() for parameter in network.parameters())


def physics_data(inputs: numpy.ndarray, points: numpy.ndarray, sources: numpy.ndarray, zcs: bool) -> Any:
    """DeepXDE's data of a Cartesian product of functions and points, with our inputs and points."""
    import deepxde

    def residual(points: Any, u: Tensor, source: Tensor) -> Tensor:
        if zcs:
            by_points = deepxde.zcs.LazyGrad(points, u)
            u_t, u_xx = by_points.compute((0, 1)), by_points.compute((2, 0))
        else:
            u_t, u_xx = deepxde.grad.jacobian(u, points, j=1), deepxde.grad.hessian(u, points, j=0)
        return u_t - DIFFUSION * u_xx - REACTION * u * u - source

    plane = deepxde.geometry.Rectangle([0, 0], [1, 1])
    equation = deepxde.data.PDE(plane, residual, [], num_domain=len(points))
    kind = deepxde.zcs.PDEOperatorCartesianProd if zcs else deepxde.data.PDEOperatorCartesianProd
    functions = deepxde.data.PowerSeries(N=4)
    samples = kind(equation, functions, numpy.linspace(0, 1, NUM_SENSORS)[:, None], len(inputs), [0])
    samples.train_x = (inputs, points)
    samples.train_aux_vars = sources
    return samples


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print.

    Args:
        arguments: Command line; by default that of the process.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch (1)")
    parser.add_argument("--repetitions", type=int, default=60, help="turns of each contestant (60)")
    parser.add_argument("--points", type=int, default=4000, help="points of the residual (4000)")
    parser.add_argument(
        "--allocator", choices=("keep", "default"), default="keep", help="memory of the process (keep)"
    )
    options = parser.parse_args(arguments)
    allocator = use_allocator("deeponet_step", arguments, options.allocator)
    torch.set_num_threads(options.threads)
    has_peer = find_spec("deepxde") is not None
    if not has_peer:
        print("DeepXDE is not installed, so ours runs alone; try: pip install -e '.[bench]'\n")
    print(
        f"Training step, torch {torch.__version__}, {platform.machine()}, {options.threads} thread(s), "
        f"{allocator}\n\n| case | contestant | median ms | best ms | steps | DeepXDE / this | parameters |\n"
        "|---|---|---|---|---|---|---|"
    )
    for case in options.cases:
        builds = {
            name: partial(build_peer, case, options.points, name == PEER_ZCS)
            if name in (PEER, PEER_ZCS)
            else partial(build_ours, case, options.points, name == COMPILED)
            for name in contestants(case)
            if has_peer or name in (OURS, COMPILED)
        }
        results = take_turns(builds, options.repetitions)
        for name, (seconds, num_parameters) in results.items():
            middle = median(seconds)
            ratio = f"{median(results[PEER][0]) / middle:.2f}" if PEER in results else "-"
            print(
                f"| {case} | {name} | {1e3 * middle:.2f} | {1e3 * min(seconds):.2f} | {len(seconds)} "
                f"| {ratio} | {num_parameters} |",
                flush=True,
            )
