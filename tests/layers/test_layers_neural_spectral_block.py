"""The neural spectral block, against the formulas written as loops."""

import itertools
import math

import pytest
import torch

from pdeops.layers import NeuralSpectralBlock


def oracle(block: NeuralSpectralBlock, points: torch.Tensor) -> torch.Tensor:
    """One patch, points by channels, number by number as the formulas are written."""
    heads, tokens, width = block.tokens.shape
    channels = heads * width
    frequencies = block.coefficients.shape[1] // 2
    keys, values = (points @ block.key_value.weight.T + block.key_value.bias).split(channels, dim=1)
    queries = points @ block.query.weight.T + block.query.bias
    result = points.clone()
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        latent = []
        for token in range(tokens):
            start = block.tokens[head, token]
            scores = torch.stack([block.scale * (start @ key) for key in keys[:, own]]).exp()
            latent.append(start + (scores / scores.sum()) @ values[:, own])
            for number in range(width):
                row, z = block.coefficients[own][number], latent[token][number].item()
                for n in range(frequencies):
                    angle = math.pi * n * z / frequencies
                    latent[token][number] += row[n] * math.sin(angle)
                    latent[token][number] += row[frequencies + n] * math.cos(angle)
        for place in range(len(points)):
            scores = torch.stack([block.scale * (queries[place, own] @ token) for token in latent]).exp()
            result[place, own] += sum(
                s * token for s, token in zip(scores / scores.sum(), latent, strict=True)
            )
    return result


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize(("shape", "patches"), [((6,), (2,)), ((4, 9), (2, 3)), ((2, 4, 3), (1, 2, 3))])
def test_block_is_the_formula_patch_by_patch(
    shape: tuple[int, ...], patches: tuple[int, ...], scaled: bool
) -> None:
    block = NeuralSpectralBlock(6, heads=2, tokens=3, frequencies=4, scaled=scaled).double()
    values = torch.randn(2, *shape, 6).double()
    with torch.no_grad():
        block.coefficients.normal_()
        result = block(values, patches)
        sizes = [n // p for n, p in zip(shape, patches, strict=True)]
        for sample, place in itertools.product(range(2), itertools.product(*map(range, patches))):
            patch = (sample, *(slice(i * n, (i + 1) * n) for i, n in zip(place, sizes, strict=True)))
            expected = oracle(block, values[patch].reshape(-1, 6)).reshape(values[patch].shape)
            torch.testing.assert_close(result[patch], expected, rtol=1e-12, atol=1e-12)


def test_block_without_tokens_values_and_series_is_the_identity() -> None:
    block = NeuralSpectralBlock(16)
    with torch.no_grad():
        for parameter in (block.tokens, block.coefficients, block.key_value.weight[16:]):
            parameter.zero_()
        block.key_value.bias[16:] = 0
        values = torch.randn(2, 8, 8, 16)
        torch.testing.assert_close(block(values, (4, 2)), values, rtol=0, atol=0)
        block.key_value.bias[16:] = 1
        # Every token is then 1, and so is every mean of tokens.
        torch.testing.assert_close(block(values, (4, 2)), values + 1)


def test_a_patch_sees_itself_only_and_its_points_in_any_order() -> None:
    block = NeuralSpectralBlock(8, heads=2).double()
    values = torch.randn(1, 12, 8).double()
    changed = values.clone()
    changed[:, 4:8] = torch.randn(4, 8).double()
    order = torch.tensor([0, 1, 2, 3, 6, 4, 7, 5, 8, 9, 10, 11])
    before, after = block(values, (3,)), block(changed, (3,))
    assert (after - before)[:, 4:8].abs().min() > 0
    torch.testing.assert_close(after[:, :4], before[:, :4], rtol=0, atol=0)
    torch.testing.assert_close(after[:, 8:], before[:, 8:], rtol=0, atol=0)
    torch.testing.assert_close(block(values[:, order], (3,)), before[:, order], rtol=1e-12, atol=1e-12)


def test_initialisations_span_their_intervals() -> None:
    published = NeuralSpectralBlock(64, initialisation="published")
    for parameter in (published.tokens, published.coefficients):
        assert 0 <= parameter.min() < 0.1 / 64
        assert 0.9 / 64 < parameter.max() <= 1 / 64
    symmetric = NeuralSpectralBlock(512)
    # A mean of 2048 numbers of deviation 1/8: three deviations of the mean are 0.008.
    assert symmetric.tokens.mean().abs() < 0.01
    assert symmetric.tokens.std().item() == pytest.approx(1 / 8, rel=0.1)
    assert symmetric.coefficients.min() < -0.9 / 512
    assert symmetric.coefficients.max() > 0.9 / 512


@pytest.mark.usefixtures("unchecked")
def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="heads that divide the channels, got 12 channels, 8 heads"):
        NeuralSpectralBlock(12)
    with pytest.raises(ValueError, match="initialisation: expected symmetric or published, got 'zeros'"):
        NeuralSpectralBlock(8, initialisation="zeros")
    with pytest.raises(ValueError, match=r"patches that divide \(6, 6\) points, got \(4, 2\)"):
        NeuralSpectralBlock(8)(torch.zeros(1, 6, 6, 8), (4, 2))
