import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from arm_jax import methods, training
from arm_jax.errors import InputError
from arm_jax.methods.mmpareto import combined, weight_of_first
from tests.arm_jax import helpers

RATE = 0.1


def tree(*arrays):
    return {str(i): jnp.asarray(x, jnp.float32) for i, x in enumerate(arrays)}


def test_conflict_by_hand():
    # d = -1, |j|^2 = 1, |u|^2 = 2: a = 3 / 5.
    j, u = tree([1.0, 0.0]), tree([-1.0, 1.0])
    assert weight_of_first(j, u) == pytest.approx(3 / 5)
    # h = (0.4, 0.8) is shorter than the sum, (0, 1).
    expected = 1.5 * np.array([1.0, 2.0]) / np.sqrt(5)
    np.testing.assert_allclose(combined(j, u, 1.5)["0"], expected, rtol=1e-6)
    # The other way round it is the same vector.
    np.testing.assert_allclose(combined(u, j, 1.5)["0"], expected, rtol=1e-6)


def test_no_conflict_is_the_sum():
    j, u = tree([1.0, 2.0], [[0.5]]), tree([0.0, 1.0], [[-0.1]])
    assert weight_of_first(j, u) == 0.5
    found = combined(j, u, 1.5)
    np.testing.assert_allclose(found["0"], [1.5, 4.5], rtol=1e-6)
    np.testing.assert_allclose(found["1"], [[0.6]], rtol=1e-6)


def test_shortest_vector_against_a_search(rng):
    grid = np.linspace(0, 1, 10_001)
    conflicts = 0
    for _ in range(20):
        j, u = rng.normal(size=(2, 3)).astype(np.float32)
        mixtures = grid[:, None] * j + (1 - grid[:, None]) * u
        best = grid[np.linalg.norm(mixtures, axis=1).argmin()]
        a = float(weight_of_first(tree(j[:1], j[1:]), tree(u[:1], u[1:])))
        if j @ u < 0:
            conflicts += 1
            assert a == pytest.approx(best, abs=1e-3)
            # It ascends neither loss, and descends both alike.
            h = 2 * a * j + 2 * (1 - a) * u
            assert h @ j == pytest.approx(h @ u, rel=1e-3)
            assert h @ j > 0
        else:
            assert a == 0.5
    assert conflicts > 3


def test_each_array_is_as_long_as_the_sum_at_least():
    # Conflict in the first array alone; a = 1 / 2 by symmetry.
    j, u = tree([3.0, 1.0], [0.5]), tree([-3.0, 1.0], [0.5])
    found = combined(j, u, 1.0)
    np.testing.assert_allclose(found["0"], [0, 2], atol=1e-6)
    np.testing.assert_allclose(found["1"], [1], rtol=1e-6)


@pytest.mark.parametrize(
    ("j", "u", "expected"),
    [
        ([0.0, 0.0], [0.0, 0.0], [0.0, 0.0]),
        ([2.0, 1.0], [0.0, 0.0], [3.0, 1.5]),
        # Opposite: the shortest vector is no step.
        ([-2.0, 0.0], [1.0, 0.0], [0.0, 0.0]),
        ([-0.3, 0.9], [0.1, -0.3], [0.0, 0.0]),
    ],
)
def test_gradients_of_length_zero(j, u, expected):
    found = combined(tree(j), tree(u), 1.5)["0"]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_one_step_by_hand():
    method = methods.create("mmpareto", {"gamma": 1.2})
    model, optimizer = helpers.tiny_model(), optax.sgd(RATE)
    state = training.create_state(model, method, optimizer, seed=1)
    log_prior = np.zeros(helpers.CLASSES, np.float32)
    step = training.make_train_step(model, method, optimizer, log_prior)
    batch = helpers.tiny_batch(size=12)
    batch["mask"][9:] = [1, 0]  # copies of modality a alone
    new, metrics = jax.jit(step)(state, batch)
    params, rows = state.variables.params, jnp.arange(12)

    def losses(params):
        features = helpers.encode(model, params, batch["inputs"])
        logits = [model.head(params, features, batch["mask"], helpers.NO_STATE)]
        for name in "ab":
            logits.append(
                helpers.linear(params["method"][name], features[name])
            )
        each = [-jax.nn.log_softmax(z)[rows, batch["label"]] for z in logits]
        kept = [jnp.ones(12), *batch["mask"].T]
        return jnp.stack(
            [(e * k).mean() for e, k in zip(each, kept, strict=True)]
        )

    gradients = jax.jit(jax.jacrev(losses))(params)
    fused, own_a, own_b = (
        jax.tree.map(lambda g, i=i: np.asarray(g[i]), gradients)
        for i in range(3)
    )
    expected = jax.tree.map(lambda a, b, c: a + b + c, fused, own_a, own_b)
    cosines = []
    for name, own in (("a", own_a), ("b", own_b)):
        j, u = fused["encoders"][name], own["encoders"][name]
        flat = [
            np.concatenate([x.ravel() for x in jax.tree.leaves(t)])
            for t in (j, u)
        ]
        dot, squares = flat[0] @ flat[1], [x @ x for x in flat]
        cosines.append(dot)
        a = 0.5
        if dot < 0:
            a = (squares[1] - dot) / (squares[0] + squares[1] - 2 * dot)

        def one(x, y, a=a):
            h = 2 * a * x + 2 * (1 - a) * y
            longer = np.linalg.norm(x + y) / np.linalg.norm(h)
            return 1.2 * max(1, longer) * h

        expected["encoders"][name] = jax.tree.map(one, j, u)
    assert min(cosines) < 0 < max(cosines)
    jax.tree.map(
        lambda p, q, g: np.testing.assert_allclose(q, p - RATE * g, atol=1e-6),
        params,
        new.variables.params,
        expected,
    )
    values = losses(params)
    for name, value in zip(("fused", "own_a", "own_b"), values, strict=True):
        np.testing.assert_allclose(metrics[f"loss_{name}"], value, rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], values.sum(), rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.0, -1.0, float("inf")])
def test_bad_option(gamma):
    message = rf"config method\.options\.gamma must be .*, got {gamma}"
    with pytest.raises(InputError, match=message):
        methods.create("mmpareto", {"gamma": gamma})
