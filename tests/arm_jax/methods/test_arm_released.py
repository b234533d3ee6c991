import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from arm_jax import estimators, heads, methods, training
from arm_jax.errors import InputError
from arm_jax.methods import arm_released
from tests.arm_jax import helpers


@pytest.mark.parametrize("crossed", [True, False])
@pytest.mark.parametrize("faulty", [True, False])
def test_scores_by_hand(crossed, faulty):
    # Three bits, every combination as often; c is a copy of x.
    x, y = np.array([[0, 1, 0, 1], [0, 0, 1, 1]], np.float32).reshape(2, 2, 2)
    p_c, p_x, p_y = 0.5, 0.4, 0.2
    found = arm_released.scores(
        jnp.array([p_c, p_x, p_y]),
        *map(jnp.asarray, (x, x, y)),
        crossed=crossed,
        faulty_information=faulty,
    )
    # c tells all of x and nothing of y. C is the information of c and x
    # given y, and of c and y given x. The released formula makes 3/4 of the
    # first (a copy, given something else), and of the second, in bits: 8 cells
    # of 1/2 (y and x), 4 of 1 (c and x), 4 of 1/2 (all): (4 + 0 - 2) / 4.
    n = np.array([1.0, 0.0])
    c = np.array([0.75, 0.5] if faulty else [1.0, 0.0])
    p = np.array([p_y, p_x] if crossed else [p_x, p_y])
    np.testing.assert_allclose(found, p_c * n + p * (n - c), atol=1e-6)


def test_forward_by_hand():
    """Scores, scales and logits from the formula, in NumPy."""
    method = methods.create("arm_released", {})
    memory = method.init(helpers.context(), jax.random.key(1))
    params, of = helpers.loss(method, memory=memory)
    value, metrics = jax.jit(of)(params)
    batch = helpers.tiny_batch()
    model = helpers.tiny_model()
    x, y = (
        np.asarray(f)
        for f in helpers.encode(model, params, batch["inputs"]).values()
    )
    own, label = params["method"], batch["label"]
    layers = {**own, "neck": memory["neck"]}
    linear = lambda name, v: helpers.linear(layers[name], v)
    log_p = lambda v: np.asarray(jax.nn.log_softmax(linear("classifier", v)))[
        np.arange(8), label
    ]
    c = linear("neck", np.concatenate([x, y], 1))
    p_c, p_x, p_y = (np.exp(log_p(v)).mean() for v in (c, x, y))
    flat_x, flat_y, flat_c = x.ravel(), y.ravel(), c.ravel()
    nmi = estimators.normalized_mutual_information
    released = estimators.released_conditional_information
    n_x, n_y = nmi(flat_x, flat_c), nmi(flat_y, flat_c)
    s_x = p_c * n_x + p_y * (n_x - released(flat_x, flat_c, flat_y))
    s_y = p_c * n_y + p_x * (n_y - released(flat_y, flat_c, flat_x))
    forward = helpers.forward(model, params, batch, memory=memory)
    _, _, scores = method.loss(forward, batch)
    np.testing.assert_allclose(scores, [s_x, s_y], rtol=1e-4)
    np.testing.assert_allclose(metrics["scale_a"], s_y / s_x, rtol=1e-4)
    np.testing.assert_allclose(metrics["scale_b"], s_x / s_y, rtol=1e-4)
    scaled = np.concatenate([s_y / s_x * x, s_x / s_y * y], 1)
    np.testing.assert_allclose(
        value, -log_p(linear("head", scaled)).mean(), rtol=1e-4
    )


def test_the_stronger_modality_is_raised(rng):
    """On features behind a ReLU; the numbers were measured on that code."""
    image, sound = np.abs(rng.normal(size=(2, 128, 512))).astype(np.float32)
    neck = rng.normal(size=(1024, 512)).astype(np.float32) / 32
    c = np.concatenate([image, sound], axis=1) @ neck
    of = lambda p_image, p_sound, crossed=True: arm_released._scales(
        arm_released.scores(
            jnp.array([0.5, p_image, p_sound]),
            *map(jnp.asarray, (c, image, sound)),
            crossed=crossed,
            faulty_information=True,
        ),
        bound=0.0,
    )
    np.testing.assert_allclose(of(0.2, 0.45), [0.445, 2.25], rtol=0.02)
    np.testing.assert_allclose(of(0.45, 0.2), [2.25, 0.445], rtol=0.02)
    # Without the crossing it is the weaker one, as was meant.
    uncrossed = of(0.2, 0.45, crossed=False)
    np.testing.assert_allclose(uncrossed, [2.25, 0.445], rtol=0.02)


