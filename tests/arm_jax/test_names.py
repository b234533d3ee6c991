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


# One process for what may be loaded one after the other.
@pytest.mark.parametrize(
    "needless",
    [
        {
            "arm_jax": {"jax", "flax", "matplotlib", "sklearn"},
            "bounds": {"flax", "orbax", "grain", "tensorflow_datasets"},
            "bounds.estimation.quantify": {"flax", "orbax", "grain", "absl"},
        },
        {
            "configs.npz": {"matplotlib", "sklearn"},
            "arm_jax.studies.training": {"matplotlib.pyplot", "scipy.stats"},
            "arm_jax.studies.comparison": {"scipy.stats", "sklearn"},
        },
    ],
    ids=lambda needless: " ".join(needless),
)
def test_importing_loads_no_more_than_is_needed(needless):
    lines = [f"import {package}; print(*sys.modules)" for package in needless]
    printed = subprocess.run(
        [sys.executable, "-c", "\n".join(["import sys", *lines])],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for (package, modules), line in zip(needless.items(), printed, strict=True):
        loaded = set(line.split())
        assert package in loaded
        assert not modules & loaded, package
