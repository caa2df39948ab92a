import numpy
import pytest
import torch
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler

from pdeops.data import Batch, EpochSampler, FieldDataset, Window, make_loader
from pdeops.data.loaders import whole_batch
from pdeops.domains import Grid, Mesh

GRID = Grid.periodic((6, 4))


def numbered(count=23):
    """Pairs whose input is the sample's number, and whose target its square."""
    numbers = numpy.arange(count, dtype=float)[:, None, None] * numpy.ones(GRID.shape)
    return FieldDataset.from_arrays(numbers, numbers**2, GRID)


def order_of(loader):
    return [int(number) for batch in loader for number in batch.inputs.values[:, 0, 0, 0]]


def test_arrays_become_pairs():
    inputs = numpy.random.default_rng(0).normal(size=(7, 2, 6, 4))
    targets = inputs.sum(axis=1)
    dataset = FieldDataset.from_arrays(
        inputs, targets, GRID, input_channels=("a", "b"), output_channels=("u",)
    )
    batch = dataset[[6, 0]]
    assert len(dataset) == 7
    numpy.testing.assert_allclose(batch.inputs.values, inputs[[6, 0]], rtol=1e-6)
    numpy.testing.assert_allclose(batch.targets.values[:, 0], targets[[6, 0]], rtol=1e-5, atol=1e-6)
    assert batch.inputs.values.dtype == torch.float32
    assert batch.inputs.channels == ("a", "b")
    assert batch.targets.domain == GRID
    assert dataset[2].batch_size == 1


def test_targets_may_live_elsewhere_and_on_a_mesh():
    points = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
    mesh = Mesh(points, torch.tensor([[0, 1, 2], [1, 3, 2]]))
    dataset = FieldDataset.from_arrays(torch.ones(3, 6, 4), torch.ones(3, 2, 4), GRID, output_domain=mesh)
    batch = dataset[[0, 1, 2]]
    assert batch.inputs.domain == GRID
    assert batch.targets.domain is mesh
    assert dataset.output_domain is mesh


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        ((7, 6, 5), (7, 6, 4), r"inputs: .*got 5 instead of 4 along axis 3 \(y\)"),
        ((7, 1, 8, 4), (7, 6, 4), r"inputs: .*got 8 instead of 6 along axis 2 \(x\)"),
        ((7, 6, 4), (6, 6, 4), r"targets: .*got 6 instead of 7 along axis 0 \(samples\)"),
        ((7, 0, 6, 4), (7, 6, 4), r"inputs: .*got 0 instead of at least 1 along axis 1 \(channels\)"),
        ((6, 4), (7, 6, 4), r"inputs: expected shape \(samples, channels, x=6, y=4\).*got \(6, 4\)"),
        ((7, 6, 4), (7, 2, 3, 6, 4), r"targets: expected shape"),
    ],
)
def test_wrong_shapes_name_the_axis(inputs, targets, message):
    with pytest.raises(ValueError, match=message):
        FieldDataset.from_arrays(numpy.zeros(inputs), numpy.zeros(targets), GRID)


def test_wrong_trajectories_name_the_axis():
    with pytest.raises(ValueError, match=r"frames: .*got 4 instead of 3 along axis 1 \(times\)"):
        FieldDataset.from_trajectories(torch.zeros(2, 4, 6, 4), [0.0, 1.0, 2.0], GRID, Window())
    with pytest.raises(ValueError, match=r"statics: .*got 3 instead of 2 along axis 0 \(samples\)"):
        FieldDataset.from_trajectories(
            torch.zeros(2, 3, 6, 4), [0.0, 1.0, 2.0], GRID, Window(), statics=torch.zeros(3, 6, 4)
        )


def test_wrong_values_and_names():
    good, bad = numpy.zeros((3, 6, 4)), numpy.zeros((3, 6, 4))
    bad[1, 2, 2] = numpy.nan
    with pytest.raises(ValueError, match=r"targets: expected finite values, got NaN or infinity in sample 1"):
        FieldDataset.from_arrays(good, bad, GRID)
    with pytest.raises(TypeError, match=r"inputs: expected real numbers, got torch.complex128"):
        FieldDataset.from_arrays(good * 1j, good, GRID)
    with pytest.raises(ValueError, match="expected 1 names of input channels"):
        FieldDataset.from_arrays(good, good, GRID, input_channels=("a", "b"))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_each_epoch_visits_all_in_an_order_of_its_own(num_workers):
    loader = make_loader(numbered(), batch_size=4, shuffle_seed=7, num_workers=num_workers)
    orders = []
    for epoch in range(3):
        loader.sampler.set_epoch(epoch)
        orders.append(order_of(loader))
        assert sorted(orders[-1]) == list(range(23))
    assert len({tuple(order) for order in orders}) == 3
    again = make_loader(numbered(), batch_size=4, shuffle_seed=7)
    again.sampler.set_epoch(2)
    assert order_of(again) == orders[2], "a resumed run sees the order of an uninterrupted one"


