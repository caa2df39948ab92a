"""Periodic evolution equations in Fourier space: one space, several time steppers."""
