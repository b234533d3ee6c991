"""docs/methods.md says what the code says."""

import re
import sys
import types
from pathlib import Path

import jax
import pytest

from arm_jax import methods
from configs import npz
from tests.arm_jax import helpers

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/methods.md").read_text()


@pytest.mark.parametrize("name", methods.names())
def test_table_has_the_options_and_defaults(name):
    (row,) = (r for r in PAGE.splitlines() if r.startswith(f"| `{name}` |"))
    _, _, _, modalities, options, _, _ = (c.strip() for c in row.split("|"))
    defaults = methods.default_options(name)
    shown = ", ".join(f"`{k}={v!r}`" for k, v in defaults.items())
    assert options == (shown or "none")
    counts = methods.create(name, {}).modality_counts
    assert modalities == (" or ".join(map(str, counts)) or "any")


def test_options_of_a_dotted_path_are_config_keys():
    config = npz.get_config("tests.arm_jax.methods.own_loss")
    assert config.method.options.to_dict() == {"focus": 2.0, "unimodal": 0.0}


def test_class_on_the_page_is_a_method(monkeypatch):
    (code,) = re.findall(r"```python\n(import dataclasses.*?)```", PAGE, re.S)
    module = types.ModuleType("tests.arm_jax.on_the_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(code.replace('"text"', '"a"'), vars(module))
    assert methods.default_options(module.__name__) == {"pull": 0.1}
    method = methods.create(module.__name__, {"pull": 0.5})
    state, plain, _ = helpers.steps(method)
    new, _ = jax.eval_shape(plain, state, helpers.tiny_batch())
    assert new.variables.memory.shape == state.variables.memory.shape == (5,)


def test_every_hook_is_on_the_page():
    hooks = {k for k in vars(methods.Method) if not k.startswith("_")}
    helpers_of_all = {"allows", "check"}
    (table,) = re.findall(r"\| hook \| what.*?\n\n", PAGE, re.S)
    assert set(re.findall(r"`(\w+)`", table)) >= hooks - helpers_of_all


def test_example_is_the_one_that_is_tested():
    example = (Path(__file__).parent / "own_loss.py").read_text()
    assert f"```python\n{example}```\n" in PAGE
