"""Benchmarks: ``python scripts/benchmark.py NAME [options]``; each prints Markdown tables."""

import argparse
import sys
from importlib import import_module
from pathlib import Path

NAMES = {
    "operator_speed": "time of a training step and a prediction, against neuraloperator",
    "solver_cost": "time of a classical solve, against the benchmark's recipe",
    "loader": "time of a batch from the HDF5 store",
    "accuracy": "error at equal training time; --against-neuraloperator: error on the same data",
}


def main() -> None:
    """Hand the rest of the command line to one benchmark."""
    listing = "\n".join(f"  {name:<16}{text}" for name, text in NAMES.items())
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"benchmarks:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=NAMES, metavar="NAME")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="options of the benchmark; try NAME --help"
    )
    chosen = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    sys.argv[0] = f"benchmark.py {chosen.name}"
    import_module(f"benchmarks.{chosen.name}").main(chosen.arguments)


if __name__ == "__main__":
    main()
