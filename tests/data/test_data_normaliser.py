import numpy
import pytest
import torch

from pdeops.data import ChannelStatistics, Normaliser


def fit(batches):
    statistics = ChannelStatistics()
    for values in batches:
        statistics.update(values)
    return Normaliser(*statistics.result())


def test_streaming_statistics_are_those_of_all_values_at_once():
    rng = numpy.random.default_rng(0)
    values = rng.normal(loc=[[[3.0]], [[-100.0]]], scale=[[[0.1]], [[7.0]]], size=(101, 2, 5, 4))
    normaliser = fit(torch.from_numpy(part) for part in numpy.array_split(values, [3, 10, 11, 60]))
    numpy.testing.assert_allclose(normaliser.mean, values.mean(axis=(0, 2, 3)), rtol=1e-7)
    numpy.testing.assert_allclose(normaliser.deviation, values.std(axis=(0, 2, 3)), rtol=1e-7)
    normalised = normaliser(torch.from_numpy(values))
    assert normalised.mean(dim=(0, 2, 3)).abs().max() < 1e-4
    assert (normalised.std(dim=(0, 2, 3), correction=0) - 1).abs().max() < 1e-6


def test_large_means_do_not_cancel():
    values = 1e6 + torch.rand(1000, 1, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    normaliser = fit(values.split(10))
    numpy.testing.assert_allclose(normaliser.deviation, values.std(correction=0), rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(3, 2, 7), (3, 2, 5, 4), (3, 2, 2, 3, 4)])
def test_inverse_undoes_forward(dtype, shape):
    normaliser = Normaliser(torch.tensor([1.5, -2.0]), torch.tensor([0.5, 4.0]))
    values = torch.randn(shape, dtype=dtype)
    result = normaliser.inverse(normaliser(values))
    assert result.dtype == dtype
    torch.testing.assert_close(result, values)


def test_constant_channels_become_zero_and_come_back():
    values = torch.full((4, 1, 6), 0.1)
    normaliser = fit([values])
    assert normaliser.deviation.item() == 1.0
    assert normaliser(values).abs().max() < 1e-7
    torch.testing.assert_close(normaliser.inverse(normaliser(values)), values)


def test_identity_changes_no_bit():
    values = torch.randn(3, 2, 9)
    identity = Normaliser.identity(2)
    assert torch.equal(identity(values), values)
    assert torch.equal(identity.inverse(values), values)


def test_frames_repeat_time_major_and_statics_follow():
    frames = Normaliser(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])).repeat(2)
    assert frames.mean.tolist() == [1.0, 2.0, 1.0, 2.0]
    both = frames.concatenate(Normaliser(torch.tensor([9.0]), torch.tensor([8.0])))
    assert both.deviation.tolist() == [3.0, 4.0, 3.0, 4.0, 8.0]


def test_statistics_are_saved_with_the_model_and_are_not_trained():
    normaliser = Normaliser(torch.tensor([1.0]), torch.tensor([2.0]))
    assert list(normaliser.parameters()) == []
    other = Normaliser.identity(1)
    other.load_state_dict(normaliser.state_dict())
    assert (other.mean.item(), other.deviation.item()) == (1.0, 2.0)


def test_gradients_pass_through():
    normaliser = Normaliser(torch.tensor([1.0]), torch.tensor([2.0]))
    values = torch.randn(2, 1, 3, requires_grad=True)
    normaliser(values).sum().backward()
    assert torch.equal(values.grad, torch.full_like(values, 0.5))


def test_wrong_use():
    with pytest.raises(ValueError, match="expected data to fit, got none"):
        fit([])
    with pytest.raises(ValueError, match="positive deviations"):
        Normaliser(torch.zeros(1), torch.zeros(1))
    with pytest.raises(ValueError, match="expected 2 channels"):
        Normaliser.identity(2)(torch.zeros(1, 3, 4))


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_rounds_neither_statistics_nor_physical_values(half):
    normaliser = Normaliser(torch.tensor([300.3]), torch.tensor([0.7]))
    model = torch.nn.Sequential(normaliser, torch.nn.Linear(4, 4)).to(half)
    assert model[1].weight.dtype == half
    assert normaliser.mean.item() == torch.tensor(300.3).item()
    scaled = torch.tensor([[[1.0, -0.5]]], dtype=half)  # exact in half precision
    values = normaliser.inverse(scaled)
    assert values.dtype == torch.float32
    torch.testing.assert_close(values, torch.tensor([[[301.0, 299.95]]]), rtol=2**-22, atol=0)
