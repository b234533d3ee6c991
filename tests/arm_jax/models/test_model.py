import flax.errors
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from arm_jax.config import ModelConfig
from arm_jax.errors import InputError
from arm_jax.models import create_model
from tests.arm_jax.models import own_encoder, own_fusion  # noqa: F401

SHAPES = {"a": (5,), "b": (4, 3), "c": (2,)}
OWN = "tests.arm_jax.models"


@pytest.fixture
def inputs(rng):
    return {
        name: jnp.asarray(rng.normal(size=(9, *shape)), jnp.float32)
        for name, shape in SHAPES.items()
    }


def test_any_number_of_modalities(inputs):
    for names in (["a"], ["a", "b"], ["a", "b", "c"]):
        shapes = {name: SHAPES[name] for name in names}
        model = create_model(ModelConfig(), shapes, 4)
        params, state = model.init(jax.random.key(0))
        features, _ = model.encode(params, state, inputs)
        assert list(features) == names
        logits = model.head(params, features, jnp.ones(len(names)), state)
        assert logits.shape == (9, 4)


def test_parameters_are_named_by_part_and_modality():
    model = create_model(ModelConfig(hidden=(6,), features=7), SHAPES, 4)
    params, state = model.init(jax.random.key(0))
    assert params.keys() == {"encoders", "head"}
    assert params["encoders"].keys() == SHAPES.keys()
    assert params["encoders"]["b"]["Dense_0"]["kernel"].shape == (12, 6)
    assert params["head"]["classifiers_b"]["kernel"].shape == (7, 4)
    assert state["encoders"] == {}
    assert {k: x.shape for k, x in state["means"].items()} == dict.fromkeys(
        SHAPES, (7,)
    )


def test_modalities_are_ordered_by_name():
    # JAX sorts a dict that goes through a transformation: any other order
    # would be lost on the way.
    shapes = {"b": (4, 3), "c": (2,), "a": (5,)}
    model = create_model(ModelConfig(), shapes, 4)
    assert model.modalities == ("a", "b", "c")
    params, state = model.init(jax.random.key(0))
    inputs = {name: jnp.ones((2, *s)) for name, s in shapes.items()}
    assert list(model.encode(params, state, inputs)[0]) == ["a", "b", "c"]


def test_dropout_only_in_training(inputs):
    model = create_model(ModelConfig(dropout=0.5), SHAPES, 4)
    params, state = model.init(jax.random.key(0))

    def features(**options):
        return model.encode(params, state, inputs, **options)[0]["a"]

    np.testing.assert_array_equal(
        features(), features(train=False, key=jax.random.key(1))
    )
    # No key is no reason to train as if there were no dropout.
    with pytest.raises(flax.errors.InvalidRngError):
        features(train=True)
    first, again, other = (
        features(train=True, key=jax.random.key(k)) for k in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, features())
    # Nor one of an encoder that rests.
    resting = features(train=True, key=jax.random.key(1), resting=("a",))
    np.testing.assert_array_equal(resting, features())
    others = features(train=True, key=jax.random.key(1), resting=("b",))
    np.testing.assert_array_equal(others, first)


def test_every_modality_its_own_encoder_and_width(inputs):
    config = ModelConfig(
        encoders={
            "a": {"features": 3, "hidden": ()},
            "b": {"name": "windows", "length": 2, "dropout": 0.1},
        },
        hidden=(6,),
        features=7,
    )
    model = create_model(config, SHAPES, 4)
    assert model.widths == {"a": 3, "b": 7, "c": 7}
    params, state = model.init(jax.random.key(0))
    features, _ = model.encode(params, state, inputs)
    assert features["a"].shape == (9, 3)
    assert list(params["encoders"]["a"]) == ["Dense_0"]
    assert params["encoders"]["b"]["Dense_0"]["kernel"].shape == (6, 6)
    logits = model.head(params, features, jnp.ones(3), state)
    assert logits.shape == (9, 4)


