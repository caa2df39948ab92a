"""Samples of which only the inputs are known: nothing is solved for them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pdeops.data.recipe import Recipe, sample_seeds
from pdeops.data.restriction import restrict
from pdeops.data.samples import MemorySamples, SampleLayout
from pdeops.domains import Field, Grid


def draw_inputs(
    recipe: Recipe, samples: Sequence[int], layout: SampleLayout, domain: Grid | None = None
) -> MemorySamples:
    """Draw the inputs that samples of a recipe have, without solving them.

    Args:
        recipe: The recipe; gives problem, domains and seeds.
        samples: Numbers of the samples in it.
        layout: Of the solved samples that they stand beside.
        domain: Coarser grid for all fields, see `restrict`; as in the recipe by default.

    Returns:
        The samples, float32 in memory, the same numbers as in the data set that the recipe makes; their only
        frame is the state at time 0.

    Failure mode: All are held in memory.
    """
    drawn = []
    for start in range(0, len(samples), recipe.solver_batch_size):
        seeds = sample_seeds(recipe.seed, samples[start : start + recipe.solver_batch_size])
        fields = recipe.problem.sample_inputs(recipe.solver_grid, seeds)
        drawn.append({name: _stored(field, recipe, domain) for name, field in fields.items()})

    def stacked(names: Sequence[str]) -> Tensor:
        shape = (len(samples), 0, *layout.frame_domain.shape)
        columns = [torch.cat([fields[name] for fields in drawn]) for name in names]
        return torch.cat(columns, dim=1) if columns else torch.zeros(shape)

    statics = stacked(layout.static_channels) if layout.static_channels else None
    initial = recipe.metadata.initial_inputs
    # A state that is no input is zero at first.
    rest = (len(layout.frame_channels), *layout.frame_domain.shape)
    start_frame = stacked(initial) if initial else torch.zeros(len(samples), *rest)
    return MemorySamples(layout, statics, start_frame.unsqueeze(1), solved=False)


def _stored(field: Field, recipe: Recipe, domain: Grid | None) -> Tensor:
    """Values as a data set would hold them."""
    field = restrict(field, recipe.domain) if field.domain == recipe.solver_grid else field
    return (field if domain is None else restrict(field, domain)).values.float()
