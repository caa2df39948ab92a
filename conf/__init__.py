"""Hydra configuration groups of pdeops, one YAML an option; installed as ``pdeops.conf``."""
