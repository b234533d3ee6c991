"""Nothing in `bounds` promotes ranks or dtypes by accident."""

import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def _strict_promotion():
    with (
        jax.numpy_rank_promotion("raise"),
        jax.numpy_dtype_promotion("strict"),
    ):
        yield
