"""How good a fit of one instance is: the coverage of its intervals, and the rows of its table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pdeops.domains import Field

LEVEL = 0.95
HALF_WIDTH = 1.959963984540054
"""Of the central 95 % of the normal distribution, in standard deviations."""


def is_instance_result(result: Mapping[str, Any]) -> bool:
    """Whether a result is that of a fit of one instance."""
    return "coverage" in result


def coverage_of(mean: Field, deviation: Field | None, truth: Field) -> float | None:
    """Share of the values of the truth within the 95 % intervals; None without deviations."""
    if deviation is None:
        return None
    within = (mean.values - truth.values).abs() <= HALF_WIDTH * deviation.values
    return within.double().mean().item()


def instance_rows(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Rows of the table: what, and how much."""
    resolution = " x ".join(map(str, result["resolution"]))
    frames = "" if result["num_frames"] is None else f", {result['num_frames']} frames"
    change = result.get("reference_change")
    changed = "" if change is None else f"; on the grid of the instance it differs by {change:.1e}"
    rows = [
        ("problem", f"{result['problem']}, {resolution}{frames}, one instance"),
        ("model", f"{result['model']}, {result['num_parameters']:,} free numbers"),
        ("sees", result["sees"]),
        ("reference", result["reference"] + changed),
        ("relative L2 error", f"{result['relative_l2']:.2e}"),
        ("relative H1 error", f"{result['relative_h1']:.2e}"),
    ]
    if result["coverage"] is not None:
        rows.append((f"coverage of {100 * LEVEL:g} % intervals", f"{100 * result['coverage']:.1f} %"))
    if result["log_evidence"] is not None:
        rows.append(("log evidence, lower bound", f"{result['log_evidence']:.1f}"))
    if result["message"]:
        rows.append(("fit", result["message"]))
    return [
        *rows,
        ("data", f"{result['seconds_data']:.1f} s"),
        ("training", f"{result['seconds_training']:.2f} s, again for each instance"),
        ("device", f"{result['device']}, {result['num_threads']} threads, seed {result['seed']}"),
    ]
