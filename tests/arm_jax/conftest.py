import jax
import pytest


@pytest.fixture(autouse=True)
def _promotion_is_explicit():
    """Some people run so; it changes no number."""
    with (
        jax.numpy_rank_promotion("raise"),
        jax.numpy_dtype_promotion("strict"),
    ):
        yield
