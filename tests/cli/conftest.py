"""Run the command line in this process, in a folder of its own."""

import logging
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

from pdeops.cli.main import main

TINY = (
    "problem=navier_stokes",
    "data.resolution=[16,16]",
    "data.num_train=6",
    "data.num_validation=2",
    "data.num_test=2",
    "data.final_time=2.0",
    "data.num_frames=5",
    "data.window.stride=1",
    "data.generation_workers=0",
    "data.progress=false",
    "trainer=fast",
)
SMALL_FNO = ("model=fno", "model.modes=4", "model.width=8", "model.num_layers=2")


@dataclass
class Outcome:
    code: int
    out: str
    err: str


@dataclass
class CommandLine:
    """The command ``pdeops``, run in this process in a folder of its own."""

    folder: Path
    tiny = TINY
    small_fno = SMALL_FNO

    def __call__(self, *words: str) -> Outcome:
        out, err = StringIO(), StringIO()
        handlers, level = logging.root.handlers[:], logging.root.level
        code = 0
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.chdir(self.folder)
            patch.setattr(sys, "argv", ["pdeops", *map(str, words)])
            # The command line clears it, so that distributed training starts the verb again.
            patch.setattr(sys.modules["__main__"], "__spec__", None, raising=False)
            GlobalHydra.instance().clear()
            try:
                main()
            except SystemExit as leaving:
                code = int(leaving.code or 0)
            finally:
                GlobalHydra.instance().clear()
                # Hydra configures the logging of the whole process.
                for handler in set(logging.root.handlers) - set(handlers):
                    handler.close()
                logging.root.handlers[:], logging.root.level = handlers, level
        return Outcome(code, out.getvalue(), err.getvalue())

    def train(self, *words: str) -> tuple[Outcome, Path]:
        """Train tiny and return the run folder, too."""
        before = set(self.folder.glob("runs/*/*/*"))
        outcome = self("train", *TINY, *words)
        assert outcome.code == 0, outcome.err
        (run,) = set(self.folder.glob("runs/*/*/*")) - before
        return outcome, run


@pytest.fixture
def pdeops(tmp_path):
    """The command line in an empty folder."""
    return CommandLine(tmp_path)


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    """One tiny run, which no test may change."""
    folder = tmp_path_factory.mktemp("trained")
    outcome, run = CommandLine(folder).train(*SMALL_FNO, "scheduler=none")
    return folder, outcome, run


@pytest.fixture
def trained(trained_once, tmp_path):
    """A copy of the tiny run: the command line in a folder of its own, the run folder, what was printed."""
    folder, outcome, run = trained_once
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return CommandLine(tmp_path), tmp_path / run.relative_to(folder), outcome
