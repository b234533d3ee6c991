import subprocess
import sys

import pytest

import arm_jax
import bounds


@pytest.mark.parametrize("package", [arm_jax, bounds], ids=lambda p: p.__name__)
def test_every_public_name_is_there(package):
    names = dir(package)
    assert len(names) >= 10
    for name in names:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("package", "modules"),
    [
        ("arm_jax", {"jax", "flax", "matplotlib", "sklearn"}),
        ("bounds", {"flax", "orbax", "grain", "tensorflow_datasets"}),
        ("bounds.estimation.quantify", {"flax", "orbax", "grain", "absl"}),
    ],
)
def test_importing_loads_no_more_than_is_needed(package, modules):
    code = f"import sys, {package}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert package in loaded
    assert not modules & set(loaded)
