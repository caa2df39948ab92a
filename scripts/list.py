"""The same as ``pdeops list``."""

from pdeops.cli.list import main

if __name__ == "__main__":
    main()
