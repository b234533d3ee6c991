"""docs/methods.md says what the code says."""

from pathlib import Path

import pytest

from arm_jax import methods
from configs import npz

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


def test_example_is_the_one_that_is_tested():
    example = (Path(__file__).parent / "own_loss.py").read_text()
    assert f"```python\n{example}```\n" in PAGE
