"""Neural operators, one architecture a file."""

from pdeops.operators.deeponet import DeepONet
from pdeops.operators.ffno import FFNO
from pdeops.operators.fno import FNO
from pdeops.operators.gino import GINO
from pdeops.operators.gno import GNO
from pdeops.operators.lsm import LSM
from pdeops.operators.mgno import MgNO
from pdeops.operators.mionet import MIONet
from pdeops.operators.operator import Capabilities, Operator, SpectralOperator
from pdeops.operators.pod_deeponet import PODDeepONet
from pdeops.operators.query_operator import OutputPoints, QueryOperator
from pdeops.operators.t1 import T1
from pdeops.operators.t1_published import T1Published
from pdeops.operators.t1_unet import T1UNet
from pdeops.operators.transformer_operator import TransformerOperator
from pdeops.operators.transolver import Transolver
from pdeops.operators.unet import UNet

__all__ = [
    "FFNO",
    "FNO",
    "GINO",
    "GNO",
    "LSM",
    "T1",
    "Capabilities",
    "DeepONet",
    "MIONet",
    "MgNO",
    "Operator",
    "OutputPoints",
    "PODDeepONet",
    "QueryOperator",
    "SpectralOperator",
    "T1Published",
    "T1UNet",
    "TransformerOperator",
    "Transolver",
    "UNet",
]
