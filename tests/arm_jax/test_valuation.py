import jax.numpy as jnp
import numpy as np
import pytest

import bounds
from arm_jax.errors import InputError
from arm_jax.valuation import (
    Subsets,
    at_label,
    conditional_contributions,
    expected_conditional_contributions,
    expected_joint_contribution,
    is_right,
    joint_contribution,
    subset_log_probs,
    subset_masks,
)

BIT = np.log(2)


def test_masks_of_three():
    masks = subset_masks(3)
    np.testing.assert_array_equal(masks.full, [1, 1, 1])
    np.testing.assert_array_equal(masks.alone, np.eye(3))
    np.testing.assert_array_equal(masks.without, 1 - np.eye(3))


def posterior_head(table):
    """A head that answers with the exact posteriors of p(x1, x2, y).

    The features are the symbols; an absent modality is summed out.
    """

    def head(features, mask):
        x1 = features["first"][:, 0].astype(int)
        x2 = features["second"][:, 0].astype(int)
        both = table[x1, x2]
        only1, only2 = table.sum(1)[x1], table.sum(0)[x2]
        joint = jnp.where(
            mask[0] > 0,
            jnp.where(mask[1] > 0, both, only1),
            jnp.where(mask[1] > 0, only2, table.sum((0, 1))),
        )
        return jnp.log(joint / joint.sum(-1, keepdims=True) + 1e-30)

    return head


def gate(function):
    table = np.zeros((2, 2, 2))
    for a in range(2):
        for b in range(2):
            table[a, b, function(a, b)] = 0.25
    return table


@pytest.mark.parametrize(
    ("function", "joint", "first", "second"),
    [
        (lambda a, b: a ^ b, 1, 1, 1),  # XOR: synergy
        (lambda a, b: a, 1, 1, 0),  # UNQ: unique to the first
    ],
    ids=["xor", "unq"],
)
def test_exact_posteriors_of_gates(function, joint, first, second):
    a, b = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
    label = jnp.asarray([function(i, j) for i, j in zip(a, b, strict=True)])
    features = {
        "first": jnp.asarray(a)[:, None],
        "second": jnp.asarray(b)[:, None],
    }
    log_probs = subset_log_probs(
        posterior_head(jnp.asarray(gate(function))), features
    )
    log_prior = jnp.log(jnp.full(2, 0.5))
    phi = conditional_contributions(log_probs, label) / BIT
    np.testing.assert_allclose(
        joint_contribution(log_probs, log_prior, label) / BIT,
        np.full(4, joint),
        atol=1e-5,
    )
    np.testing.assert_allclose(phi[0], np.full(4, first), atol=1e-5)
    np.testing.assert_allclose(phi[1], np.full(4, second), atol=1e-5)


def test_copied_modality_contributes_nothing_further():
    table = np.zeros((2, 2, 2))
    table[0, 0, 0] = table[1, 1, 1] = 0.5
    x = jnp.asarray([0, 1])[:, None]
    log_probs = subset_log_probs(
        posterior_head(jnp.asarray(table)), {"first": x, "second": x}
    )
    phi = conditional_contributions(log_probs, jnp.asarray([0, 1]))
    np.testing.assert_allclose(phi, np.zeros((2, 2)), atol=1e-5)


def test_means_are_the_informations_of_a_random_table(rng):
    table = rng.dirichlet(np.ones(18)).reshape(3, 2, 3)
    x1, x2, y = np.indices(table.shape).reshape(3, -1)
    features = {
        "first": jnp.asarray(x1)[:, None],
        "second": jnp.asarray(x2)[:, None],
    }
    log_probs = subset_log_probs(posterior_head(jnp.asarray(table)), features)
    weight = table.ravel()
    label = jnp.asarray(y)

    def entropy(p):
        p = p[p > 0]
        return -(p * np.log2(p)).sum()

    joint = joint_contribution(
        log_probs, jnp.log(jnp.asarray(table.sum((0, 1)))), label
    )
    information = (
        entropy(table.sum((0, 1))) + entropy(table.sum(2)) - entropy(table)
    )
    np.testing.assert_allclose(
        (weight * joint).sum() / BIT, information, atol=1e-5
    )
    # I(X1;Y|X2) = H(X1,X2) + H(X2,Y) - H(X2) - H(X1,X2,Y)
    conditional = (
        entropy(table.sum(2))
        + entropy(table.sum(0))
        - entropy(table.sum((0, 2)))
        - entropy(table)
    )
    phi = conditional_contributions(log_probs, label)
    np.testing.assert_allclose(
        (weight * phi[0]).sum() / BIT, conditional, atol=1e-5
    )
    # The bridge: the contribution gap is I(X1;Y) - I(X2;Y) = U1 - U2.
    pid = bounds.pid(table)
    np.testing.assert_allclose(
        (weight * (phi[0] - phi[1])).sum() / BIT,
        pid.unique1 - pid.unique2,
        atol=1e-5,
    )


