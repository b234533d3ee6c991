import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax import methods
from arm_jax.errors import InputError
from arm_jax.methods.greedy import next_turn, relative_sizes
from tests.arm_jax import helpers

LINK = {
    "squeeze": {
        "kernels": {"a": jnp.array([[1.0], [0.0]]), "b": jnp.array([[2.0]])},
        "bias": jnp.array([0.5]),
    },
    "excite": {
        "a": {"kernel": jnp.array([[1.0, -1.0]]), "bias": jnp.zeros(2)},
        "b": {"kernel": jnp.array([[0.5]]), "bias": jnp.array([1.0])},
    },
}
FEATURES = {"a": jnp.array([[1.0, 2.0]]), "b": jnp.array([[-0.25]])}
MEANS = {"a": jnp.array([3.0, 3.0]), "b": jnp.array([-10.0])}


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x)))


@pytest.mark.parametrize(
    ("mask", "z"),
    [
        ([1.0, 1.0], 1 - 0.5 + 0.5),
        # The mean of what is absent; for b it closes the relu.
        ([0.0, 1.0], 3 - 0.5 + 0.5),
        ([1.0, 0.0], 0.0),
        # A weight is no absence.
        ([[0.3, 1.7]], 1 - 0.5 + 0.5),
    ],
)
@pytest.mark.parametrize("released", [False, True])
def test_gates_by_hand(mask, z, released):
    method = methods.create("greedy", {"released": released})
    found = {}

    def head(features, mask):
        found.update(features)
        return jnp.zeros(())

    method.fuse(head, FEATURES, jnp.array(mask), {"features": MEANS}, LINK)
    factor = 1 if released else 2
    expected = factor * sigmoid([z, -z]) * [1.0, 2.0]
    np.testing.assert_allclose(found["a"], [expected], rtol=1e-5)
    expected = factor * sigmoid(0.5 * z + 1) * -0.25
    np.testing.assert_allclose(found["b"], [[expected]], rtol=1e-5)


@pytest.mark.parametrize(("ratio", "inner"), [(4, 4), (5, 3), (99, 1)])
def test_width_of_the_link(ratio, inner):
    method = methods.create("greedy", {"ratio": ratio})
    context = helpers.context()._replace(widths={"a": 5, "b": 3})
    link = method.parameters(context, jax.random.key(0))
    assert jax.tree.map(jnp.shape, link["squeeze"]) == {
        "kernels": {"a": (5, inner), "b": (3, inner)}, "bias": (inner,)
    }  # fmt: skip
    assert link["excite"]["b"]["kernel"].shape == (inner, 3)


def memory(**parts):
    start = {
        "link": jnp.zeros(2),
        "encoders": jnp.zeros(2),
        "replaced": jnp.zeros(2),
        "left": jnp.array(0),
        "unlocked": jnp.array(1.0),
    }
    return start | parts


def test_turns_by_hand():
    now, history = memory(unlocked=jnp.array(0.0)), []
    # b is the faster, by 1 in log10; from the sixth step on far slower.
    for number in range(12):
        if number == 2:
            now["unlocked"] = jnp.array(1.0)
        link = jnp.array([1.0, 10.0]) if number < 5 else jnp.array([1e4, 1.0])
        now = next_turn(now, link, jnp.ones(2), threshold=0.5, steps=3)
        history.append(now["replaced"].tolist())
    nothing, a, b = [0, 0], [1, 0], [0, 1]
    # Locked for two steps; then three in which b's gate is replaced follow the
    # decision of the third; then a decision each time that it may be made.
    assert history == [
        *[nothing] * 2,
        *[b] * 3,
        nothing,
        *[a] * 3,
        nothing,
        *[a] * 2,
    ]
    # Sums are of the steps in which no gate was replaced.
    np.testing.assert_allclose(now["link"], [3 + 1e4 + 1e4, 30 + 1 + 1])


def test_like_speeds_change_nothing():
    found = next_turn(
        memory(), jnp.array([1.0, 2.0]), jnp.array([1.0, 2.0]), 0.01, 5
    )
    assert found["left"] == 0
    # Not even where nothing has a gradient.
    found = next_turn(memory(), jnp.zeros(2), jnp.zeros(2), 0.01, 5)
    assert found["left"] == 0


