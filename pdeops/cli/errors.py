"""One clear sentence instead of a traceback, for everything that a user can get wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException
from hydra.types import RunMode
from lightning.fabric.utilities.exceptions import MisconfigurationException
from omegaconf.errors import OmegaConfBaseException

from pdeops.cli.suggestions import explain_composition

# What constructors raise at values that do not suit them.
EXPECTED = (TypeError, ValueError, ArithmeticError, ImportError, MisconfigurationException)

EXIT_CODE = 2
FULL_ERROR = "HYDRA_FULL_ERROR"
DEBUG = "PDEOPS_DEBUG"


class UserError(Exception):
    """A mistake in what the user asked for; its text is all that the user sees."""


@contextmanager
def section(name: str) -> Iterator[None]:
    """Say which part of the configuration a wrong type or value came from."""
    try:
        yield
    except InstantiationException as error:
        cause = error.__cause__
        reason = cause if isinstance(cause, EXPECTED) else error
        raise UserError(f"the configuration of '{name}' does not work: {reason}") from error
    except EXPECTED as error:
        raise UserError(f"the configuration of '{name}' does not work: {error}") from error


def wants_traceback() -> bool:
    """Whether the user asked for full tracebacks (``PDEOPS_DEBUG=1`` or ``HYDRA_FULL_ERROR=1``)."""
    return any(os.environ.get(name, "0") not in ("", "0") for name in (FULL_ERROR, DEBUG))


def guard(main: Callable[[], None], config_name: str) -> None:
    """Run a Hydra application; turn what a user can get wrong into one message and exit code 2.

    Errors that no user can cause (an ``AttributeError``, say) keep their traceback: they are ours to mend.

    Args:
        main: The function decorated by ``hydra.main``.
        config_name: Its primary configuration, searched for the nearest valid names.
    """
    if wants_traceback():
        os.environ[FULL_ERROR] = "1"
        main()
        return
    # Hydra prints and exits by itself unless it is told to raise.
    os.environ[FULL_ERROR] = "1"
    try:
        main()
    except BrokenPipeError:
        # The reader of our output, such as head, has left; there is nobody to tell.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    except Exception as error:
        message = explain(error, config_name)
        if message is None:
            raise
        print(f"error: {message}", file=sys.stderr)
        raise SystemExit(EXIT_CODE) from None
    except KeyboardInterrupt:
        print(
            "interrupted; a run folder with checkpoints can be continued with resume=RUN_FOLDER",
            file=sys.stderr,
        )
        raise SystemExit(130) from None
    finally:
        os.environ.pop(FULL_ERROR, None)


@contextmanager
def job(config_name: str) -> Iterator[None]:
    """Run the body of one Hydra job as `guard` does, without Hydra's own words on errors.

    Processes that the job starts do not see our ``HYDRA_FULL_ERROR``. In a sweep errors go on to Hydra, so
    that the other jobs run.

    Args:
        config_name: The primary configuration.
    """
    ours = os.environ.pop(FULL_ERROR, None)
    try:
        yield
    except BrokenPipeError:
        raise
    except Exception as error:
        message = explain(error, config_name)
        if message is None or wants_traceback() or HydraConfig.get().mode != RunMode.RUN:
            raise
        refuse(message)
    finally:
        if ours is not None:
            os.environ[FULL_ERROR] = ours


def refuse(message: str) -> NoReturn:
    """Print the message and leave with exit code 2."""
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(EXIT_CODE) from None


def explain(error: Exception, config_name: str) -> str | None:
    """The text for the user, or None when the error is a fault of the library."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, InstantiationException):
        return explain_instantiation(error)
    if isinstance(error, (HydraException, OmegaConfBaseException)):
        return explain_composition(error, config_name)
    if isinstance(error, OSError):
        return explain_file(error)
    if isinstance(error, (FloatingPointError, MisconfigurationException)):
        return str(error)
    if isinstance(error, ValueError):
        return f"{error}\n(PDEOPS_DEBUG=1 shows where this was raised)"
    return None


def explain_instantiation(error: InstantiationException) -> str:
    """Say which part of the configuration could not be built, and why."""
    key = next((line.split(":", 1)[1].strip() for line in str(error).splitlines() if "full_key:" in line), "")
    cause = error.__cause__
    reason = f"{cause}" if isinstance(cause, (ValueError, TypeError, ImportError)) else str(error)
    return f"the configuration of '{key}' does not work: {reason}" if key else reason


def explain_file(error: OSError) -> str:
    """Name the file or folder and what is wrong with it."""
    if error.errno is None:  # ours, which says all that is to be said
        return str(error)
    place = f" '{error.filename}'" if error.filename else ""
    reason = error.strerror or str(error)
    return f"cannot use{place}: {reason}; expected a path that can be read or written; try another one"