def test_expected_contributions_are_expectations(rng):
    """Their definition, summed over labels drawn from the prediction."""
    p = rng.dirichlet(np.ones(3), size=(5, 7))
    log_p = jnp.log(jnp.asarray(p, jnp.float32))
    log_probs = Subsets(log_p[0], log_p[1:3], log_p[3:])
    log_prior = jnp.log(jnp.array([0.2, 0.3, 0.5]))
    joint = conditional = 0
    for y in range(3):
        label = jnp.full(7, y)
        weight = p[0][:, y]
        joint += weight * joint_contribution(log_probs, log_prior, label)
        contributions = conditional_contributions(log_probs, label)
        conditional += weight[None] * contributions
    np.testing.assert_allclose(
        expected_joint_contribution(log_probs, log_prior), joint, atol=1e-5
    )
    found = expected_conditional_contributions(log_probs)
    np.testing.assert_allclose(found, conditional, atol=1e-5)
    assert (found >= -1e-6).all()


@pytest.mark.parametrize(
    ("label", "message"),
    [
        # Indexing would count from the end, or answer NaN.
        (np.array([0, -1]), r"label\[1\] is -1, outside 0\.\.2"),
        (jnp.array([0, 3]), r"label\[1\] is 3, outside 0\.\.2"),
        (np.array([0.0, 1.0]), r"label must be integers, got float64"),
        (np.ma.masked_array([0, 1], [0, 1]), r"label\[1\] is masked"),
    ],
)
def test_labels_that_are_no_classes(label, message):
    log_probs = jnp.log(jnp.full((2, 3), 1 / 3))
    subsets = Subsets(log_probs, log_probs[None], log_probs[None])
    for call in (
        lambda: at_label(log_probs, label),
        lambda: joint_contribution(subsets, log_probs[0], label),
        lambda: conditional_contributions(subsets, label),
    ):
        with pytest.raises(InputError, match=message):
            call()


def two_labels():
    """Two examples with two labels, by two modalities; probabilities by hand.

    Returns:
      Probability of each label: of all modalities, and alone; and the labels.
    """
    full = np.array([[0.8, 0.3], [0.6, 0.9]])
    alone = np.array([[[0.7, 0.4], [0.5, 0.8]], [[0.6, 0.2], [0.9, 0.5]]])
    return full, alone, np.array([[1, 0], [0, 1]])


def of_labels(p):
    return np.log(np.stack([1 - p, p], axis=-1))


@pytest.mark.parametrize("xp", [np, jnp], ids=["numpy", "jax"])
def test_contributions_of_several_labels_are_sums_over_them(xp):
    full, alone, label = two_labels()
    log_probs = Subsets(
        *(xp.asarray(of_labels(p)) for p in (full, alone, alone[::-1]))
    )
    label = xp.asarray(label)
    np.testing.assert_allclose(
        at_label(log_probs.full, label),
        [np.log(0.8 * 0.7), np.log(0.4 * 0.9)],
        rtol=1e-6,
    )
    prior = of_labels(np.array([0.5, 0.25]))
    np.testing.assert_allclose(
        joint_contribution(log_probs, prior, label),
        [np.log(0.8 * 0.7 / (0.5 * 0.75)), np.log(0.4 * 0.9 / (0.5 * 0.25))],
        rtol=1e-6,
    )
    # Without the first there is the second, and the other way round.
    np.testing.assert_allclose(
        conditional_contributions(log_probs, label),
        [
            [np.log(0.56 / (0.6 * 0.8)), np.log(0.36 / (0.1 * 0.5))],
            [np.log(0.56 / (0.7 * 0.6)), np.log(0.36 / (0.5 * 0.8))],
        ],
        rtol=1e-6,
    )


def test_expected_contributions_of_several_labels_are_sums_over_them():
    full, alone, _ = two_labels()
    log_probs = Subsets(
        *(jnp.asarray(of_labels(p)) for p in (full, alone, alone[::-1]))
    )

    def divergence(p, q):
        each = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
        return each.sum(axis=-1)

    np.testing.assert_allclose(
        expected_conditional_contributions(log_probs),
        [divergence(full, alone[1]), divergence(full, alone[0])],
        rtol=1e-5,
    )
    prior = np.array([0.5, 0.25])
    np.testing.assert_allclose(
        expected_joint_contribution(log_probs, of_labels(prior)),
        divergence(full, prior),
        rtol=1e-5,
    )


def test_share_of_labels_that_are_right():
    scores = jnp.asarray(
        of_labels(np.array([[0.9, 0.2, 0.6], [0.1, 0.7, 0.4]]))
    )
    label = jnp.asarray([[1, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(is_right(scores, label), [2 / 3, 1])


def test_labels_that_are_neither_0_nor_1():
    full, *_ = two_labels()
    with pytest.raises(InputError, match=r"label\[1, 0\] is 2, outside 0..1"):
        at_label(of_labels(full), np.array([[1, 0], [2, 0]]))
