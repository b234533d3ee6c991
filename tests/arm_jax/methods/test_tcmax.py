import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.methods.tcmax import log_mean_of_pairings
from tests.arm_jax import helpers


@pytest.mark.parametrize("count", [1, 2, 3])
def test_pairings_by_enumeration(rng, count):
    parts = rng.normal(size=(4, count, 3)).astype(np.float32)
    constant = rng.normal(size=3).astype(np.float32)
    mask = np.ones((4, count), np.float32)
    logits = [
        constant + sum(parts[j, m] for m, j in enumerate(pairing))
        for pairing in itertools.product(range(4), repeat=count)
    ]
    found = log_mean_of_pairings(parts, mask, constant)
    np.testing.assert_allclose(found, np.log(np.exp(logits).mean()), rtol=1e-5)


def test_what_is_missing_is_in_no_pairing(rng):
    parts = rng.normal(size=(4, 2, 3)).astype(np.float32)
    parts[2:, 1] = 0
    mask = np.ones((4, 2), np.float32)
    mask[2:, 1] = 0
    zero = np.zeros(3, np.float32)
    logits = [parts[i, 0] + parts[j, 1] for i in range(4) for j in range(2)]
    found = log_mean_of_pairings(parts, mask, zero)
    np.testing.assert_allclose(found, np.log(np.exp(logits).mean()), rtol=1e-5)
    # No example has the second one.
    parts[:, 1], mask[:, 1] = 0, 0
    found = log_mean_of_pairings(parts, mask, zero)
    expected = np.log(np.exp(parts[:, 0]).mean())
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def population(table):
    """A batch in which each cell of `[x, z, y]` has so many examples."""
    cells = np.argwhere(table > 0)
    counts = table[tuple(cells.T)]
    return np.repeat(cells, counts, axis=0)


def total_correlation(table):
    p = table / table.sum()
    marginals = [p.sum(axis=tuple({0, 1, 2} - {k})) for k in range(3)]
    product = np.einsum("i,j,k->ijk", *marginals)
    held = p > 0
    return (p[held] * np.log2(p[held] / product[held])).sum()


def bound(x, z, y, u, v):
    """Minus the loss, in bits, for the terms u[x], v[z] of the logits."""
    forward = helpers.bare_forward({"a": u[x], "b": v[z]})
    value, metrics = methods.create("tcmax", {}).loss(
        forward, helpers.bare_batch(y)
    )
    np.testing.assert_allclose(metrics["bound"], -value / np.log(2), rtol=1e-5)
    return float(metrics["bound"])


def test_bound_is_below_the_total_correlation(rng):
    table = rng.integers(1, 5, size=(3, 2, 2))
    # Of a uniform label.
    lack = table.sum(axis=(0, 1))
    table[2, 1] += lack.max() - lack
    x, z, y = population(table).T
    truth = total_correlation(table)
    for _ in range(5):
        u, v = rng.normal(size=(3, 2)), rng.normal(size=(2, 2))
        assert bound(x, z, y, u, v) < truth


def test_bound_is_met_where_the_label_explains_all():
    # p(x | y), p(z | y) of eighths; x and z independent given y.
    given_x = np.array([[6, 2], [1, 7]])
    given_z = np.array([[4, 4], [2, 6]])
    table = np.einsum("yx,yz->xzy", given_x, given_z)
    x, z, y = population(table).T
    u = np.log(given_x / given_x.mean(0)).T
    v = np.log(given_z / given_z.mean(0)).T
    truth = total_correlation(table)
    np.testing.assert_allclose(bound(x, z, y, u, v), truth, atol=1e-6)
    # What is the same for all classes and modalities does not count.
    shifted = bound(x, z, y, u + 3, v - 1)
    np.testing.assert_allclose(shifted, truth, atol=1e-5)


def test_bias_is_counted_once(rng):
    # A head whose bias is in the logits of each modality alone.
    features = {name: rng.normal(size=(4, 3)) for name in "abc"}
    bias = np.array([1.0, -2.0, 0.5], np.float32)
    plain = helpers.bare_forward(features)
    head = lambda f, mask: plain.head(f, mask) + jnp.asarray(bias)[None]
    batch = helpers.bare_batch([0, 2, 1, 0], 3)
    value, _ = methods.create("tcmax", {}).loss(
        plain._replace(head=head), batch
    )
    x = np.stack(list(features.values()))
    logits = np.array(
        [
            bias + sum(x[m, j] for m, j in enumerate(pairing))
            for pairing in itertools.product(range(4), repeat=3)
        ]
    )
    own = (x.sum(0) + bias)[np.arange(4), batch["label"]].mean()
    expected = np.log(np.exp(logits).mean()) - own
    np.testing.assert_allclose(value, expected, rtol=1e-5)
