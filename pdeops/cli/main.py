"""The console command ``pdeops VERB [options]``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from pdeops import __version__
from pdeops.cli.options import options
from pdeops.cli.suggestions import did_you_mean

VERBS = {
    "train": "train a model on a problem; makes the data where there is none",
    "solve": "solve a problem with a classical solver; writes fields, VTK and pictures",
    "generate": "make the data of a problem with its classical solver",
    "evaluate": "measure the error of a trained run, at its own or at another resolution",
    "predict": "apply a trained run to inputs from a file; writes HDF5 or VTK",
    "compare": "several models or runs on one problem: one table of error against time",
    "list": "show the problems, solvers, models and experiments that are there",
}

# Flags of Hydra that take the next word, or one behind "=".
FLAGS_WITH_VALUE = (
    *("--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"),
    *("--cfg", "-c", "--info", "-i", "--experimental-rerun"),
)
GROUPS = ("problem", "solver", "domain", "model", "trainer", "optimizer", "scheduler", "loss", "experiment")

EXAMPLES = """examples:
  pdeops solve problem=burgers solver=etdrk4
  pdeops train problem=navier_stokes model=t1
  pdeops train problem=burgers model=fno model.width=64 optimizer.lr=3e-3
  pdeops train -m problem=darcy model=fno,ffno seed=0,1,2
  pdeops train resume=runs/navier_stokes/t1/20250101-120000-000000
  pdeops evaluate run=runs/... resolution=[128,128]
  pdeops predict run=runs/... input=fields.npz output=prediction.pvd
  pdeops compare problem=navier_stokes models=[t1,fno,ffno]

Every verb takes Hydra overrides: GROUP=OPTION picks a file, KEY.KEY=VALUE sets a value.
'pdeops VERB --help' shows what there is to set; '--config-dir FOLDER' adds options of your own;
PDEOPS_DEBUG=1 shows tracebacks."""


def usage() -> str:
    """The text of ``pdeops --help``."""
    verbs = "\n".join(f"  {verb:<10}{text}" for verb, text in VERBS.items())
    return f"usage: pdeops VERB [overrides]\n\nverbs:\n{verbs}\n\n{EXAMPLES}"


def malformed(words: Sequence[str]) -> str | None:
    """What is wrong with the first word that is neither a setting nor a flag of Hydra; None if all are."""
    takes_value = False
    for word in words:
        flag, equals, value = word.partition("=")
        if word.startswith("--") and equals and flag not in FLAGS_WITH_VALUE:
            name = flag.lstrip("-")
            return f"there is no flag '{flag}'; settings have no dashes: try {name}={value}"
        if not takes_value and not equals and not word.startswith(("-", "~")):
            group = next((group for group in GROUPS if word in options(group)), "KEY")
            return f"expected KEY=VALUE, got '{word}'; try {group}={word}"
        takes_value = word in FLAGS_WITH_VALUE
    return None


def main() -> None:
    """Find the verb and hand over the rest of the command line."""
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return
    if words[0] == "--version":
        print(__version__)
        return
    verb, *rest = words
    if verb not in VERBS:
        print(f"error: there is no verb '{verb}'; {did_you_mean(verb, VERBS)}", file=sys.stderr)
        raise SystemExit(2)
    complaint = malformed(rest)
    if complaint is not None:
        print(f"error: {complaint}", file=sys.stderr)
        raise SystemExit(2)
    module = import_module(f"pdeops.cli.{verb}")
    # Distributed training starts this command again for every device, and so needs a file that is the verb.
    sys.argv = [str(Path(str(module.__file__))), *rest]
    sys.modules["__main__"].__spec__ = None
    module.main()


if __name__ == "__main__":
    main()
