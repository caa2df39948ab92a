"""Nearest names for what was misspelt."""

import pytest

from pdeops.cli.suggestions import did_you_mean, flatten, nearest


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("navir_stokes", "navier_stokes"),
        ("Burger", "burgers"),
        ("dracy", "darcy"),
        ("navierstokes", "navier_stokes"),
    ],
)
def test_nearest_finds_what_was_meant(typed, meant):
    assert nearest(typed, ["burgers", "darcy", "navier_stokes"])[0] == meant


def test_nothing_is_near_something_else():
    assert nearest("xyz", ["burgers", "darcy"]) == []
    assert did_you_mean("xyz", ["darcy", "burgers"]) == "valid: burgers, darcy"


def test_flatten_names_inner_and_outer_keys():
    assert list(flatten({"a": {"b": 1, "c": {"d": 2}}, "e": 3})) == ["a", "a.b", "a.c", "a.c.d", "e"]
