"""The same as ``pdeops evaluate``."""

from pdeops.cli.evaluate import main

if __name__ == "__main__":
    main()
