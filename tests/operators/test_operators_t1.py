"""T1: its layer against the complex Fourier transform, symmetries, the published counts and start."""

import math

import pytest
import torch

from pdeops.domains import Grid
from pdeops.layers import FrequencyMixing, ModeBlock, TruncatedTransform
from pdeops.operators import T1, T1Published


def band_limited(grid: Grid, channels: int, waves: int) -> torch.Tensor:
    """Random fields with waves below a bound, given as values."""
    kinds = [axis.kind for axis in grid.axes]
    transform = TruncatedTransform(kinds, [2 * waves - 1] * grid.dimension)
    return transform.inverse(torch.randn(3, channels, *transform.modes, dtype=torch.float64), grid.shape)


@pytest.mark.parametrize("shape", [(17,), (16, 18), (8, 10, 9)])
def test_mixing_is_the_multiplier_of_the_complex_transform(shape):
    waves, dimension = 3, len(shape)
    grid = Grid.periodic(shape)
    block = ModeBlock([axis.kind for axis in grid.axes], [2 * waves - 1] * dimension, shape)
    transform = TruncatedTransform(block.kinds, block.modes)
    mixing = FrequencyMixing(block.kinds, block.sizes, 2, 4).double()
    values = band_limited(grid, 2, waves)
    mixed = transform.inverse(block.unpack(mixing(block.pack(transform(values)))), shape)

    # The amplitude of the wave exp(-i k.x) is cosine + i sine part: the conjugate of the usual coefficient on
    # the last axis; on the others the block holds the positive wave first, then the negative one.
    spectrum = torch.fft.fftn(values, dim=tuple(range(2, dimension + 2)))
    weight = mixing.weight.detach().reshape(*([2 * waves] * (dimension - 1)), waves, 2, 2, 4)
    result = torch.zeros(3, 4, *shape, dtype=torch.complex128)
    others = [range(2 * waves) for _ in range(dimension - 1)]
    for place in torch.cartesian_prod(
        *[torch.tensor(list(rows)) for rows in (*others, range(waves))]
    ).reshape(-1, dimension):
        *rows, last = place.tolist()
        wave = [row if row < waves else waves - row for row in rows] + [last]
        if sum(row == waves for row in rows) or not (last or all(row < waves for row in rows)):
            continue  # the wave (-0, ..) doubles (+0, ..), and last = 0 has its mirror image: see below
        matrix = torch.complex(weight[(*rows, last, 0)], weight[(*rows, last, 1)])
        at = tuple(k % n for k, n in zip(wave, shape, strict=True))
        mirror = tuple(-k % n for k, n in zip(wave, shape, strict=True))
        amplitude = spectrum[(..., *at)].conj() @ matrix
        result[(..., *at)] = amplitude.conj()
        result[(..., *mirror)] = amplitude
    wanted = torch.fft.fftn(mixed, dim=tuple(range(2, dimension + 2)))
    inner = [slice(1, waves)] * dimension  # no zero among the wave numbers: each has a matrix of its own
    torch.testing.assert_close(wanted[(..., *inner)], result[(..., *inner)], rtol=0, atol=1e-10)


@pytest.mark.parametrize("oversampling", [1.5])
def test_shifts_commute_without_coordinates(oversampling):
    grid = Grid.periodic((32, 30))
    # One layer squares waves below 6: on 1.5 times the modes nothing folds back.
    operator = T1(
        1, 1, grid, modes=(12, 12), width=8, num_layers=1, oversampling=oversampling, coordinates=False
    )
    values = torch.randn(2, 1, 32, 30)
    shifted = operator(values.roll((5, 3), (2, 3)))
    expected = operator(values).roll((5, 3), (2, 3))
    assert expected.norm() > 1e-3
    assert (shifted - expected).norm() < 1e-5 * expected.norm()
    placed = T1(1, 1, grid, modes=(12, 12), width=8, num_layers=1)
    difference = placed(values.roll((5, 3), (2, 3))) - placed(values).roll((5, 3), (2, 3))
    assert difference.norm() > 1e-2 * placed(values).norm()


