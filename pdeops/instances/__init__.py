"""Methods that are fitted to one instance of a problem, and what they are given."""

from pdeops.instances.instance_model import InstanceFit, InstanceModel
from pdeops.instances.instance_training import InstanceTraining, Measurements
from pdeops.instances.scattered_field import posterior_field, scatter

__all__ = [
    "InstanceFit",
    "InstanceModel",
    "InstanceTraining",
    "Measurements",
    "posterior_field",
    "scatter",
]
