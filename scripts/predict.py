"""The same as ``pdeops predict``."""

from pdeops.cli.predict import main

if __name__ == "__main__":
    main()
