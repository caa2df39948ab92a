"""The same as ``pdeops compare``."""

from pdeops.cli.compare import main

if __name__ == "__main__":
    main()
