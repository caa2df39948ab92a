"""The blocked pointwise network against the plain one."""

import pytest
import torch
from torch.nn import functional

from pdeops.layers import ChannelMLP, channel_mlp


@pytest.mark.parametrize("block_rows", [4, 7, 100])
def test_blocks_change_nothing(block_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_mlp, "BLOCK_ROWS", block_rows)
    network = ChannelMLP(3, 5, 2).double()
    values = torch.randn(2, 3, 4, 3, dtype=torch.float64, requires_grad=True)
    expected = network.second(functional.gelu(network.first(values)))
    torch.testing.assert_close(network(values), expected, atol=1e-14, rtol=0)

    targets = (values, *network.parameters())
    weights = torch.randn_like(expected)
    found = torch.autograd.grad((network(values) * weights).sum(), targets)
    wanted = torch.autograd.grad((expected * weights).sum(), targets)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-13, rtol=0)


def test_second_derivatives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_mlp, "BLOCK_ROWS", 4)
    network = ChannelMLP(2, 3, 2).double()
    values = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(network, values)
