"""Two processes on the CPU make one run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_two_processes_share_one_run_folder(pdeops):
    words = [*pdeops.tiny, *pdeops.small_fno, "trainer=ddp_cpu", "trainer.max_epochs=1", "num_pictures=0"]
    words.remove("trainer=fast")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    outcome = subprocess.run(
        [sys.executable, "-m", "pdeops", "train", *words],
        cwd=pdeops.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    (run,) = pdeops.folder.glob("runs/*/*/*")
    result = json.loads((run / "result.json").read_text())
    # 24 pairs, half of them in each process, batches of 16.
    assert result["num_steps"] == 1
    assert outcome.stdout.count("| relative L2 error") == 1
