"""Benchmarks: ``python scripts/benchmark.py [NAME] [options]``; each prints Markdown tables.

Without a name it is operator_speed.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path

NAMES = {
    "operator_speed": "time and memory of a training step, against neuraloperator (default)",
    "architecture_speed": "the same of LSM and MgNO, against their published forms, and of all models",
    "gp_high_frequency": "Gaussian-process collocation beside the published errors and classical solvers",
    "gp_coverage": "what the intervals of Gaussian-process collocation cover, on random solutions",
    "gp_evidence": "its kernels chosen by cross-validation and by the evidence, beside the best ones",
    "functional_tucker": "functional Tucker models: noise floor, a million entries, fields of PDEs",
    "deeponet_step": "a training step of DeepONet, against DeepXDE",
    "operator_derivatives": "a physics-informed step, against nested reverse mode",
    "solver_cost": "time of a classical solve, against the benchmark's recipe",
    "solvers": "the two below: classical solvers beside SciPy, PyAMG and exponax",
    "elliptic_solvers": "time of elliptic solves, against SciPy and PyAMG",
    "periodic_steppers": "a time step on a torus, against exponax (JAX)",
    "loader": "time of a batch from the HDF5 store",
    "accuracy": "--against-neuraloperator: error of our FNO and of its on the same data",
}
DEFAULT = "operator_speed"


def main() -> None:
    """Hand the rest of the command line to one benchmark."""
    listing = "\n".join(f"  {name:<22}{text}" for name, text in NAMES.items())
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"benchmarks:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=NAMES, metavar="NAME")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="options of the benchmark; try NAME --help"
    )
    command_line = sys.argv[1:]
    # By hand: argparse takes the first value of an option for an optional name.
    if not command_line or (command_line[0].startswith("-") and command_line[0] not in ("-h", "--help")):
        command_line = [DEFAULT, *command_line]
    chosen = parser.parse_args(command_line)
    sys.path.insert(0, str(Path(__file__).parent))
    sys.argv[0] = f"benchmark.py {chosen.name}"
    import_module(f"benchmarks.{chosen.name}").main(chosen.arguments)


if __name__ == "__main__":
    main()
