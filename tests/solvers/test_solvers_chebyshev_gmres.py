"""The batched GMRES against dense solves."""

import torch

from solvers.chebyshev.gmres import batched_gmres


def systems(seed=0, count=40):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(3, count, count, dtype=torch.float64, generator=generator) / count**0.5
    strengths = torch.tensor([0.0, 0.3, 0.9], dtype=torch.float64)[:, None, None]
    matrices = torch.eye(count, dtype=torch.float64) + strengths * noise
    right = torch.randn(3, count, dtype=torch.float64, generator=generator)
    return matrices, right


def solved(matrices, right, **settings):
    options = {"tolerance": 1e-12, "max_iterations": 200, "restart": 60} | settings
    return batched_gmres(lambda u: torch.einsum("bij,bj->bi", matrices, u), right, lambda u: u, **options)


def test_agrees_with_a_dense_solve_and_stops_where_each_system_is_done():
    matrices, right = systems()
    result = solved(matrices, right)
    assert bool(result.converged.all())
    torch.testing.assert_close(result.solution, torch.linalg.solve(matrices, right), rtol=0, atol=1e-10)
    assert result.iterations[0] == 1  # the identity
    assert 1 < result.iterations[1] < result.iterations[2] <= 41
    history = result.residual_history
    assert bool((history.diff(dim=0)[:-1] <= 1e-15).all())
    residual = right - torch.einsum("bij,bj->bi", matrices, result.solution)
    torch.testing.assert_close(history[-1], residual.norm(dim=1) / right.norm(dim=1), rtol=1e-6, atol=1e-16)


def test_restarts_converge_as_well():
    matrices, right = systems()
    result = solved(matrices[:2], right[:2], restart=5)
    assert bool(result.converged.all())
    assert result.iterations.max() > 5
    torch.testing.assert_close(
        result.solution, torch.linalg.solve(matrices[:2], right[:2]), rtol=0, atol=1e-10
    )


def test_samples_do_not_influence_one_another():
    matrices, right = systems()
    together = solved(matrices, right)
    for i in range(3):
        alone = solved(matrices[i : i + 1], right[i : i + 1])
        torch.testing.assert_close(alone.solution[0], together.solution[i], rtol=0, atol=1e-14)
        assert alone.iterations[0] == together.iterations[i]


def test_a_singular_system_is_not_called_converged():
    matrices, right = systems()
    matrices[1, 0] = 0.0  # a row of zeros with a right side that is not zero
    result = solved(matrices, right)
    assert result.converged.tolist() == [True, False, True]
