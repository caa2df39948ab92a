"""The same as ``pdeops generate``."""

from pdeops.cli.generate import main

if __name__ == "__main__":
    main()
