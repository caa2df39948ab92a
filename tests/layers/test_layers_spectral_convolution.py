"""The spectral convolution against a plain one by FFT, in one, two and three dimensions."""

import itertools
import math

import pytest
import torch

from pdeops.domains import Grid
from pdeops.layers import FactorisedConvolution, FourierLayer, SpectralConvolution

CASES = [((5,), (20,)), ((4, 3), (17, 24)), ((4, 3), (8, 5)), ((4, 3, 5), (12, 11, 14))]


def dense_oracle(layer: SpectralConvolution, values: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """The definition, wave by wave, with the spectrum allocated at the size of the output."""
    axes = tuple(range(1, values.ndim - 1))
    spectrum = torch.fft.rfftn(values, dim=axes, norm="forward")
    weight = layer.weight
    if not weight.is_complex():
        weight = torch.complex(weight[:, :, 0], weight[:, :, 1])
    weight = weight.to(spectrum.dtype)
    result = spectrum.new_zeros(len(values), *shape[:-1], shape[-1] // 2 + 1, layer.out_channels)
    signed = [[*range(number), *range(-number, 0)] for number in layer.modes[:-1]]
    for number, wave in enumerate(itertools.product(*signed, range(layer.modes[-1]))):
        index = (slice(None), *wave)
        result[index] += spectrum[index] @ weight[number]
    return torch.fft.irfftn(result, s=shape, dim=axes, norm="forward")


@pytest.mark.parametrize("complex_parameters", [False, True])
@pytest.mark.parametrize(("modes", "shape"), CASES)
def test_equals_the_definition_on_several_grids(
    modes: tuple[int, ...], shape: tuple[int, ...], complex_parameters: bool
) -> None:
    layer = SpectralConvolution(3, 2, modes, complex_parameters=complex_parameters).double()
    values = torch.randn(2, *shape, 3, dtype=torch.float64)
    for target in (shape, tuple(number + 5 for number in shape)):
        torch.testing.assert_close(
            layer(values, output_shape=target), dense_oracle(layer, values, target), atol=1e-12, rtol=0
        )


@pytest.mark.parametrize("shape", [(16, 16), (9, 12), (32, 21)])
def test_a_single_wave_passes_every_resolution_with_its_own_multiplier(shape: tuple[int, int]) -> None:
    layer = SpectralConvolution(1, 1, (4, 4)).double()
    with torch.no_grad():
        layer.weight.zero_()
        # Wave (-2, 3) of rows 0..3, -4..-1 and columns 0..3: multiplied by 0.5 + 2i.
        layer.weight[6 * 4 + 3, 0, :, 0] = torch.tensor([0.5, 2.0])
    x, y = Grid.periodic(shape).coordinates
    phase = 2 * math.pi * (3 * y - 2 * x)
    found = layer(torch.cos(phase)[None, ..., None], output_shape=(24, 31))[0, ..., 0]
    x, y = Grid.periodic((24, 31)).coordinates
    phase = 2 * math.pi * (3 * y - 2 * x)
    torch.testing.assert_close(found, 0.5 * torch.cos(phase) - 2 * torch.sin(phase), atol=1e-12, rtol=0)


def test_the_starts_keep_the_variance_they_promise() -> None:
    torch.manual_seed(0)
    noise = torch.randn(16, 32, 32, 16)
    layer = SpectralConvolution(16, 16, (6, 6), variance_preserving=True, reference_shape=(32, 32))
    assert layer(noise).var().item() == pytest.approx(1.0, abs=0.08)
    # The default keeps the variance of what lies in the kept waves.
    layer = SpectralConvolution(16, 16, (6, 6))
    smooth = SpectralConvolution(16, 16, (6, 6), variance_preserving=True, reference_shape=(32, 32))(noise)
    assert (layer(smooth).var() / smooth.var()).item() == pytest.approx(1.0, abs=0.08)


def test_layer_adds_pointwise_map_and_convolution_with_the_right_gradients() -> None:
    layer = FourierLayer(3, (2, 2)).double()
    values = torch.randn(2, 6, 5, 3, dtype=torch.float64, requires_grad=True)
    expected = layer.pointwise(values) + dense_oracle(layer.convolution, values, (6, 5))
    torch.testing.assert_close(layer(values), expected, atol=1e-12, rtol=0)
    parameters = tuple(layer.parameters())

    def function(values: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return layer(values)

    assert torch.autograd.gradcheck(function, (values, *parameters))
    assert torch.autograd.gradgradcheck(lambda v: layer(v) ** 2, values)


def test_factorised_convolution_is_the_sum_over_the_axes() -> None:
    layer = FactorisedConvolution(3, (4, 3)).double()
    values = torch.randn(2, 9, 10, 3, dtype=torch.float64)
    expected = torch.zeros_like(values)
    for axis, modes in ((1, 4), (2, 3)):
        spectrum = torch.fft.rfft(values, dim=axis, norm="forward")
        weight = layer.weights[axis - 1]
        weight = torch.complex(weight[:, :, 0], weight[:, :, 1])
        kept = torch.einsum("...ki,kio->...ko", spectrum.movedim(axis, -2)[..., :modes, :], weight)
        full = torch.zeros_like(spectrum.movedim(axis, -2))
        full[..., :modes, :] = kept
        expected += torch.fft.irfft(full.movedim(-2, axis), n=values.shape[axis], dim=axis, norm="forward")
    torch.testing.assert_close(layer(values), expected, atol=1e-12, rtol=0)


def test_autocast_transforms_in_float32() -> None:
    layer = SpectralConvolution(2, 2, (4, 3))
    values = torch.randn(2, 9, 11, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer(values)
    torch.testing.assert_close(found, layer(values), rtol=0, atol=0)


def test_errors_name_the_smallest_grid() -> None:
    with pytest.raises(ValueError, match=r"at least \(16, 14\) points, got \(12, 20\)"):
        SpectralConvolution(1, 1, (8, 8))(torch.zeros(1, 12, 20, 1))
    with pytest.raises(ValueError, match="reference_shape"):
        SpectralConvolution(1, 1, (8, 8), variance_preserving=True)
    with pytest.raises(ValueError, match="at least"):
        FactorisedConvolution(1, (8, 8))(torch.zeros(1, 12, 20, 1))
