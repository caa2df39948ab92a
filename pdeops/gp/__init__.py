"""Gaussian processes with structure: on tensor grids, and in the factors of a tensor decomposition."""
