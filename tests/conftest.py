"""Fixtures for all tests."""

from collections.abc import Iterator

import jaxtyping
import pytest
import torch

# Bits do not depend on how sums are cut among threads, and small tensors are faster on one.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    """Every test starts from the same random numbers, whatever ran before it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture
def unchecked() -> Iterator[None]:
    """No run-time types: the test hands over a wrong type to see the library's own error."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
