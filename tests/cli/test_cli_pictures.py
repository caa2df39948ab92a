"""Pictures of a run: frames that the data keeps as channels are frames again."""

import pytest
import torch

from pdeops.cli.pictures import with_times
from pdeops.data import Window
from pdeops.domains import Field, Grid
from pdeops.training import Artefact


def test_frames_of_several_variables_are_taken_apart_in_the_order_of_time():
    grid = Grid.box((4,))
    window, units = Window(output_frames=3), {"u": "m", "v": "s"}
    artefact = Artefact({}, ("u", "v"), ("u", "v"), units, grid, grid, window, 0.5, "", {}, {})
    # Frame by frame, and the variables within a frame.
    values = torch.arange(6).double()[None, :, None].expand(2, 6, 4)
    frames = with_times(Field(values, grid, tuple(f"channel_{number}" for number in range(6))), artefact)
    assert frames.times.tolist() == pytest.approx([0.5, 1.0, 1.5])
    assert frames.channels == ("u", "v")
    assert frames.units == ("m", "s")
    assert frames.snapshot(-1).select("v").values.unique().tolist() == [5]
    assert frames.snapshot(0).select("u").values.unique().tolist() == [0]