def test_an_encoder_and_a_fusion_from_elsewhere(inputs):
    config = ModelConfig(
        encoders={"a": {"name": f"{OWN}.own_encoder", "power": 2}},
        fusion={"name": f"{OWN}.own_fusion", "scale": 3.0},
    )
    model = create_model(config, SHAPES, 4)
    assert model.widths["a"] == 5
    assert model.additive
    params, state = model.init(jax.random.key(0))
    features, _ = model.encode(params, state, inputs)
    np.testing.assert_allclose(features["a"], inputs["a"] ** 2)
    logits = model.head(params, features, jnp.array([1.0, 0, 0]), state)
    np.testing.assert_allclose(
        logits, jnp.broadcast_to(3 * features["a"][:, :1], (9, 4)), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"encoders": {"z": {}}},
            "config model.encoders has 'z'; known: a, b, c",
        ),
        (
            {"encoders": {"a": {"name": "mpl"}}},
            "config model.encoders.a: unknown encoder 'mpl'; known: bert, mlp",
        ),
        (
            {"encoders": {"b": {"name": "resnet", "weights": "x"}}},
            "config model.encoders.b: unknown encoder 'resnet'; known: bert",
        ),
        (
            {"encoders": {"a": {"name": f"{OWN}.own_fusion"}}},
            "model.encoders.a: module .* has no function `encoder`",
        ),
        (
            {"encoders": {"a": {"widht": 3}}},
            "config model.encoders.a: encoder 'mlp' has no option 'widht'",
        ),
        (
            {"encoders": {"b": {"name": "windows", "length": 5}}},
            "config model.encoders.b: length 5 and stride 1 do not fit a "
            "series of length 4",
        ),
        (
            {"encoders": {"b": {"name": "windows", "length": 2, "stride": 0}}},
            "model.encoders.b: length 2 and stride 0",
        ),
        (
            {"encoders": {"b": {"name": "resnet18"}}},
            r"model.encoders.b: resnet18 .* needs images .* shape \(4, 3\)",
        ),
        (
            {"encoders": {"a": {"name": f"{OWN}.own_encoder", "power": -1}}},
            r"model.encoders.a: features must be \[batch, width\], got \(5,\)",
        ),
        (
            {"fusion": {"name": "product"}},
            "config model.fusion: unknown fusion 'product'",
        ),
        ({"fusion": {"rank": 3}}, "fusion 'concat' has no option 'rank'"),
        (
            {"fusion": {"name": f"{OWN}.own_fusion", "masks": False}},
            "model.fusion: '.*own_fusion' cannot leave a modality out",
        ),
        ({"absent": "noise"}, "model.fusion: absent must be one of .*'noise'"),
        (
            {"fusion": {"name": "sum"}, "encoders": {"a": {"features": 3}}},
            "model.fusion: the features must have one width, got 3 of a, 64",
        ),
        ({"fusion": {"name": "low_rank", "rank": 0}}, "rank must be at least"),
        ({"fusion": {"name": "gated", "width": 0}}, "width must be at least 1"),
        *(
            (
                {"fusion": {"name": name, "head": (4, 0)}},
                r"model.fusion: head must hold positive widths, got \(4, 0\)",
            )
            for name in ("concat", "film", "gated", "low_rank", "sum")
        ),
    ],
)
def test_configurations_that_do_not_fit(config, message):
    with pytest.raises(InputError, match=message):
        create_model(ModelConfig(**config), SHAPES, 4)


def test_a_fusion_says_whether_it_masks(monkeypatch):

    monkeypatch.setattr(own_fusion, "fusion", lambda widths, k: nn.Dense(k))
    config = ModelConfig(fusion={"name": f"{OWN}.own_fusion"})
    with pytest.raises(
        InputError, match=r"config model.fusion: .*own_fusion' has no .*`masks`"
    ):
        create_model(config, SHAPES, 4)


def test_a_method_may_need_a_fusion():
    model = create_model(ModelConfig(), SHAPES, 4, "shared")
    params, _ = model.init(jax.random.key(0))
    assert list(params["head"]) == ["classifier"]
    with pytest.raises(
        InputError, match=r"model.fusion.name is 'film'; the method needs 'sh"
    ):
        create_model(ModelConfig(fusion={"name": "film"}), SHAPES, 4, "shared")
    with pytest.raises(InputError, match=r"head is \(5,\); the head that"):
        create_model(ModelConfig(head=(5,)), SHAPES, 4, "shared")
