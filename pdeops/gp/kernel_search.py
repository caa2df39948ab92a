"""Descent over whole numbers: the steps by which a kernel differs from its first guess."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Steps = tuple[int, ...]


def lattice_descent(
    score: Callable[[Steps], float],
    moves: Sequence[Steps],
    max_evaluations: int,
    enough: float = 0.0,
    gain: float = 1.0,
) -> Steps:
    """Lower a score of whole numbers, from zeros, one move at a time as long as that helps.

    Each move in turn, or its opposite if that lowers the score more, is made while it lowers it enough; round
    after round, until none does. Nothing is scored twice.

    Args:
        score: What is to be small; infinite where there is nothing.
        moves: Steps to make, see `single_moves`.
        max_evaluations: How many points are scored at most.
        enough: The search ends at a score that is not above this.
        gain: A move has to multiply the score by less than this.

    Returns:
        The best point.

    Failure mode: Stops where numbers would have to move together that no move joins.
    """
    best: Steps = (0,) * len(moves[0])
    scores = {best: score(best)}

    def stepped(move: Steps, sign: int) -> Steps | None:
        """The next point along a move if that is enough of a gain, else None."""
        point = tuple(value + sign * step for value, step in zip(best, move, strict=True))
        if scores[best] <= enough or (point not in scores and len(scores) >= max_evaluations):
            return None
        if point not in scores:
            scores[point] = score(point)
        return point if scores[point] < gain * scores[best] else None

    moved = True
    while moved:
        moved = False
        for move in moves:
            ahead = [(point, sign) for sign in (1, -1) if (point := stepped(move, sign)) is not None]
            point, sign = min(ahead, key=lambda way: scores[way[0]], default=(None, 0))
            while point is not None:
                best, moved = point, True
                point = stepped(move, sign)
    return best


def single_moves(dimension: int) -> list[Steps]:
    """One step of one number each.

    Args:
        dimension: How many numbers.

    Returns:
        The unit steps.
    """
    return [tuple(int(other == number) for other in range(dimension)) for number in range(dimension)]