def test_neighbouring_seeds_do_not_share_orders():
    def order(seed, epoch):
        sampler = EpochSampler(50, seed=seed)
        sampler.set_epoch(epoch)
        return tuple(sampler)

    assert len({order(seed, epoch) for seed in range(4) for epoch in range(4)}) == 16


def test_the_order_does_not_touch_the_global_generator():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    order_of(make_loader(numbered(), batch_size=4))
    list(EpochSampler(10, seed=0))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("count", [23, 24])
def test_distributed_samplers_cover_everything(count):
    dataset = numbered(count)
    seen = []
    for rank in range(3):
        sampler = DistributedSampler(dataset, num_replicas=3, rank=rank, seed=1)
        loader = DataLoader(dataset, batch_size=4, sampler=sampler, collate_fn=whole_batch)
        seen.append(order_of(loader))
    assert {len(part) for part in seen} == {8}
    assert set().union(*seen) == set(range(count))
    assert sum(map(len, seen)) - count == -count % 3, "only what fills up the last round comes twice"


@pytest.mark.parametrize("count", [23, 24])
def test_processes_share_the_samples_of_an_epoch_among_them(count):
    orders = []
    for epoch in (0, 1, 1):
        seen = []
        for rank in range(3):
            sampler = EpochSampler(count, seed=3, num_replicas=3, rank=rank)
            sampler.set_epoch(epoch)
            seen.append(list(sampler))
            assert len(seen[-1]) == len(sampler) == 8
        assert set().union(*seen) == set(range(count))
        whole = EpochSampler(count, seed=3)
        whole.set_epoch(epoch)
        dealt = [sample for turn in zip(*seen, strict=True) for sample in turn]
        assert dealt[:count] == list(whole), "processes take turns in the order of one process"
        orders.append(seen)
    assert orders[1] == orders[2] != orders[0]


def test_a_batch_moves_and_says_its_size():
    batch = numbered()[[0, 1, 2]]
    moved = batch.to("meta")
    assert moved.inputs.values.device.type == "meta"
    assert moved.targets.values.device.type == "meta"
    assert batch.batch_size == moved.batch_size == 3
    assert Batch(batch.inputs).to("meta").targets is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_batch_is_pinned_for_the_gpu():
    batch = next(iter(make_loader(numbered(), batch_size=4)))
    assert batch.inputs.values.is_pinned()
    assert batch.targets.values.is_pinned()


def test_each_pair_keeps_its_own_points():
    inputs = torch.zeros(50, 6, 4)
    samples = FieldDataset.from_arrays(inputs, inputs, GRID).samples
    dataset = FieldDataset(samples, num_queries=5, seed=3)
    chosen = dataset[[7, 2]].chosen
    assert chosen.shape == (2, 5)
    # Drawn once: another epoch, another order and another object with the same seed give the same points.
    assert torch.equal(chosen, FieldDataset(samples, num_queries=5, seed=3)[[2, 7]].chosen.flip(0))
    assert not torch.equal(chosen, FieldDataset(samples, num_queries=5, seed=4)[[7, 2]].chosen)
    everything = dataset[range(50)].chosen
    assert all(len(set(row.tolist())) == 5 for row in everything)
    assert set(everything.flatten().tolist()) == set(range(24))
    assert numbered()[[0]].chosen is None
    with pytest.raises(ValueError, match="expected 1 to 24, the points of a target, got 25"):
        FieldDataset(samples, num_queries=25)
    rolled_out = FieldDataset.from_trajectories(
        torch.zeros(2, 3, 1, 4), (0.0, 1.0, 2.0), Grid.periodic((4,)), Window()
    )
    window = Window(output_frames=2, frames_per_call=1)
    with pytest.raises(ValueError, match="expected a window of one call, got 2 calls"):
        FieldDataset(rolled_out.samples, window, num_queries=3)
