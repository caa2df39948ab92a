"""The same as ``pdeops solve``."""

if __name__ == "__main__":
    # Inside, so that processes that make data do not import what they do not need.
    from pdeops.cli.solve import main

    main()
