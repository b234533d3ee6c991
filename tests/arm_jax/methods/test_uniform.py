import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from tests.arm_jax import helpers


@pytest.mark.parametrize("weight", [0.0, 1.0, 2.5])
def test_by_hand(weight):
    # p(label) is 1/2 for a, 1/4 for b, and 1/4 for the sum of logits.
    forward = helpers.bare_forward(
        {"a": [[0.0, 0.0]], "b": [[np.log(3.0), 0.0]]}
    )
    method = methods.create("uniform", {"unimodal": weight})
    value, _ = method.loss(forward, helpers.bare_batch([1]))
    expected = np.log(4) + weight * (np.log(2) + np.log(4))
    np.testing.assert_allclose(value, expected, rtol=1e-6)


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_bad_option(weight):
    # Before anything is trained.
    message = rf"unimodal must be (at least 0|finite), got {weight}"
    with pytest.raises(InputError, match=message):
        methods.create("uniform", {"unimodal": weight})
