"""State a PDE problem once; solve it with a classical solver or a neural operator.

The rooms, from the ground up: ``domains`` (where fields live), ``problems`` (the equations), ``layers`` and
``operators`` (neural operators), ``data``, ``training``, ``export`` and ``cli``. The classical solvers are
the library ``solvers`` next door. ``pdeops.load(run_folder)`` gives back a trained surrogate that predicts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pdeops.training import load as load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    # Lightning takes seconds to import; `import pdeops.domains` should not pay for it.
    if name == "load":
        from pdeops.training import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
