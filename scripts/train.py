"""The same as ``pdeops train``."""

from pdeops.cli.train import main

if __name__ == "__main__":
    main()