def test_relative_sizes_by_hand():
    params = {
        "encoders": {"a": {"w": jnp.array([2.0])}, "b": {"w": jnp.ones(4)}},
        "head": jnp.ones(7),
        "method": LINK,
    }
    gradients = jax.tree.map(lambda x: 0.5 * x, params)
    gradients["encoders"]["a"]["w"] = jnp.array([6.0])
    link, encoders = relative_sizes(gradients, params)
    np.testing.assert_allclose(link, [0.25, 0.25], rtol=1e-6)
    np.testing.assert_allclose(encoders, [9, 0.25], rtol=1e-6)
    # The squeeze is in the speed of both, an excitation in that of its own.
    gradients["method"]["excite"]["a"]["kernel"] *= 0
    link, _ = relative_sizes(gradients, params)
    squeeze, excite = 1 + 4 + 0.25, 1 + 1
    np.testing.assert_allclose(
        link, [0.25 * squeeze / (squeeze + excite), 0.25], rtol=1e-6
    )


@pytest.fixture(scope="module")
def losses():
    """Losses with no gate replaced, and with that of a at its mean."""
    method = methods.create("greedy", {})
    params, of = helpers.loss(method)
    model, batch = helpers.tiny_model(), helpers.tiny_batch()
    start = method.init(helpers.context(), jax.random.key(0))
    mean = {"a": jnp.linspace(0, 1, 5), "b": jnp.full(5, 9.0)}
    values, carries = [], []
    for replaced in ([0.0, 0.0], [1.0, 0.0]):
        kept = start | {"gates": mean, "replaced": jnp.array(replaced)}
        seen = helpers.forward(model, params, batch, memory=kept, method=method)
        value, _, carry = method.loss(seen, batch)
        values.append(float(value))
        carries.append(carry)
    return method, model, params, batch, mean, values, carries


def by_hand(model, params, batch, gate_of_a=None):
    features = helpers.encode(model, params, batch["inputs"])
    link = params["method"]
    z = sum(features[n] @ link["squeeze"]["kernels"][n] for n in "ab")
    z = np.maximum(z + link["squeeze"]["bias"][None], 0)
    gates = {n: 2 * sigmoid(helpers.linear(link["excite"][n], z)) for n in "ab"}
    means = {n: np.mean(x, axis=0) for n, x in gates.items()}
    if gate_of_a is not None:
        gates["a"] = np.asarray(gate_of_a)[None]
    head = {n: params["head"][f"classifiers_{n}"] for n in "ab"}
    logits = sum(helpers.linear(head[n], features[n] * gates[n]) for n in "ab")
    log_p = jax.nn.log_softmax(logits)
    return -log_p[np.arange(8), batch["label"]].mean(), means


def test_a_replaced_gate_is_its_mean(losses):
    _, model, params, batch, mean, values, carries = losses
    own, means = by_hand(model, params, batch)
    other, _ = by_hand(model, params, batch, mean["a"])
    np.testing.assert_allclose(values, [own, other], rtol=1e-5)
    assert abs(own - other) > 1e-3
    # What is remembered are the gates that would have been.
    for carry in carries:
        for name in "ab":
            np.testing.assert_allclose(
                carry["gates"][name], means[name], rtol=1e-5
            )


@pytest.mark.parametrize("released", [False, True])
def test_means_are_over_all_steps(losses, released):
    _, _, params, _, mean, _, carries = losses
    method = methods.create("greedy", {"released": released})
    kept = method.init(helpers.context(), None)
    kept |= {"gates": mean, "count": jnp.array(3.0)}
    step = helpers.step(
        loss=params, params=params, memory=kept, carry=carries[0]
    )
    new = method.remember(step)
    assert new["count"] == 4
    for name in "ab":
        gate = carries[0]["gates"]["a" if released else name]
        np.testing.assert_allclose(
            new["gates"][name], (3 * mean[name] + gate) / 4, rtol=1e-5
        )


def test_gates_open_after_the_warmup():
    none = methods.Survey({"a": None}, None, np.array([1]), None)
    method = methods.create("greedy", {"warmup": 2})
    assert method.starts() == 2
    start = {"unlocked": np.zeros((), np.float32)}
    for number, expected in ((1, 0), (2, 1), (3, 0)):
        epoch = helpers.EpochByHand(
            {"train": none}, number=number, memory=start
        )
        method.begin_epoch(epoch)
        assert epoch.variables.memory["unlocked"] == expected
    # As in the released code, which begins with the second epoch.
    assert methods.create("greedy", {}).starts() == 1
    now = methods.create("greedy", {"warmup": 0})
    assert now.init(helpers.context(), None)["unlocked"] == 1


def test_released_means_need_one_width():
    method = methods.create("greedy", {"released": True})
    context = helpers.context()._replace(widths={"a": 5, "b": 4})
    with pytest.raises(InputError, match="'greedy' needs features of one w"):
        method.init(context, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": -1.0}, "threshold must be at least 0"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"warmup": -1}, "warmup must be at least 0"),
        ({"ratio": 0}, "ratio must be at least 1, got 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=rf"config method\.options\.{message}"):
        methods.create("greedy", options)
