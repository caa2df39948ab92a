"""A run folder gives its operator back, and refuses what does not belong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from heat_training import GRID, NAME, TIMES, make_data, make_file, make_module, make_trainer, trajectories

import pdeops
from pdeops.data import Window
from pdeops.domains import Field, Grid, Mesh
from pdeops.operators import FNO
from pdeops.problems import Darcy2D
from pdeops.training import find_checkpoint, read_checkpoint
from pdeops.training.artefact import Artefact
from pdeops.training.operator_target import build_operator, find_class

WINDOW = Window(input_frames=2, output_frames=3, frames_per_call=1, starts="first")


@pytest.fixture
def run(tmp_path):
    data = make_data(make_file(tmp_path / "heat.h5"), window=WINDOW)
    run = tmp_path / "run"
    make_trainer(run, max_epochs=3).fit(make_module(data, lr=0.03), datamodule=data)
    return run


def predict_by_hand(run, inputs):
    """What the Lightning module gives for the test inputs, with the weights of the best checkpoint."""
    data = make_data(run.parent / "heat.h5", window=WINDOW)
    module = make_module(data)
    module.load_state_dict(read_checkpoint(find_checkpoint(run, "best.ckpt"))["state_dict"])
    with torch.no_grad():
        return module.eval()(inputs)


def test_a_loaded_surrogate_gives_what_the_trained_module_gave_bit_for_bit(run):
    batch = make_data(run.parent / "heat.h5", window=WINDOW).dataset("test")[[0, 1, 2]]
    expected = predict_by_hand(run, batch.inputs)
    surrogate = pdeops.load(run)
    prediction = surrogate.predict(batch.inputs)
    assert torch.equal(prediction.values.flatten(1, 2), expected)
    assert prediction.channels == ("temperature",)
    torch.testing.assert_close(prediction.times, torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64))
    tensor = surrogate.predict(batch.inputs.values)
    assert torch.equal(tensor.values, prediction.values)


def test_fields_by_name_mean_the_same_as_folded_channels(run):
    frames = trajectories(2, seed=7).float()
    past = Field(frames[:, :2], GRID, ("temperature",), times=torch.tensor(TIMES[:2]))
    (x,) = GRID.coordinates
    static = Field(x.float().expand(2, 1, 16), GRID, ("coordinate",))
    surrogate = pdeops.load(run)
    named = surrogate.predict({"coordinate": static, "temperature": past})
    folded = torch.cat([frames[:, :2, 0], static.values], dim=1)
    assert torch.equal(named.values, surrogate.predict(folded).values)


def test_a_rollout_goes_on_where_the_prediction_ends(run):
    batch = make_data(run.parent / "heat.h5", window=WINDOW).dataset("test")[[0, 1]]
    surrogate = pdeops.load(run)
    rollout = surrogate.rollout(batch.inputs, 7)
    assert rollout.values.shape == (2, 7, 1, 16)
    assert torch.equal(rollout.values[:, :3], surrogate.predict(batch.inputs).values)
    # The last frames follow from the two before them by one more prediction.
    tail = torch.cat([rollout.values[:, 2:4, 0], batch.inputs.values[:, 2:]], dim=1)
    torch.testing.assert_close(rollout.values[:, 4:], surrogate.predict(tail).values, rtol=1e-5, atol=1e-6)


def test_a_prediction_is_interpolated_to_another_grid(run):
    batch = make_data(run.parent / "heat.h5", window=WINDOW).dataset("test")[[0]]
    finer = GRID.with_shape((32,))
    surrogate = pdeops.load(run)
    coarse, fine = surrogate.predict(batch.inputs), surrogate.predict(batch.inputs, finer)
    assert fine.domain == finer
    torch.testing.assert_close(fine.values[..., ::2], coarse.values, rtol=1e-4, atol=1e-5)


def test_inputs_that_do_not_fit_are_refused_in_words(run):
    surrogate = pdeops.load(run)
    with pytest.raises(ValueError, match=r"expected 3 input channels .* got 2"):
        surrogate.predict(torch.zeros(1, 2, 16))
    field = Field(torch.zeros(1, 1, 16), GRID, ("temperature",))
    with pytest.raises(ValueError, match=r"expected the inputs .*coordinate.* got \['temperature'\]"):
        surrogate.predict({"temperature": field})
    short = Field(torch.zeros(1, 1, 1, 16), GRID, ("temperature",), times=torch.zeros(1))
    with pytest.raises(ValueError, match="expected at least 2 past frames, got 1"):
        surrogate.predict({"temperature": short, "coordinate": field})
    with pytest.raises(ValueError, match="at least 1 step"):
        surrogate.rollout(torch.zeros(1, 3, 16), 0)


def test_channels_are_found_by_name_in_any_order(run):
    batch = make_data(run.parent / "heat.h5", window=WINDOW).dataset("test")[[0, 1]]
    names = batch.inputs.channels
    assert names == ("temperature[-1]", "temperature[0]", "coordinate")
    surrogate = pdeops.load(run)
    expected = surrogate.predict(batch.inputs).values
    mixed = batch.inputs.select(names[2], names[0], names[1])
    assert torch.equal(surrogate.predict(mixed).values, expected)
    initial = Field(batch.inputs.values, GRID, (f"initial_{names[0]}", *names[1:]))
    assert torch.equal(surrogate.predict(initial).values, expected)
    other = Field(batch.inputs.values, GRID, ("velocity[-1]", "velocity[0]", "coordinate"))
    with pytest.raises(
        ValueError, match=r"expected the channels \('temperature\[-1\]'.*got \('velocity\[-1\]'"
    ):
        surrogate.predict(other)


@pytest.mark.parametrize(
    "domain",
    [Grid.periodic((16,), lengths=(2.0,)), Grid.box((16,)), Grid.periodic((32,), lengths=(2.0,))],
)
def test_inputs_on_another_box_are_refused(run, domain):
    names = ("temperature[-1]", "temperature[0]", "coordinate")
    field = Field(torch.ones(1, 3, *domain.shape), domain, names)
    with pytest.raises(ValueError, match=r"expected inputs on Grid.*got Grid"):
        pdeops.load(run).predict(field)


def change(run, edit):
    path = find_checkpoint(run, "best.ckpt")
    checkpoint = read_checkpoint(path)
    edit(checkpoint)
    torch.save(checkpoint, path)


def test_weights_of_another_model_are_refused(run):
    change(run, lambda checkpoint: checkpoint["pdeops"]["operator"].update(modes=5))
    with pytest.raises(ValueError, match=r"LinearSpectral, offset of shape \(1, 5\), got \(1, 7\)"):
        pdeops.load(run)


def test_another_problem_is_refused(run):
    with pytest.raises(ValueError, match="expected problem 'darcy', got ''"):
        pdeops.load(run, problem=Darcy2D())


def test_files_of_other_programs_are_refused(run):
    change(run, lambda checkpoint: checkpoint.pop("pdeops"))
    with pytest.raises(ValueError, match="expected one written by pdeops"):
        pdeops.load(run)


def test_a_checkpoint_that_would_run_code_is_not_unpickled(run, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"pdeops": Trap()}, find_checkpoint(run, "best.ckpt"))
    with pytest.raises(ValueError, match="expected a whole checkpoint of plain containers"):
        pdeops.load(run)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("os.system", "subclass of Operator"),
        ("torch.nn.Linear", "subclass of Operator"),
        ("pdeops.operators.Operatr", "has no attribute 'Operatr'"),
        ("somebody_elses_package.Model", "import somebody_elses_package first"),
        ("antigravity.Model", "import antigravity first"),
        ("nonsense", "import nonsense first"),
    ],
)
def test_only_operators_are_built_by_name(target, words):
    with pytest.raises(ValueError, match=words):
        build_operator({"_target_": target}, in_channels=1, out_channels=1, domain=GRID)
    assert "antigravity" not in sys.modules


def test_parts_of_an_operator_must_be_modules():
    with pytest.raises(ValueError, match="subclass of Module"):
        find_class("os.system", torch.nn.Module)
    options = {"_target_": "pdeops.operators.FNO", "modes": 3, "width": 4, "num_layers": 1}
    operator = build_operator(options, in_channels=1, out_channels=2, domain=GRID)
    assert isinstance(operator, FNO)
    with pytest.raises(ValueError, match="got \\['widht'\\]"):
        build_operator(
            {"_target_": options["_target_"], "widht": 4}, in_channels=1, out_channels=1, domain=GRID
        )


@pytest.mark.parametrize(
    "domain",
    [
        Grid.box((4, 5), ["periodic", "chebyshev"], lower=(-1, 0.1), upper=(1, 0.3)),
        Mesh(
            torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64),
            torch.tensor([[0, 1, 2]]),
            {"bottom": torch.tensor([[0, 1]])},
        ),
    ],
)
def test_descriptions_survive_a_file_that_holds_no_pickles(tmp_path, domain):
    artefact = Artefact(
        operator={"_target_": NAME},
        input_channels=("a",),
        variables=("u", "v"),
        units={"a": "m", "u": "K"},
        input_domain=domain,
        output_domain=domain,
        window=Window(input_frames=2, output_frames=4, frames_per_call=2),
        time_step=0.5,
        problem="heat",
        parameters={"diffusivity": 0.1},
        versions={"pdeops": "0"},
    )
    torch.save(artefact.to_dict(), tmp_path / "artefact.pt")
    again = Artefact.from_dict(torch.load(tmp_path / "artefact.pt", weights_only=True))
    assert again.window == artefact.window
    assert again.out_channels == 4
    assert again.units_of(("u[3]", "v")) == ("K", "1")
    if isinstance(domain, Grid):
        assert again.input_domain == domain
    else:
        assert torch.equal(again.input_domain.points, domain.points)
        assert torch.equal(again.input_domain.simplices, domain.simplices)
        assert torch.equal(again.input_domain.boundaries["bottom"], domain.boundaries["bottom"])


def test_descriptions_of_another_format_are_refused():
    with pytest.raises(ValueError, match="expected format 1, got 2"):
        Artefact.from_dict({"format": 2})


def test_a_new_process_predicts_the_same(run, tmp_path):
    batch = make_data(run.parent / "heat.h5", window=WINDOW).dataset("test")[[0]]
    expected = pdeops.load(run).predict(batch.inputs).values
    torch.save(batch.inputs.values, tmp_path / "inputs.pt")
    script = (
        "import json, sys, torch, heat_training, pdeops\n"
        "inputs = torch.load(sys.argv[2], weights_only=True)\n"
        "print(json.dumps(pdeops.load(sys.argv[1]).predict(inputs).values.flatten().tolist()))\n"
    )
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{here.parents[1]}{os.pathsep}{here}"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(run), str(tmp_path / "inputs.pt")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert json.loads(done.stdout) == expected.flatten().tolist()
