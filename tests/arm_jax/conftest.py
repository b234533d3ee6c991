import jax
import pytest


# Of a file, for what its fixtures have compiled under another setting would be
# compiled again in its tests.
@pytest.fixture(autouse=True, scope="module")
def _promotion_is_explicit():
    """Some people run so; it changes no number."""
    with (
        jax.numpy_rank_promotion("raise"),
        jax.numpy_dtype_promotion("strict"),
    ):
        yield
