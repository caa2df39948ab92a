"""Solving the batches of a data set, in this process or in several."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

import torch

from pdeops.data.batch_files import BatchFiles, solve_batch

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def solve_all(batches: BatchFiles, missing: list[int], num_workers: int | None) -> Iterator[int]:
    """Solve and write batches.

    Every process computes on one thread: more threads round differently, and the numbers must not depend on
    how many there are.

    Args:
        batches: Where they go.
        missing: Numbers of the batches to solve.
        num_workers: Number of processes; 0 is this one, None is one a processor. A GPU is used from here.

    Yields:
        The number of each batch when it is on the disk.

    Raises:
        RuntimeError: The solver failed, or a worker died.
        TypeError: The recipe cannot be sent to another process.
    """
    if num_workers is None:
        num_workers = (
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        )
    if torch.device(batches.recipe.device).type != "cpu" or len(missing) <= 1:
        num_workers = 0
    if num_workers == 0:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            for batch in missing:
                yield _solve_one(batches, batch)
        finally:
            torch.set_num_threads(threads)
        return
    _require_picklable(batches)
    with (
        _single_threaded_children(),
        ProcessPoolExecutor(
            min(num_workers, len(missing)), multiprocessing.get_context("spawn"), _start_worker
        ) as pool,
    ):
        futures = [pool.submit(_solve_one, batches, batch) for batch in missing]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                f"{batches.folder}: expected workers to finish their batches, got one that died; "
                "finished batches "
                "are kept, run again to go on. Try fewer workers or a smaller solver_batch_size if "
                "memory ran out, "
                "and num_workers=0 in a notebook or a script without `if __name__ == '__main__':`"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _solve_one(batches: BatchFiles, batch: int) -> int:
    batches.write(batch, solve_batch(batches.recipe, batch))
    return batch


def _start_worker() -> None:
    """Compute on one thread, and end with the parent: a killed parent cannot tell its workers to stop."""
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _single_threaded_children() -> Iterator[None]:
    """Let children start with one thread in libraries that read the environment once."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _require_picklable(batches: BatchFiles) -> None:
    try:
        pickle.dumps(batches)
    except Exception as error:
        raise TypeError(
            f"generation: expected a problem and a solver that can be sent to other processes, got {error}; "
            "try defining their classes in a module, or num_workers=0"
        ) from error
