import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax.errors import TrainingError
from arm_jax.metering import Meter


def test_means_are_of_each_run_over_the_steps_since_the_last():
    meter = Meter(range(5, 7), step=3)
    for lines in ([1.0, 2.0, 6.0], [4.0]):
        for x in lines:
            # An array for each run is no number that can be logged.
            features = jnp.zeros((2, 3))
            meter.add({"loss": jnp.array([x, 10 * x]), "features": features})
        mean = np.mean(lines)
        assert meter.means() == [{"loss": mean}, {"loss": 10 * mean}]


def test_what_is_not_finite_has_its_step_and_seed():
    meter = Meter(range(5, 7), step=3)
    for x in (1.0, np.nan, np.inf):
        meter.add({"loss": jnp.array([1.0, x])})
    with pytest.raises(TrainingError, match=r"nan at step 5 \(seed 6\)"):
        meter.means()
