"""Imports point down: bounds < arm_jax < configs < experiments."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bounds", "arm_jax", "configs", "experiments")
FORBIDDEN = {
    "bounds": {
        *("arm_jax", "configs", "experiments", "flax", "optax", "orbax"),
        *("grain", "tensorflow_datasets", "ml_collections"),
    },
    "arm_jax": {"configs", "experiments", "ml_collections"},
    "configs": {"experiments"},
    "experiments": set(),
}


def imported(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_down(package):
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for file in files:
        assert not imported(file) & FORBIDDEN[package], file


def test_only_models_know_linen():
    for file in (ROOT / "arm_jax").rglob("*.py"):
        if (ROOT / "arm_jax" / "models") not in file.parents:
            assert "flax.linen" not in file.read_text(), file


def test_only_one_module_calls_pmap():
    for file in (ROOT / "arm_jax").rglob("*.py"):
        if file.name != "parallel.py":
            assert "jax.pmap" not in file.read_text(), file


def test_no_tensorflow():
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            assert "tensorflow" not in imported(file), file
