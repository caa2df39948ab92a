"""The command line of pdeops: one verb a file, all configured by Hydra from ``pdeops.conf``."""

from pdeops.cli.errors import UserError

__all__ = ["UserError"]
