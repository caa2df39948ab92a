"""Fields where their samples lie in space."""

from __future__ import annotations

from dataclasses import replace

from pdeops.domains import Domain, Field


def on_image(field: Field, image: Domain) -> Field:
    """Put the values of a field at the points of another domain, number by number.

    Problems whose input is a shape have their fields on a reference domain, and each sample lies somewhere
    else: `pdeops.problems.Problem.image` gives the mesh of its shape, with as many points in the same order.

    Args:
        field: On the reference domain.
        image: Where the sample that is shown lies.

    Returns:
        The same values on the image.

    Raises:
        ValueError: The image has another number of points.

    Example:
        >>> write_vtk(on_image(stress, problem.image(inputs, 3)), "stress", sample=3)  # doctest: +SKIP
    """
    if image is field.domain:
        return field
    values = field.values.flatten(-len(field.domain.shape))
    if values.shape[-1] != image.points.shape[0]:
        raise ValueError(
            f"image: expected {values.shape[-1]} points, as many as the field has, got "
            f"{image.points.shape[0]}; try Problem.image of the inputs that belong to it"
        )
    return replace(field, values=values.unflatten(-1, tuple(image.shape)), domain=image)
