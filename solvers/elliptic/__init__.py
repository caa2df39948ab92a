"""Solvers of steady elliptic equations on grids."""
