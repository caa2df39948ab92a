"""Every solver declares its orders of convergence; here the slopes are measured, case by case."""

import importlib
import inspect
import math
from pathlib import Path

import pytest
from order_case import slopes

import solvers
from solvers import Solver

MODULES = sorted(path.stem for path in Path(__file__).parent.glob("order_cases_*.py"))
CASES = [case for name in MODULES for case in importlib.import_module(name).CASES]
SOLVERS = [
    item
    for item in vars(solvers).values()
    if inspect.isclass(item) and issubclass(item, Solver) and not inspect.isabstract(item)
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{type(case.solver).__name__}-{case.label}")
def test_errors_fall_with_the_declared_order(case):
    declared = getattr(case.solver, f"{case.kind}_order")
    assert case.reason or case.norms["l2"] == declared
    sizes, errors = [], {norm: [] for norm in case.norms}
    for size in case.sizes:
        h, measured = case.run(case.solver, size)
        sizes.append(h)
        for norm in case.norms:
            errors[norm].append(measured[norm])
    for norm, order in case.norms.items():
        assert errors[norm][-1] > 1e-13, "rounding would make the slope"
        measured = slopes(sizes, errors[norm])
        if math.isinf(order):  # faster than any power: the slope itself grows, beyond the fourth order
            assert min(measured) > 4, (norm, errors[norm])
            assert measured == sorted(measured), (norm, errors[norm])
        else:
            assert measured == pytest.approx([order] * len(measured), abs=case.tolerance), (
                norm,
                errors[norm],
            )


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: solver.__name__)
@pytest.mark.parametrize("kind", ["space", "time"])
def test_every_declared_order_is_measured(solver, kind):
    if getattr(solver, f"{kind}_order") is not None:
        measured = [c for c in CASES if isinstance(c.solver, solver) and c.kind == kind and not c.reason]
        assert measured, f"no case of order in {kind} for {solver.__name__}"
