"""Pictures: scales, what is drawn, and that nothing global is touched."""

import sys
from dataclasses import replace

import matplotlib
import numpy
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.image import imread

from pdeops.domains import Field, Grid, Mesh
from pdeops.export import (
    TimedError,
    draw_comparison,
    draw_error_and_time,
    draw_error_over_time,
    draw_learning_curve,
    draw_rollout,
    draw_spectrum,
)
from pdeops.export.panels import ColourScale, draw_map, name_with_unit


def smooth_field(domain, *, times=None, batch=2):
    torch.manual_seed(0)
    frames = () if times is None else (len(times),)
    return Field(
        torch.randn(batch, *frames, 1, *domain.shape).double(), domain, ("vorticity",), ("1/s",), times
    )


def test_scales_are_symmetric_for_signed_fields_and_tight_for_positive_ones():
    signed = ColourScale.of(numpy.array([-1.0, 3.0]), numpy.array([-4.0, 2.0]))
    assert (signed.lower, signed.upper, signed.colours) == (-4.0, 4.0, "RdBu_r")
    positive = ColourScale.of(numpy.array([3.0, 12.0, numpy.nan]))
    assert (positive.lower, positive.upper, positive.colours) == (3.0, 12.0, "viridis")
    error = ColourScale.of_error(numpy.array([0.1, -0.2]))
    assert (error.lower, error.upper) == (-0.2, 0.2)
    constant = ColourScale.of(numpy.array([2.0, 2.0]))
    assert constant.lower < 2.0 < constant.upper


def test_the_first_axis_is_drawn_to_the_right_and_the_second_upwards():
    axes = Figure().subplots()
    values = torch.zeros(4, 3)
    values[3, 0] = 1.0  # large x, small y: lower right corner
    draw_map(axes, values, Grid.periodic((4, 3), lengths=(4.0, 3.0)), ColourScale(0, 1, "viridis"))
    image = axes.images[0]
    assert image.origin == "lower"
    assert image.get_array().shape == (3, 4)
    assert image.get_array()[0, 3] == 1.0
    assert tuple(image.get_extent()) == (0.0, 4.0, 0.0, 3.0)


@pytest.mark.parametrize("kind", ["periodic", "chebyshev"])
@pytest.mark.parametrize("shape", [(12,), (12, 8), (6, 5, 4)])
def test_comparisons_of_every_dimension_are_pictures(tmp_path, kind, shape):
    truth = smooth_field(Grid.box(shape, kind))
    path = draw_comparison(truth, truth, tmp_path / "comparison", inputs=truth)
    assert path.suffix == ".png"
    picture = imread(path)
    assert min(picture.shape[:2]) > 300
    assert picture[..., :3].std() > 0.01
    assert [file.name for file in tmp_path.iterdir()] == ["comparison.png"]


def test_a_mesh_is_drawn_with_its_triangles(tmp_path):
    mesh = Mesh(
        torch.tensor([[0.0, 0.0], [1, 0], [1, 1], [0, 1]]).double(), torch.tensor([[0, 1, 2], [0, 2, 3]])
    )
    field = smooth_field(mesh)
    assert imread(draw_comparison(field, field, tmp_path / "mesh"))[..., :3].std() > 0.01


def test_equal_training_times_still_have_a_scale(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "pdeops.export.error_and_time.save_figure", lambda figure, path: drawn.append(figure) or path
    )
    models = [TimedError(name, 0.1, 0.01, 1e-3, time) for name, time in (("fno", 60.5), ("lsm", 63.0))]
    draw_error_and_time(models, [(1e-3, 0.2), (1e-2, 0.02)], 1.0, tmp_path / "times.png")
    (figure,) = drawn
    left, right = figure.axes[1].get_xlim()
    assert left < 60.5 < 63.0 < right
    assert [tick for tick in figure.axes[1].get_xticks() if left < tick < right] == [50.0, 100.0]


def test_a_rollout_in_one_dimension_is_a_map_over_space_and_time(tmp_path, monkeypatch):
    truth = smooth_field(Grid.box((9,), "nodes"), times=torch.arange(4).double())
    wrong = replace(truth, values=1.5 * truth.values)
    figures = []
    monkeypatch.setattr(
        "pdeops.export.fields.save_figure", lambda figure, path: figures.append(figure) or path
    )
    draw_rollout(wrong, truth, tmp_path / "rollout")
    panels = [axes for axes in figures[0].axes if axes.get_title()]
    assert [axes.get_title() for axes in panels][1:] == ["prediction", "error, relative $L^2$ 50.00%"]
    (error,) = [item for item in panels[2].collections if item.get_array() is not None]
    numpy.testing.assert_allclose(
        error.get_array().reshape(4, 9), 0.5 * truth.values[0, :, 0].numpy(), atol=1e-12
    )


def test_rollouts_spectra_and_curves_are_pictures(tmp_path):
    truth = smooth_field(Grid.periodic((8, 8)), times=torch.arange(4).double())
    rows = [{"epoch": e, "train/loss": 1 / (e + 1), "validation/relative_l2": 2 / (e + 1)} for e in range(5)]
    for path in (
        draw_rollout(truth, truth, tmp_path / "rollout"),
        draw_error_over_time(truth, truth, tmp_path / "error"),
        draw_spectrum({"truth": truth, "prediction": truth}, tmp_path / "spectrum"),
        draw_learning_curve(rows, tmp_path / "curve"),
    ):
        assert imread(path)[..., :3].std() > 0.01


def test_a_learning_curve_without_known_numbers_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected rows with some of"):
        draw_learning_curve([{"epoch": 0.0, "time/train_step": 1.0}], tmp_path / "curve")


def test_units_are_written_except_for_dimensionless_channels():
    assert name_with_unit("initial_vorticity", "1/s") == "initial vorticity [1/s]"
    assert name_with_unit("pressure", "1") == "pressure"


def test_no_global_figure_state_is_used():
    assert "matplotlib.pyplot" not in sys.modules or not matplotlib.pyplot.get_fignums()
