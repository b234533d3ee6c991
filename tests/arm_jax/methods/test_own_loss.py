"""Template: what a method of your own should pass. Copy, change two lines."""

import pytest

from arm_jax import methods
from tests.arm_jax import helpers

NAME = "tests.arm_jax.methods.own_loss"
OPTIONS = {"focus": 1.5, "unimodal": 0.5}


@pytest.mark.parametrize("modalities", [("a", "b"), ("a", "b", "c")], ids=len)
def test_jit_and_finite_gradients(modalities):
    method = methods.create(NAME, OPTIONS)
    helpers.check_jit_and_gradients(method, modalities)


def test_pmap_is_jit_on_the_whole_batch():
    method = methods.create(NAME, OPTIONS)
    helpers.check_devices(*helpers.steps(method))
