"""The programs of the README run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import pyvista

from pdeops.cli.options import options

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TINY = ("data.num_train=4", "data.num_validation=1", "data.num_test=1", "trainer=fast", "num_pictures=0")


def run(folder: Path, *arguments: str) -> str:
    """Run Python in a folder, as a user would."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.mark.slow
def test_own_problem_and_own_model_run_as_written(tmp_path):
    for name, text in re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", README.read_text(), re.DOTALL):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    own = ("--config-dir", "my_conf", "problem=swift_hohenberg")
    own_problem = run(tmp_path, "-m", "pdeops", "train", *own, "model=fno", *TINY)
    assert "SwiftHohenberg, 128" in own_problem
    own_model = run(
        tmp_path, "-m", "pdeops", "train", "--config-dir", "my_conf", "problem=darcy", "model=mine", *TINY
    )
    # Width 64 from the YAML: 64 weights and 64 biases in, 64 weights and one bias out.
    assert "Pointwise, 193 parameters" in own_model


@pytest.mark.slow
def test_python_program_runs_as_written(tmp_path):
    run(
        tmp_path,
        "-m",
        "pdeops",
        "train",
        "problem=navier_stokes",
        "model=t1",
        "data.final_time=5",
        "data.num_frames=6",
        *TINY,
    )
    (folder,) = (tmp_path / "runs" / "navier_stokes" / "t1").iterdir()
    (program,) = re.findall(
        r"```python\n(import torch\nimport pdeops\n.*?)```", README.read_text(), re.DOTALL
    )
    (tmp_path / "program.py").write_text(program.replace("runs/navier_stokes/t1/...", str(folder)))
    errors = [float(number) for number in re.findall(r"\d+\.\d+", run(tmp_path, "program.py"))]
    assert len(errors) == 3
    # Barely trained, it is still a prediction of these fields: their own size, not another one.
    assert all(0.05 < error < 1.5 for error in errors)


@pytest.mark.slow
def test_solvers_program_runs_as_written(tmp_path):
    (program,) = re.findall(
        r"```python\n(import torch\nimport solvers\n.*?)```", README.read_text(), re.DOTALL
    )
    (tmp_path / "program.py").write_text(program)
    first, second = run(tmp_path, "program.py").splitlines()
    assert first.startswith("SpectralSolver")
    name, norm = second.split()
    assert name == "FiniteElementSolver"
    assert 0 < float(norm) < 1
    written = {path.name for path in tmp_path.iterdir()}
    assert {"allen_cahn.pvd", "allen_cahn", "allen_cahn.gif", "potential.png"} <= written
    reader = pyvista.PVDReader(tmp_path / "allen_cahn.pvd")
    assert reader.time_values == pytest.approx([0.1 * frame for frame in range(11)])
    reader.set_active_time_value(reader.time_values[-1])
    phase = reader.read()[0].point_data["phase"]
    # Both phases are there, and neither goes beyond its value in rest by more than the initial field did.
    assert -1.5 < phase.min() < -0.5
    assert 0.5 < phase.max() < 1.5


@pytest.mark.slow
def test_gaussian_process_program_runs_as_written(tmp_path):
    (program,) = re.findall(
        r"```python\n(import torch\nimport pdeops\.gp\n.*?)```", README.read_text(), re.DOTALL
    )
    (tmp_path / "program.py").write_text(program)
    first, second = run(tmp_path, "program.py").splitlines()
    assert first.startswith("converged")
    deviation = float(second.rstrip(")").rpartition(" ")[2])
    # Noise of 0.01 in each of 500 values: less than that is left.
    assert 0 < deviation < 0.01


def test_commands_of_the_readme_name_what_is_there():
    for line in re.findall(r"^pdeops solve (.*?)(?:  .*)?$", README.read_text(), re.MULTILINE):
        for word in line.split():
            group, _, name = word.partition("=")
            if group in ("problem", "solver", "domain"):
                assert name in options(group), line
