"""Models by parts: one encoder per modality, and a fusion of their features.

Only this package knows Flax's module system: everything above sees the pure
functions of `Model`.
"""

from arm_jax.models.model import Features as Features
from arm_jax.models.model import Model as Model
from arm_jax.models.model import Params as Params
from arm_jax.models.model import State as State
from arm_jax.models.model import create_model as create_model
from arm_jax.models.tuning import Tuning as Tuning
