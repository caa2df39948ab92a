"""A sliding window against the recurrence written out."""

import pytest
import torch

from pdeops.training.rollout import unroll


def test_two_frame_window_runs_the_fibonacci_recurrence_and_keeps_static_channels():
    def step(values):
        assert torch.equal(values[:, 2], torch.full((1, 4), 7.0))
        return values[:, :1] + values[:, 1:2]

    inputs = torch.stack([torch.full((4,), 1.0), torch.full((4,), 1.0), torch.full((4,), 7.0)])[None]
    frames = list(unroll(step, inputs, num_calls=6, history_channels=2))
    assert [frame[0, 0, 0].item() for frame in frames] == [2, 3, 5, 8, 13, 21]


def test_a_call_may_predict_more_frames_than_the_window_holds():
    def step(values):
        return torch.cat([values + 1, values + 2, values + 3], dim=1)

    frames = torch.cat(list(unroll(step, torch.zeros(1, 1, 2), num_calls=2, history_channels=1)), dim=1)
    assert frames[0, :, 0].tolist() == [1, 2, 3, 4, 5, 6]


def test_gradients_run_through_the_whole_rollout():
    factor = torch.tensor(1.1, dtype=torch.float64, requires_grad=True)
    *_, last = unroll(lambda u: factor * u, torch.ones(1, 1, 1).double(), num_calls=5, history_channels=1)
    last.sum().backward()
    assert factor.grad.item() == pytest.approx(5 * 1.1**4, rel=1e-12)


def test_a_rollout_without_past_frames_is_refused():
    with pytest.raises(ValueError, match="same variables"):
        list(unroll(lambda u: u, torch.ones(1, 1, 1), num_calls=2, history_channels=0))