def test_layer_is_convolution_product_convolution_on_the_full_grid():
    """A bilinear layer without aliasing is the product of two convolutions, as computed on any finer grid."""
    grid = Grid.periodic((40, 36))
    operator = T1(1, 1, grid, modes=11, width=4, num_layers=1, oversampling=1.5, coordinates=False).double()
    layer = operator.layers[0]
    block, transform = operator.block, operator.transform
    state = block.pack(transform(band_limited(grid, 4, 6)))
    mixed = transform.inverse(block.unpack(layer.mixing(state)), grid.shape)
    left, right = mixed.chunk(2, dim=1)
    product = torch.einsum("oc,bcxy->boxy", layer.project.weight, left * right)
    expected = block.unpack(state) + transform(product)
    # The block's transforms are stored in float32.
    assert (block.unpack(layer(state, block)) - expected).norm() < 1e-6 * expected.norm()


def test_published_form_has_the_published_number_of_parameters():
    operator = T1Published(1, 1, Grid.periodic((64, 64)), modes=24, width=48, num_layers=8)
    assert sum(parameter.numel() for parameter in operator.parameters()) == 11_065_664


def test_published_layer_is_the_formula():
    operator = T1Published(1, 1, Grid.box((9, 8), "cells"), modes=(5, 4), width=3, num_layers=1).double()
    layer = operator.layers[0]
    block = torch.randn(5, 4, 2, 3, dtype=torch.float64)
    weight = layer.mixing.weight.reshape(5, 4, 3, 3)
    inner = torch.nn.functional.gelu(torch.einsum("klbi,klio->klbo", block, weight))
    expected = block + torch.einsum("klbc,ckp,clq->pqbc", inner, *layer.frequencies)
    torch.testing.assert_close(layer(block), expected)
    volume = T1Published(1, 1, Grid.box((6, 7, 8), "cells"), modes=(3, 4, 5), width=2, num_layers=1).double()
    layer = volume.layers[0]
    block = torch.randn(3, 4, 5, 2, 2, dtype=torch.float64)
    weight = layer.mixing.weight.reshape(3, 4, 5, 2, 2)
    inner = torch.nn.functional.gelu(torch.einsum("jklbi,jklio->jklbo", block, weight))
    expected = block + torch.einsum("jklbc,cjo,ckp,clq->opqbc", inner, *layer.frequencies)
    torch.testing.assert_close(layer(block), expected)


def test_published_start_keeps_the_variance():
    """White noise in, the same mean square out of every part of the layer."""
    layer = T1Published(1, 1, Grid.periodic((64, 64)), modes=24, width=48, num_layers=1).layers[0]
    block = torch.randn(24, 24, 16, 48)
    mixed = layer.mixing(block)
    assert mixed.var().item() == pytest.approx(1.0, abs=0.05)
    first = torch.einsum("klbc,ckp->plbc", block, layer.frequencies[0])
    assert first.var().item() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("model", [T1, T1Published])
def test_lift_and_transform_are_exchanged_exactly(model):
    """The network sees the coefficients of the raw channels and of a constant: a lift with a bias."""
    grid = Grid.box((20, 18), "cells")
    operator = model(2, 1, grid, modes=6, width=4, num_layers=1).double()
    values = torch.randn(2, 2, 20, 18, dtype=torch.float64)
    weight = operator.lift.weight[:, :3]  # the two channels and the constant
    lifted = torch.einsum("oc,bcxy->boxy", weight, torch.cat((values, torch.ones_like(values[:, :1])), dim=1))
    constant = torch.zeros(1, 1, 6, 6, dtype=torch.float64)
    constant[..., 0, 0] = 1.0
    coefficients = torch.cat((operator.transform(values), constant.expand(2, -1, -1, -1)), dim=1)
    expected = torch.einsum("oc,bckl->bokl", weight, coefficients)
    torch.testing.assert_close(operator.transform(lifted), expected, rtol=0, atol=1e-6)


def test_bad_options_say_what_was_expected():
    grid = Grid.periodic((16, 16))
    with pytest.raises(ValueError, match="even number"):
        T1(1, 1, grid, modes=8, width=7)
    with pytest.raises(ValueError, match="at least 1"):
        T1(1, 1, grid, modes=8, oversampling=0.5)
    with pytest.raises(ValueError, match="Nyquist"):
        T1(1, 1, grid, modes=24)
    with pytest.raises(ValueError, match="1 or 2 or 3 dimensions"):
        T1(1, 1, Grid.periodic((4,) * 4, names="xyzw"), modes=2)
    assert math.isclose(T1(1, 1, grid, modes=8).transform.modes[0], 7)
