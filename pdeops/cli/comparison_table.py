"""The rows of a comparison, and the table in Markdown and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from pdeops.cli.equal_error import ClassicalCurve, ClassicalSolve
from pdeops.cli.instance_result import is_instance_result
from pdeops.cli.result import TRIVIAL, markdown_table, write_whole

CLASSICAL = "classical, ms a sample at equal error"
NOTHING = "–"
SMALL = 5e-4


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a comparison, in numbers.

    Args:
        name: Model, run, trivial predictor or grid of the classical solver.
        kind: ``"model"``, ``"trivial"`` or ``"classical"``.
        numbers: What is known, by column of the CSV; seconds, megabytes, relative errors.
        equal: The classical solve that is as good, or None.
        notes: Remarks, by column of the CSV or ``""`` for the line.
    """

    name: str
    kind: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    equal: ClassicalSolve | None = None
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def error(self) -> float:
        """What the table is sorted by; infinite where all runs failed."""
        return self.numbers.get("relative_l2", math.inf)


def model_row(
    name: str,
    results: Sequence[Mapping[str, Any]],
    *,
    failures: Mapping[int, str],
    known: Mapping[str, float | None],
    evaluations: Mapping[str, Sequence[float | str]],
    curve: ClassicalCurve,
    tells_data: bool = False,
) -> Row:
    """One line for a model, over its seeds.

    Args:
        name: For the first column.
        results: What its finished runs wrote.
        failures: Words about its seeds that failed.
        known: Other numbers: ``epochs``, ``memory_megabytes``.
        evaluations: Relative L2 errors of the seeds at other resolutions, or why there is none.
        curve: The classical solver.
        tells_data: Whether a note says what data the model saw; where models saw different kinds.

    Returns:
        Means over seeds of errors, with their deviations; medians of times.
    """
    notes = {}
    if tells_data and results:
        # Runs older than the entry were trained on solutions.
        seen = results[0].get("sees") or f"{results[0]['num_train']} instances with solutions"
        notes[""] = f"sees: {seen}; error over {results[0]['num_test']} held-out instances"
        if is_instance_result(results[0]):
            notes[""] = f"sees: {seen}; error on that instance"
    if failures:
        seeds = ", ".join(map(str, failures))
        notes[""] = (
            f"{notes[''] + '; ' if notes else ''}failed with seed {seeds}: {next(iter(failures.values()))}"
        )
    numbers: dict[str, float] = {"num_seeds": len(results)}
    if results:
        numbers |= {"num_parameters": results[0]["num_parameters"]}
        for key in ("relative_l2", "relative_h1"):
            numbers |= spread(key, [result[key] for result in results])
        covered = [result["coverage"] for result in results if result.get("coverage") is not None]
        numbers |= {"coverage": mean(covered)} if covered else {}
        for key in ("seconds_training", "seconds_per_step", "seconds_per_sample"):
            values = [result[key] for result in results if result.get(key) is not None]
            if values:
                numbers[key] = median(values)
        numbers |= {key: value for key, value in known.items() if value is not None}
    for place, found in evaluations.items():
        errors = [error for error in found if not isinstance(error, str)]
        numbers |= spread(column_at(place), errors)
        reasons = [error for error in found if isinstance(error, str)]
        if reasons:
            notes[column_at(place)] = reasons[0]
    equal = curve.cheapest(numbers["relative_l2"]) if "relative_l2" in numbers else None
    if equal is not None:
        numbers["classical_seconds_per_sample"] = equal.seconds_per_sample
    elif results:
        notes["classical_seconds_per_sample"] = curve.missing or "no classical solve was as good"
    return Row(name=name, kind="model", numbers=numbers, equal=equal, notes=notes)


def spread(key: str, values: Sequence[float]) -> dict[str, float]:
    """Mean over seeds, and the deviation where there are several."""
    found = {key: mean(values)} if values else {}
    return found | ({f"{key}_deviation": stdev(values)} if len(values) > 1 else {})


def column_at(place: str) -> str:
    """Column of the error at another resolution, such as ``64x64``."""
    return f"relative_l2_at_{place}"


def trivial_rows(errors: Mapping[str, float]) -> list[Row]:
    """Predictors that know nothing, the best first."""
    known = sorted((errors[name], name) for name in TRIVIAL if name in errors)
    return [
        Row(name=f"({name.replace('_', ' ')})", kind="trivial", numbers={"relative_l2": error})
        for error, name in known
    ]


