"""The console command ``pdeops VERB [options]``."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from pdeops import __version__
from pdeops.cli.suggestions import did_you_mean

VERBS = {
    "train": "train a model on a problem; makes the data where there is none",
    "generate": "make the data of a problem with its classical solver",
    "evaluate": "measure the error of a trained run, at its own or at another resolution",
    "predict": "apply a trained run to inputs from a file; writes HDF5 or VTK",
    "compare": "several models or runs on one problem: one table of error against time",
    "list": "show the problems, models and experiments that are there",
}

EXAMPLES = """examples:
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
    module = import_module(f"pdeops.cli.{verb}")
    # Distributed training starts this command again for every device, and so needs a file that is the verb.
    sys.argv = [str(Path(str(module.__file__))), *rest]
    sys.modules["__main__"].__spec__ = None
    module.main()


if __name__ == "__main__":
    main()
