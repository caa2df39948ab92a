"""The learned map of points."""

import math

import torch

from pdeops.layers.learned_deformation import LearnedDeformation, polar_features


def test_features_are_polar_coordinates() -> None:
    for dimension, expected in ((1, [0.5, 0.5]), (2, [0.5, 0.5, math.pi / 4, math.sqrt(0.5)])):
        features = polar_features(torch.full((1, dimension), 0.5).double())
        # The centre lies 1e-4 outside the corner.
        torch.testing.assert_close(features[0], torch.tensor(expected).double(), rtol=0, atol=2e-4)
    features = polar_features(torch.tensor([[0.0, 0.0, 1.0]]).double())[0]
    # On the third axis: a right angle to the first, and from the second to the third.
    torch.testing.assert_close(features[3:5], torch.full((2,), math.pi / 2).double(), rtol=0, atol=2e-4)


def test_training_starts_from_the_points_and_moves_each_by_its_own_input() -> None:
    deformation = LearnedDeformation(2, 2)
    points, values = torch.rand(9, 2), torch.randn(3, 9, 2)
    torch.testing.assert_close(deformation(points, values), points.expand(3, 9, 2), rtol=0, atol=0)
    with torch.no_grad():
        deformation.network[-1].weight.normal_()
    before = deformation(points, values)
    values[1, 4] += 1
    moved = (deformation(points, values) - before).abs().sum(dim=2)
    assert moved[1, 4] > 1e-3
    moved[1, 4] = 0
    assert moved.max() < 1e-5
