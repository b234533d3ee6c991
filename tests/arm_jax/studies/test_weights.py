"""A run whose encoder starts from a file, with a part of it frozen."""

import hashlib

import jax
import numpy as np
import pytest

import arm_jax
from arm_jax import epochs, loop, record
from arm_jax.config import Config, from_mapping
from arm_jax.errors import InputError
from arm_jax.studies import training
from tests.arm_jax.models.weights.state_dicts import drawn, save, vit_timm


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Images in memory, and weights for them."""
    folder = tmp_path_factory.mktemp("weights")
    rng = np.random.default_rng(0)
    label = np.tile(np.arange(3), 20)
    prototypes = rng.normal(size=(3, 8, 8, 3))
    np.savez(
        folder / "images.npz",
        a=np.eye(3)[label] + rng.normal(size=(60, 3)),
        image=prototypes[label] + rng.normal(size=(60, 8, 8, 3)),
        label=label,
        split=np.repeat([0, 1, 2], [40, 10, 10]),
    )
    save(folder / "vit.safetensors", drawn(vit_timm(layers=1)))
    return folder


def config_of(files, **options):
    return {
        "data": {
            "name": "npz",
            "batch_size": 20,
            "options": {"path": str(files / "images.npz")},
        },
        "model": {
            "hidden": (),
            "features": 4,
            "dtype": "bfloat16",
            "encoders": {
                "image": {
                    "name": "vit",
                    "weights": str(files / "vit.safetensors"),
                    "heads": 2,
                    "frozen": ("patches", "positions"),
                    **options,
                }
            },
        },
        "optimizer": {"learning_rate": 1e-2},
        "train": {"epochs": 1, "log_every": 2, "eval_batch_size": 20},
    }


def test_a_run_starts_from_the_file(files):
    run = loop.prepare(from_mapping(Config, config_of(files)))
    start = run.initial()
    arrays = drawn(vit_timm(layers=1))
    kernel = arrays["patch_embed.proj.weight"].transpose(2, 3, 1, 0)
    for variables in (start.state.variables, start.best.variables):
        image = variables.params["encoders"]["image"]
        np.testing.assert_array_equal(image["patches"]["kernel"][0], kernel)
        np.testing.assert_array_equal(
            image["norm"]["scale"], arrays["norm.weight"][None]
        )
        assert image["norm"]["scale"].dtype == np.float32
        # What is in no file is drawn.
        assert np.ptp(image["projection"]["kernel"]) > 0
    moments = {x.shape for x in jax.tree.leaves(start.state.opt_state)}
    assert (1, *kernel.shape) not in moments
    assert (1, *image["layer_0"]["query"]["kernel"].shape[1:]) in moments


def test_methods_begin_at_what_was_loaded(files):
    config = config_of(files) | {"method": {"name": "inforeg"}}
    run = loop.prepare(from_mapping(Config, config))
    start = epochs.begin(run, run.initial(), 0).state.variables
    assert start.memory["start"].keys() == {"a", "image"}
    jax.tree.map(
        np.testing.assert_array_equal,
        start.memory["start"],
        start.params["encoders"],
    )


def test_another_file_makes_another_run(files, tmp_path, monkeypatch):
    # As if interrupted at once.
    monkeypatch.setattr(training, "_trained", lambda *_, **__: None)
    config = config_of(files)
    fit = lambda: arm_jax.fit(config, tmp_path, progress=False)
    assert fit() is None
    file = files / "vit.safetensors"
    whole = file.read_bytes()
    sha = hashlib.sha256(whole).hexdigest()
    (line,) = record.read(tmp_path)
    assert line["weights"]["image"] == sha
    save(file, drawn(vit_timm(layers=1)) | {"head.bias": np.zeros(10)})
    try:
        with pytest.raises(
            InputError, match=rf"other weights .*image {sha[:12]} there"
        ) as caught:
            fit()
        assert "--allow" not in str(caught.value)
    finally:
        file.write_bytes(whole)
    # A config.json beside it says what pixels are normalised by.
    config_file = files / "config.json"
    config_file.write_text('{"mean": [0.1], "std": [0.2]}')
    try:
        with pytest.raises(InputError, match=r"image .config.json. .* there"):
            fit()
    finally:
        config_file.unlink()
    assert fit() is None
    assert len(record.read(tmp_path)) == 2
    # Some records know of the tensors alone.
    old = line | {"weights": {"image": sha}}
    now = record.current(old["data"], line["weights"])
    assert not dict(record.differences(old, now))
    # What was recorded before weights were is of none.
    old = {k: v for k, v in line.items() if k != "weights"}
    assert not dict(record.differences(old, record.current(old["data"])))


def test_what_is_wrong_with_a_file_is_said_before_anything_is_written(
    files, tmp_path
):
    pickle = tmp_path / "model.pth"
    pickle.write_bytes(b"PK\x03\x04" + bytes(50))
    with pytest.raises(
        InputError, match=r"config model.encoders.image.weights: .*model.pth is"
    ):
        arm_jax.fit(
            config_of(files, weights=str(pickle)),
            tmp_path / "run",
            progress=False,
        )
    assert not (tmp_path / "run" / "config.json").exists()
