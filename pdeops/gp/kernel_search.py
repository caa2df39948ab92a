"""Descent over whole numbers: the steps by which a kernel differs from its first guess."""

from __future__ import annotations

from collections.abc import Callable

Steps = tuple[int, ...]


def lattice_descent(
    score: Callable[[Steps], float], dimension: int, max_evaluations: int, *, gain: float, enough: float = 0.0
) -> Steps:
    """Lower a score one whole number at a time, from zero, as long as it pays.

    Each number in turn is raised while that lowers the score enough, else lowered; round after round, until
    none does. Nothing is scored twice.

    Args:
        score: What is to be small; infinite where there is nothing.
        dimension: How many numbers.
        max_evaluations: How many points are scored at most.
        gain: A step is kept if it multiplies the score by less than this.
        enough: The search ends at a score that is not above this.

    Returns:
        The best point.

    Good values: ``gain=0.5``: a score that differs by less says nothing.

    Failure mode: Stops where two numbers would have to move together.
    """
    best: Steps = (0,) * dimension
    scores = {best: score(best)}

    def taken(number: int, step: int) -> bool:
        nonlocal best
        point = tuple(value + step * (other == number) for other, value in enumerate(best))
        if scores[best] <= enough or (point not in scores and len(scores) >= max_evaluations):
            return False
        if point not in scores:
            scores[point] = score(point)
        if not scores[point] < gain * scores[best]:
            return False
        best = point
        return True

    moved = True
    while moved:
        moved = False
        for number in range(dimension):
            for step in (1, -1):
                count = 0
                while taken(number, step):
                    count += 1
                moved |= count > 0
                if count:
                    break
    return best
