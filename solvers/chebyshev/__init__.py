"""Spectral methods on grids with Chebyshev axes, mixed with Fourier on periodic ones."""
