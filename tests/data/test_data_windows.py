import numpy
import pytest
import torch
from hydra import compose, initialize_config_module

from pdeops.cli.assembly import build_problem, build_times, build_window
from pdeops.data import FieldDataset, Window
from pdeops.domains import Grid

GRID = Grid.periodic((5, 4))
TIMES = [0.1 * frame for frame in range(9)]


def trajectories(num_samples=3, channels=2):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(num_samples, len(TIMES), channels, *GRID.shape, generator=generator)


WINDOWS = [
    Window(),
    Window(stride=5),
    Window(input_frames=3, output_frames=2),
    Window(input_frames=2, output_frames=4, frames_per_call=2),
    Window(input_frames=2, output_frames=1, stride=3, starts="first"),
    Window(input_frames=4, output_frames=5),
]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("with_statics", [False, True])
def test_pairs_are_those_of_a_loop_written_by_hand(window, with_statics):
    frames = trajectories()
    statics = torch.rand(3, 1, *GRID.shape) if with_statics else None
    dataset = FieldDataset.from_trajectories(frames, TIMES, GRID, window, statics=statics)
    expected = []
    for sample in range(3):
        start = 0
        while start + (window.input_frames + window.output_frames - 1) * window.stride < len(TIMES):
            channels = []
            for frame in range(window.input_frames):
                for channel in range(2):
                    channels.append(frames[sample, start + frame * window.stride, channel])
            if statics is not None:
                channels.append(statics[sample, 0])
            targets = []
            for frame in range(window.output_frames):
                number = start + (window.input_frames + frame) * window.stride
                targets.extend(frames[sample, number, channel] for channel in range(2))
            expected.append((torch.stack(channels), torch.stack(targets)))
            if window.starts == "first":
                break
            start += 1
    assert len(dataset) == len(expected)
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(1)).tolist()
    batch = dataset[order]
    assert torch.equal(batch.inputs.values, torch.stack([expected[i][0] for i in order]))
    assert torch.equal(batch.targets.values, torch.stack([expected[i][1] for i in order]))
    assert batch.inputs.times is None


def test_channel_names_number_the_frames():
    dataset = FieldDataset.from_trajectories(
        trajectories(),
        TIMES,
        GRID,
        Window(input_frames=2, output_frames=2),
        statics=torch.zeros(3, *GRID.shape),
        frame_channels=("u", "v"),
        static_channels=("a",),
    )
    assert dataset.input_channels == ("u[-1]", "v[-1]", "u[0]", "v[0]", "a")
    assert dataset.output_channels == ("u[1]", "v[1]", "u[2]", "v[2]")
    single = FieldDataset.from_trajectories(trajectories(), TIMES, GRID, Window(), frame_channels=("u", "v"))
    assert single.input_channels == single.output_channels == ("u", "v")


def test_one_shot_window_spans_the_whole_trajectory():
    window = Window(stride=8)
    assert window.span == 9
    numpy.testing.assert_array_equal(window.first_frames(9), [0])
    assert Window(output_frames=6, frames_per_call=2).num_calls == 3
    assert Window(output_frames=6).num_calls == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"input_frames": -1}, "input_frames: expected at least 0"),
        ({"input_frames": 0}, "starts=.first. and all output frames in one call"),
        ({"stride": 0}, "stride: expected at least 1"),
        ({"frames_per_call": -1}, "frames_per_call: expected at least 1"),
        ({"output_frames": 5, "frames_per_call": 2}, "multiple of frames_per_call"),
        ({"starts": "some"}, "'all' or 'first'"),
    ],
)
def test_wrong_windows(settings, message):
    with pytest.raises(ValueError, match=message):
        Window(**settings)


def test_windows_that_do_not_fit_the_trajectory():
    with pytest.raises(ValueError, match=r"at least 10 frames.*got 9"):
        FieldDataset.from_trajectories(trajectories(), TIMES, GRID, Window(stride=9))
    uneven = [*TIMES[:-1], 2.0]
    with pytest.raises(ValueError, match="evenly spaced times"):
        FieldDataset.from_trajectories(trajectories(), uneven, GRID, Window())
    once = Window(input_frames=1, output_frames=8, starts="first")
    assert len(FieldDataset.from_trajectories(trajectories(), uneven, GRID, once)) == 3


@pytest.mark.parametrize(
    ("experiment", "first", "last"),
    [
        ("navier_stokes_10_to_10", range(1, 11), range(11, 21)),
        ("navier_stokes_10_to_10_1e-5", range(1, 11), range(11, 21)),
        ("navier_stokes_1_to_10", range(1, 2), range(2, 12)),
        ("navier_stokes_1_to_10_1e-5", range(1, 2), range(2, 12)),
    ],
)
def test_published_protocols_show_and_ask_for_exactly_their_frames(experiment, first, last):
    with initialize_config_module("pdeops.conf", version_base="1.3"):
        config = compose("train", overrides=[f"experiment={experiment}"])
    times = build_times(build_problem(config), config.data.final_time, config.data.num_frames)
    window = build_window(config)
    # A trajectory whose value is the time: the published frames are one unit of time apart, the first at 1.
    frames = torch.tensor(times)[None, :, None, None, None].expand(3, -1, 1, *GRID.shape)
    dataset = FieldDataset.from_trajectories(frames, times, GRID, window)
    assert len(dataset) == 3, "one window a trajectory"
    batch = dataset[[2]]
    assert batch.inputs.values[0, :, 0, 0].tolist() == list(first)
    assert batch.targets.values[0, :, 0, 0].tolist() == list(last)
    assert (window.frames_per_call, window.num_calls) == (1, 10)


def test_windows_begin_at_the_first_frame_asked_for():
    window = Window(input_frames=2, output_frames=1, stride=2, first_frame=3)
    assert window.first_frames(10).tolist() == [3, 4, 5]
    assert Window(starts="first", first_frame=3).first_frames(5).tolist() == [3]
    with pytest.raises(ValueError, match=r"at least 5 frames.*from frame 3 on, got 4"):
        Window(first_frame=3).first_frames(4)
    with pytest.raises(ValueError, match="first_frame: expected at least 0, got -1"):
        Window(first_frame=-1)


def test_a_trajectory_may_follow_from_static_inputs_alone():
    window = Window(input_frames=0, output_frames=9, starts="first")
    statics = numpy.arange(len(trajectories()))[:, None, None] * numpy.ones(GRID.shape)
    dataset = FieldDataset.from_trajectories(trajectories(), TIMES, GRID, window, statics=statics)
    batch = dataset[[2, 1]]
    assert batch.inputs.channels == dataset.samples.layout.static_channels
    numpy.testing.assert_array_equal(batch.inputs.values[:, 0, 0, 0], [2.0, 1.0])
    # The first stored frame is a target: nothing was given before it.
    assert torch.equal(batch.targets.values[0], torch.as_tensor(trajectories()[2]).float().flatten(0, 1))
    assert window.output_times(0.5) == tuple(0.5 * frame for frame in range(9))
    assert Window(output_frames=2).output_times(0.5) == (0.5, 1.0)
    with pytest.raises(ValueError, match="static inputs"):
        FieldDataset.from_trajectories(trajectories(), TIMES, GRID, window)[[0]]
