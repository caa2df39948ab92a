"""Evolution equations by finite elements in space: matrices of the linear part, loads of the rest."""

from __future__ import annotations

from collections.abc import Mapping

import numpy
import sympy
import torch
from scipy import sparse

from pdeops.domains import Mesh
from pdeops.problems import SemilinearProblem, evaluate
from pdeops.problems.expression import Value
from pdeops.problems.residual import TIME
from solvers.elements.boundary_terms import boundary_terms
from solvers.elements.element_space import Array, ElementSpace
from solvers.elements.point_fields import PointFields
from solvers.solver import static_inputs


class EvolutionElements:
    r"""The system :math:`M \dot U = L U + N(t, U)` of one unknown.

    The second derivatives are integrated by parts; boundary terms of the conditions go into L (Robin) and N.
    States are columns: (unknowns, batch).

    Args:
        problem: A problem that `why_unsuited_elements` has nothing against.
        inputs: Values of the inputs at the points of the mesh by name, shape (batch, points): the initial
            state, zero if it is none of them, and known functions of space.
        mesh: The mesh, checked.
        degree: Of the elements.
    """

    def __init__(
        self, problem: SemilinearProblem, inputs: Mapping[str, Array], mesh: Mesh, degree: int
    ) -> None:
        self.problem = problem
        self.space = ElementSpace.build(mesh, degree)
        self.boundary = boundary_terms(self.space, problem, problem.conditions_on(mesh))
        self.mass = self.space.mass()
        self.linear = self._linear_part() - self.boundary.matrix
        self.is_symmetric = not any(sum(term.orders) == 1 for _, term in problem.linear_terms[0])
        self._values, self._slopes = self.space.evaluation_matrices()
        self._weights = self.space.basis.dx.reshape(-1, 1)
        fields = PointFields(self.space)
        batch = inputs[problem.inputs[0].name]
        start = inputs[problem.initial_inputs[0]] if problem.initial_inputs else numpy.zeros_like(batch)
        self.initial = numpy.stack([fields.coefficients(values) for values in start], axis=1)
        self.initial[self.boundary.fixed] = self.boundary.values[:, None]
        self._fixed_functions: dict[str, Value] = {
            name: torch.from_numpy(
                numpy.stack([fields.at_quadrature(values).reshape(-1) for values in inputs[name]], axis=1)
            )
            for name in static_inputs(problem)
        }
        self._fixed_functions |= {
            name: values.reshape(-1, 1) for name, values in self.space.coordinates().items()
        }
        self._fixed_functions |= problem.numbers

    def nonlinear(self, state: Array, time: float, samples: Array) -> Array:
        """Everything but the linear part: loads of the nonlinear terms, of sources and of fluxes.

        Args:
            state: Columns of coefficients.
            time: The time.
            samples: Numbers of the samples that the columns belong to.

        Returns:
            Loads, one column a sample.
        """
        (expression,) = self.problem.nonlinear_expressions
        load = numpy.repeat(self.boundary.load[:, None], state.shape[1], axis=1)
        if expression == 0:
            return load
        unknown = self.problem.function(self.problem.outputs[0].name)
        values: dict[str, Value] = {
            name: item[:, samples] if isinstance(item, torch.Tensor) and item.shape[1] > 1 else item
            for name, item in self._fixed_functions.items()
        }
        values |= {unknown.func.__name__: torch.from_numpy(self._values @ state), TIME: time}
        known = {
            sympy.Derivative(unknown, x): torch.from_numpy(slope @ state)
            for x, slope in zip(self.problem.space_symbols, self._slopes, strict=True)
            if sympy.Derivative(unknown, x) in expression.atoms(sympy.Derivative)
        }
        rest = evaluate(expression, values, None, known).double().numpy()
        return load + self._values.T @ (
            self._weights * numpy.broadcast_to(rest, (len(self._weights), state.shape[1]))
        )

    def norms(self, state: Array) -> Array:
        """L2 norm of each column."""
        return numpy.sqrt(numpy.maximum((state * (self.mass @ state)).sum(axis=0), 0.0))

    def _linear_part(self) -> sparse.csr_matrix:
        total = sparse.csr_matrix(self.mass.shape)
        for _, term in self.problem.linear_terms[0]:
            axes = [axis for axis, order in enumerate(term.orders) for _ in range(order)]
            if not axes:
                total = total + term.coefficient * self.mass
            elif len(axes) == 1:
                total = total + term.coefficient * self.space.slope(axes[0])
            else:
                total = total - term.coefficient * self.space.slope_product(*axes)
        return total
