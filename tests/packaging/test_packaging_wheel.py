"""The built wheel holds everything, and works from another folder without the checkout."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
FAST = (
    "problem=burgers",
    "model=fno",
    "model.modes=4",
    "model.width=4",
    "data.resolution=[32]",
    "data.num_train=4",
    "data.num_validation=2",
    "data.num_test=2",
    "data.generation_workers=0",
    "trainer=fast",
)


def run(*words, folder, environment=None):
    outcome = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of what git tracks so that nothing untracked slips in."""
    folder = tmp_path_factory.mktemp("source")
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", folder=ROOT).split("\n")
    for name in filter(None, listed):
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    script = "from setuptools.build_meta import build_wheel; print(build_wheel('dist'))"
    run(sys.executable, "-W", "ignore", "-c", script, folder=folder)
    (path,) = (folder / "dist").glob("*.whl")
    return path


def test_wheel_holds_code_configuration_and_markers(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, target in (("pdeops", "pdeops"), ("solvers", "solvers"), ("conf", "pdeops/conf")):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".yaml") or path.name == "py.typed":
                assert f"{target}/{path.relative_to(ROOT / folder).as_posix()}" in names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"pdeops", "solvers"}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_installed_wheel_trains_from_another_folder(wheel, tmp_path):
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    run(*PIP, "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel, folder=tmp_path)
    # Dependencies come from the environment of the tests; the library only from the wheel, which comes first.
    site = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=tmp_path).strip()
    )
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PDEOPS"))
    }
    script = "import pdeops, solvers, pdeops.conf as c; print(pdeops.__file__, solvers.__file__, c.__file__)"
    found = run(python, "-c", script, folder=elsewhere, environment=environment)
    assert all(path.startswith(str(site)) for path in found.split())
    command = folder / "bin" / "pdeops"
    printed = run(command, "train", *FAST, folder=elsewhere, environment=environment)
    assert "| relative L2 error" in printed
    (result,) = elsewhere.glob("runs/burgers/fno/*/result.json")
    assert (result.parent / "checkpoints" / "last.ckpt").is_file()
    assert "pkg://pdeops.conf" in run(
        command, "train", "--info", "searchpath", folder=elsewhere, environment=environment
    )