def classical_rows(curve: ClassicalCurve) -> list[Row]:
    """All solves, the fastest first, and those that gave none."""
    found = [
        Row(
            name=solve.name,
            kind="classical",
            numbers={
                "relative_l2": solve.relative_l2,
                "seconds_per_sample": solve.seconds_per_sample,
                **solve.settings,
            },
        )
        for solve in sorted(curve.solves, key=lambda item: item.seconds_per_sample)
    ]
    return found + [
        Row(name=name, kind="classical", notes={"": reason}) for name, reason in curve.gave_up.items()
    ]


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Best error first; what failed last."""
    return sorted(rows, key=lambda row: row.error)


def table(rows: Sequence[Row], places: Sequence[str]) -> tuple[list[str], list[list[str]], list[str]]:
    """Headings, entries and footnotes for readers.

    Args:
        rows: Models and trivial predictors, in order.
        places: Other resolutions, such as ``64x64``.

    Returns:
        The three.
    """
    headings = {
        "num_parameters": ("parameters", ",.0f", 1.0),
        "relative_l2": ("relative L2", ".4f", 1.0),
        "relative_h1": ("relative H1", ".4f", 1.0),
        **{column_at(place): (f"L2 at {place.replace('x', ' x ')}", ".4f", 1.0) for place in places},
        **(
            {"coverage": ("95 % covers", ".1%", 1.0)}
            if any("coverage" in row.numbers for row in rows)
            else {}
        ),
        "epochs": ("epochs", ".3g", 1.0),
        "seconds_training": ("s training", ".1f", 1.0),
        "seconds_per_step": ("ms a step", ".2f", 1e3),
        "seconds_per_sample": ("ms a sample", ".3f", 1e3),
        "memory_megabytes": ("MB a step", ".0f", 1.0),
        "classical_seconds_per_sample": (CLASSICAL, ".3f", 1e3),
    }
    footnotes: list[str] = []

    def mark(note: str) -> str:
        if note not in footnotes:
            footnotes.append(note)
        return f"[{footnotes.index(note) + 1}]"

    def entry(row: Row, key: str) -> str:
        _, form, factor = headings[key]
        value = row.numbers.get(key)
        if value is None or math.isnan(value):
            shown = NOTHING if row.kind == "model" else ""
        else:
            # A relative error may be at rounding.
            form = ".2e" if form == ".4f" and abs(value) < SMALL else form
            shown = format(factor * value, form)
            if f"{key}_deviation" in row.numbers:
                shown += f" ± {factor * row.numbers[f'{key}_deviation']:{form}}"
            if key == "classical_seconds_per_sample":
                shown += verdict(row)
        return f"{shown} {mark(row.notes[key])}" if key in row.notes else shown

    lines = [
        [
            row.name + (f" {mark(row.notes[''])}" if "" in row.notes else ""),
            *(entry(row, k) for k in headings),
        ]
        for row in rows
    ]
    numbered = [f"[{number}] {note}" for number, note in enumerate(footnotes, start=1)]
    return ["model", *(heading for heading, _, _ in headings.values())], lines, numbered


def verdict(row: Row) -> str:
    """Whether the model or the classical solver is faster at the model's error, and by how much."""
    if row.equal is None or "seconds_per_sample" not in row.numbers:
        return ""
    ratio = row.equal.seconds_per_sample / row.numbers["seconds_per_sample"]
    words = f"model {ratio:.3g} times faster" if ratio > 1 else f"model {1 / ratio:.3g} times slower"
    return f" at {row.equal.name}: {words}"


def classical_table(curve: ClassicalCurve) -> tuple[list[str], list[list[str]]]:
    """Headings and entries of the solves that no faster one comes near in error."""
    return ["classical solve", "relative L2", "ms a sample"], [
        [solve.name, f"{solve.relative_l2:.2e}", f"{1e3 * solve.seconds_per_sample:.3f}"]
        for solve in curve.front
    ]


def write_table(rows: Sequence[Row], places: Sequence[str], curve: ClassicalCurve, folder: Path) -> None:
    """Write ``comparison.md`` and ``comparison.csv``, each in one step."""
    headings, lines, footnotes = table(rows, places)
    parts = [markdown_table(headings, lines), *(f"{note}\n" for note in footnotes)]
    if curve.solves:
        parts.append(markdown_table(*classical_table(curve)))
    write_whole(folder / "comparison.md", "\n".join(parts))
    columns = ["relative_l2", "relative_h1", *map(column_at, places)]
    columns = [
        *("kind", "name", "num_seeds", "num_parameters"),
        *(name for column in columns for name in (column, f"{column}_deviation")),
        *(
            "coverage",
            "epochs",
            "seconds_training",
            "seconds_per_step",
            "seconds_per_sample",
            "memory_megabytes",
        ),
        *("classical_seconds_per_sample", "classical_solve", "tolerance", "time_step", "note"),
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in [*rows, *classical_rows(curve)]:
        writer.writerow(
            {
                "kind": row.kind,
                "name": row.name,
                **row.numbers,
                "classical_solve": row.equal.name if row.equal else "",
                "note": "; ".join(row.notes.values()),
            }
        )
    write_whole(folder / "comparison.csv", text.getvalue())
