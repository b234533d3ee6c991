"""A tiny task and model that the tests of methods and steps share."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from arm_jax import heads, methods, optimizers, parallel, training
from arm_jax.config import ModelConfig, OptimizerConfig
from arm_jax.models import create_model

CLASSES = 3
SHAPES = {name: (4 - k % 3,) for k, name in enumerate("abcdef")}
# With an encoder that has state.
SHAPES["image"] = (3, 3)
NORMED = {"name": "tests.arm_jax.models.normed_encoder"}
# Options of a compiler that is in a hurry: a third less time.
QUICKLY = {"xla_backend_optimization_level": 0}
NO_STATE = {"encoders": {}, "means": {}}


def tiny_model(modalities=("a", "b"), fusion=""):
    return _tiny_model(tuple(modalities), fusion)


@functools.cache
def _tiny_model(modalities, fusion):
    shapes = {name: SHAPES[name] for name in modalities}
    images = {"image": NORMED} if "image" in modalities else {}
    config = ModelConfig(hidden=(), features=5, encoders=images)
    model = create_model(config, shapes, CLASSES, fusion)
    return model._replace(init=_drawn_once(model.init))


def _drawn_once(init):
    """Keeps what is drawn of a key: all methods start from the same."""
    drawn = {}

    def of(key):
        if isinstance(key, jax.core.Tracer):
            return init(key)
        name = np.asarray(jax.random.key_data(key)).tobytes()
        if name not in drawn:
            drawn[name] = jax.device_get(init(key))
        return jax.tree.map(jnp.asarray, drawn[name])

    return of


def encode(model, params, inputs, **options):
    """Features of a model without state."""
    return model.encode(params, NO_STATE, inputs, **options)[0]


def blocks(tree):
    """The parts of parameters, or of their gradients, by path."""
    return {
        f"{kind}/{name}": part
        for kind, parts in tree.items()
        for name, part in parts.items()
    }


def tiny_batch(seed=0, size=8, modalities=("a", "b")):
    rng = np.random.default_rng(seed)
    label = rng.integers(CLASSES, size=size)
    return {
        "inputs": {
            name: (
                rng.normal(size=(CLASSES, *SHAPES[name]))[label]
                + rng.normal(size=(size, *SHAPES[name]))
            ).astype(np.float32)
            for name in modalities
        },
        "label": label.astype(np.int32),
        "id": np.arange(size, dtype=np.int32),
        "mask": np.ones((size, len(modalities)), np.float32),
    }


def linear(block, x):
    """A linear layer on rows, `[..., rows, width]`."""
    y = x @ block["kernel"]
    return y + jnp.broadcast_to(block["bias"], y.shape)


def context(modalities=("a", "b")):
    return methods.Context(
        tuple(modalities), CLASSES, dict.fromkeys(modalities, 5)
    )


def forward(model, params, batch, *, memory=(), turn=0, method=None, seed=0):
    """What a loss sees, as `training.make_train_step` builds it."""
    head = heads.bind_head(
        model,
        method or methods.Method(),
        training.Variables(params, NO_STATE, memory),
        batch,
    )
    return methods.Forward(
        features=encode(model, params, batch["inputs"]),
        head=head,
        log_prior=jnp.log(jnp.full(CLASSES, 1 / CLASSES)),
        step=jnp.zeros((), jnp.int32),
        memory=memory,
        turn=turn,
        parameters=params.get("method", ()),
        key=jax.random.key(seed),
        model_head=lambda f, mask: model.head(
            params, f, jnp.atleast_2d(mask) * batch["mask"], NO_STATE
        ),
        encode=lambda params, state: model.encode(
            {"encoders": params}, {"encoders": state}, batch["inputs"]
        )[0],
    )


def bare_forward(features, *, head=None, memory=(), turn=0):
    """Features given by hand, which are the logits unless there is a head."""
    features = {k: jnp.asarray(x, jnp.float32) for k, x in features.items()}
    return methods.Forward(
        features=features,
        head=head
        or (
            lambda f, mask: sum(
                jnp.atleast_2d(mask)[:, m, None] * x
                for m, x in enumerate(f.values())
            )
        ),
        log_prior=jnp.zeros(()),
        step=jnp.zeros((), jnp.int32),
        memory=memory,
        turn=turn,
        key=jax.random.key(0),
    )


def bare_batch(label, modalities=2):
    label = np.asarray(label, np.int32)
    return {
        "label": label,
        "mask": np.ones((len(label), modalities), np.float32),
    }


def loss(method, *, modalities=("a", "b"), size=8, turn=0, memory=None):
    """Returns (parameters, `loss(parameters) -> (sum of losses, metrics)`).

    As training starts, with the memory of the start unless one is given.
    """
    model = tiny_model(modalities, method.needs_fusion)
    state = training.create_state(model, method, optax.identity(), seed=0)
    variables = state.variables
    batch = tiny_batch(size=size, modalities=modalities)

    def of(params):
        seen = forward(
            model,
            params,
            batch,
            memory=variables.memory if memory is None else memory,
            turn=turn,
            method=method,
        )
        losses = method.losses(seen, batch)
        return sum(losses.values.values()), losses.metrics

    return variables.params, of


def step(*, loss=None, memory=(), carry=(), seed=0, params=()):
    """What a method sees of an update whose loss has this gradient."""
    gradients = {} if loss is None else {"loss": loss}
    return methods.Step(gradients, params, memory, carry, jax.random.key(seed))


class EpochByHand(methods.Epoch):
    """An epoch whose surveys and variables are given; keeps what is put in."""

    variables = None
    initial = None

    def __init__(self, surveys, *, number=0, memory=(), params=(), initial=()):
        self.number, self.rng = number, np.random.default_rng(0)
        self.surveys = surveys
        self.variables = methods.Variables(params, (), memory)
        self.initial = methods.Variables(initial, (), memory)
        first = next(iter(surveys.values()))
        self.modalities = tuple(first.features)
        self.num_classes = int(first.label.max()) + 1
        self.steps = 1
        self.epochs = 10
        self.keep_moments = None

    def survey(self, split="train", variables=None):
        return self.surveys[split]

    def replace(self, *, keep_moments=False, **parts):
        self.keep_moments = keep_moments
        self.variables = self.variables.replace(**parts)

    def fork(self, steps, *, variables=None, **rest):
        raise NotImplementedError


def steps(method, modalities=("a", "b"), *, learning_rate=0.1):
    """Returns (state, step under plain jit, step over the devices)."""
    create, plain, mapped = _steps(method, modalities, learning_rate)
    return create(), jax.jit(plain, compiler_options=QUICKLY), mapped


def abstract_steps(method, modalities):
    """Returns (shapes and types of the state, step), nothing computed."""
    create, plain, _ = _steps(method, modalities, 0.1)
    return jax.eval_shape(create), plain


def _steps(method, modalities, learning_rate):
    # By SGD with momentum, which compiles faster than Adam.
    model = tiny_model(modalities, method.needs_fusion)
    optimizer = optimizers.create(
        OptimizerConfig(name="sgd", learning_rate=learning_rate, clip_norm=0.3),
        total_steps=20,
    )
    log_prior = np.log(np.full(CLASSES, 1 / CLASSES, np.float32))
    create = functools.partial(
        training.create_state, model, method, optimizer, seed=0
    )
    plain, mapped = (
        training.make_train_step(
            model, method, optimizer, log_prior, axis_name=axis
        )
        for axis in (None, parallel.AXIS)
    )
    return create, plain, mapped


def check_jit_and_gradients(method, modalities=("a", "b"), *others):
    """The loss is finite, so are its gradients, and jit changes nothing.

    The first two also on tuples of `others`: one program compiles faster than
    several.
    """
    cases = [loss(method, modalities=m) for m in (modalities, *others)]
    params, losses = zip(*cases, strict=True)
    jitted = jax.jit(
        lambda *params: [
            jax.value_and_grad(of, has_aux=True)(p)
            for p, of in zip(params, losses, strict=True)
        ],
        compiler_options=QUICKLY,
    )(*params)
    for leaf in jax.tree.leaves(jitted):
        assert np.isfinite(leaf).all()
    value, metrics = losses[0](params[0])
    (jitted_value, jitted_metrics), _ = jitted[0]
    np.testing.assert_allclose(jitted_value, value, rtol=1e-5)
    assert jitted_metrics.keys() == metrics.keys()


def _float64(x):
    return x.astype(np.float64) if jnp.issubdtype(x.dtype, jnp.floating) else x


def check_devices(state, plain, mapped, modalities=("a", "b")):
    """Twenty steps over the devices are those on the whole batch.

    Args as `steps` returns them. In float64: a ratio of numbers near 0, as in
    `arm_released`, magnifies the rounding of sums that devices share.

    Returns:
      The metrics of the steps on the whole batch; four batches take turns.
    """
    assert jax.local_device_count() > 1
    with jax.enable_x64(True):
        state = jax.tree.map(_float64, state)
        return _compare_devices(state, plain, mapped, modalities)


def _compare_devices(state, plain, mapped, modalities):
    # With a device axis on the outputs, which shows what out_axes=None hides.
    shown = jax.pmap(mapped, axis_name=parallel.AXIS, in_axes=(None, 0))
    whole = jax.tree.map(_float64, tiny_batch(size=64, modalities=modalities))
    batches = [jax.tree.map(lambda x, k=k: x[k::4], whole) for k in range(4)]
    spread, history = state, []
    for number in range(20):
        batch = batches[number % 4]
        state, metrics = plain(state, batch)
        history.append(jax.device_get(metrics))
        found = jax.device_get(
            _as_numbers(shown(spread, parallel.split(batch)))
        )
        spread, metrics_of_devices = jax.tree.map(lambda x: x[0], found)
        spread = spread.replace(key=state.key)
        for path, x in jax.tree.leaves_with_path(found):
            assert (x[0] == x[1:]).all(), jax.tree_util.keystr(path)
        for key, value in metrics.items():
            np.testing.assert_allclose(
                metrics_of_devices[key],
                value,
                rtol=1e-5,
                atol=1e-5,
                err_msg=key,
            )
    for a, b in zip(
        jax.tree.leaves(state.variables),
        jax.tree.leaves(spread.variables),
        strict=True,
    ):
        np.testing.assert_allclose(b, a, atol=1e-6)
    return history


def _as_numbers(tree):
    """Random keys as the numbers that they are."""
    is_key = lambda x: jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)
    return jax.tree.map(
        lambda x: jax.random.key_data(x) if is_key(x) else x, tree
    )
