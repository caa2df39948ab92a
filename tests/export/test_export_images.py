"""Fields where their samples lie in space."""

import pytest
import pyvista
import torch
from matplotlib.image import imread

from pdeops.domains import Field, Grid, Mesh, box_mesh, grid_mesh
from pdeops.export import draw_comparison, on_image, write_vtk

GRID = Grid.box((4, 3))


def moved(mesh):
    """The mesh turned by a right angle and moved."""
    points = torch.stack([2 - mesh.points[:, 1], mesh.points[:, 0]], dim=1)
    return Mesh(points, mesh.simplices, mesh.boundaries)


def test_values_of_a_grid_go_to_the_points_of_its_mesh(tmp_path):
    x, y = GRID.coordinates
    times = torch.tensor([0.0, 1.0], dtype=torch.float64)
    values = (x + 10 * y).expand(2, 2, 1, 4, 3) * times[:, None, None, None]
    shown = on_image(Field(values, GRID, ("u",), times=times), moved(grid_mesh(GRID)))
    points = shown.domain.points
    expected = points[:, 1] + 10 * (2 - points[:, 0])
    torch.testing.assert_close(shown.values[1, 1, 0], expected, rtol=0, atol=1e-14)
    path = write_vtk(shown.snapshot(1), tmp_path / "one")
    written = pyvista.read(path)
    assert written["u"].tolist() == pytest.approx(
        (written.points[:, 1] + 10 * (2 - written.points[:, 0])).tolist()
    )


def test_an_image_with_other_points_is_refused():
    field = Field(torch.zeros(1, 1, 4, 3), GRID, ("u",))
    assert on_image(field, GRID) is field
    with pytest.raises(ValueError, match="expected 12 points, as many as the field has, got 9"):
        on_image(field, box_mesh((2, 2)))


@pytest.mark.parametrize("mesh", [box_mesh((5,)), box_mesh((3, 2)), box_mesh((2, 2, 3))])
def test_comparisons_on_meshes_of_every_dimension_are_pictures(tmp_path, mesh):
    truth = Field(mesh.points.sum(dim=1).expand(2, 1, -1), mesh, ("u",))
    images = [Mesh(factor * mesh.points, mesh.simplices) for factor in (1.0, 2.0)]
    path = draw_comparison(truth, truth, tmp_path / "one.png", inputs=truth, images=images)
    picture = imread(path)
    assert min(picture.shape[:2]) > 300
    assert picture[..., :3].std() > 0.01


def test_each_sample_is_drawn_on_its_own_image(tmp_path):
    mesh = box_mesh((3, 3))
    truth = Field(mesh.points.sum(dim=1).expand(1, 1, -1), mesh, ("u",))
    flat = Mesh(mesh.points * torch.tensor([1.0, 0.25], dtype=torch.float64), mesh.simplices)
    heights = []
    for name, image in (("square", mesh), ("flat", flat)):
        picture = imread(draw_comparison(truth, truth, tmp_path / f"{name}.png", images=[image]))
        # The truth is the first third; its colours fill rows that are as many as it is high.
        panel = picture[:, : picture.shape[1] // 4, :3]
        heights.append(int((panel.max(axis=2) - panel.min(axis=2) > 0.2).any(axis=1).sum()))
    assert heights[1] == pytest.approx(heights[0] / 4, rel=0.1)