def size_of_gradient(options, block):
    params, of = helpers.loss(methods.create("arm_released", options))
    gradient = jax.jit(jax.grad(lambda p: of(p)[0]))(params)
    leaves = jax.tree.leaves(gradient["method"][block])
    return max(float(jnp.abs(g).max()) for g in leaves)


def test_the_neck_is_trained_on_request_only():
    assert size_of_gradient({}, "head") > 0
    assert size_of_gradient({"neck": 1.0}, "neck") > 0
    method = methods.create("arm_released", {})
    context = helpers.context()
    assert "neck" not in method.parameters(context, jax.random.key(0))
    memory = method.init(context, jax.random.key(0))
    assert memory["neck"]["kernel"].std() > 0
    after = method.remember(helpers.step(memory=memory, carry=jnp.ones(2)))
    jax.tree.map(np.testing.assert_array_equal, after["neck"], memory["neck"])


def test_single_modalities_are_trained_on_request_only():
    params, both = helpers.loss(
        methods.create("arm_released", {"unimodal": 2.0, "neck": 0.5})
    )
    method = methods.create("arm_released", {})
    memory = method.init(helpers.context(), jax.random.key(0))
    memory = {**memory, "neck": params["method"]["neck"]}
    _, plain = helpers.loss(method, memory=memory)
    _, neck = helpers.loss(methods.create("arm_released", {"neck": 1.0}))
    values = jax.jit(lambda p: [of(p)[0] for of in (both, plain, neck)])
    both, plain, neck = values(params)
    extra, half = both - plain, (neck - plain) / 2
    batch, model = helpers.tiny_batch(), helpers.tiny_model()
    classifier = params["method"]["classifier"]
    expected = 0.0
    for f in helpers.encode(model, params, batch["inputs"]).values():
        log_p = jax.nn.log_softmax(helpers.linear(classifier, f))
        expected -= log_p[np.arange(8), batch["label"]].mean()
    np.testing.assert_allclose(extra - half, 2 * expected, rtol=1e-5)


def test_predictions_use_running_scores():
    method = methods.create("arm_released", {"decay": 0.5})
    memory = method.init(helpers.context(), jax.random.key(0))
    for scores in ([4.0, 1.0], [1.0, 1.0]):
        step = helpers.step(memory=memory, carry=jnp.asarray(scores))
        memory = method.remember(step)
    # Weights 1/4 and 1/2: (0.25 + 0.5) / (1 + 0.5) = 1/2.
    model = helpers.tiny_model()
    state = training.create_state(model, method, optax.identity(), seed=0)
    variables = state.variables.replace(memory=memory)
    head = heads.bind_head(model, method, variables)
    own = variables.params["method"]
    features = {"a": jnp.ones((3, 5)), "b": jnp.full((3, 5), 2.0)}
    for mask, scaled in (
        ([1.0, 1.0], [0.5] * 5 + [4.0] * 5),
        ([0.0, 1.0], [0.0] * 5 + [4.0] * 5),
    ):
        u = np.array(scaled) @ own["head"]["kernel"] + own["head"]["bias"]
        expected = u @ own["classifier"]["kernel"] + own["classifier"]["bias"]
        found = head(features, jnp.asarray(mask))
        np.testing.assert_allclose(found, [expected] * 3, rtol=1e-4, atol=1e-5)


def test_bound():
    params, free = helpers.loss(methods.create("arm_released", {}))
    _, bounded = helpers.loss(methods.create("arm_released", {"bound": 1.0}))
    metrics, without = jax.jit(lambda p: (bounded(p)[1], free(p)[1]))(params)
    assert metrics["scale_a"] == metrics["scale_b"] == 1
    assert without["scale_a"] != 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"neck": -1.0}, "neck must be at least 0"),
        ({"bound": 0.5}, "bound must be 0 or at least 1, got 0.5"),
        # A ratio below 0 would become 0, and its inverse infinite.
        ({"bound": np.inf}, "bound must be finite, got inf"),
        ({"decay": 1.0}, r"decay must be in \[0, 1\)"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        methods.create("arm_released", options)
