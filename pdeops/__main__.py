"""``python -m pdeops`` is the same as the console command ``pdeops``."""

from pdeops.cli.main import main

if __name__ == "__main__":
    main()
