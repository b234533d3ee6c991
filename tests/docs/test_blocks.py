"""Every block of Python in README and docs runs, page by page.

The blocks of a page share their names, as a reader's do. What a page leaves to
the reader ("your classifiers") is given here, small; numbers in blocks that
make them large are made small.
"""

import ast
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import bounds
from arm_jax import loop
from arm_jax.analysis import interactions
from arm_jax.checkpoint import Checkpoints
from arm_jax.reports import valuation
from arm_jax.workdir import JsonLines
from bounds.estimation import (
    _overclaim,
    _posterior_solve,
    classifiers,
    posteriors,
)
from bounds.estimation._posterior_input import information, table
from tests.bounds.estimation import quantify_helpers

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
# Sizes that are for people.
_SMALLER = {
    "README.md": {"600": "150", "epochs = 5": "epochs = 3"},
    "docs/quickstart.md": {"size=300": "size=60", "(300, 3)": "(60, 3)"},
    "docs/posteriors.md": {"sample(500)": "sample(60)"},
    "docs/synergy.md": {"np.ones(8), 1000": "np.ones(8), 3"},
    "docs/concepts/certificates.md": {"50": "3"},
    "docs/encoders.md": {"224": "32"},
}
# Only compiled: PyTorch, and files that it writes, are not here.
_COMPILED = {"docs/encoders.md": "model.safetensors"}


@pytest.fixture(autouse=True)
def _without_solvers(monkeypatch):
    """Solvers have tests of their own, and take longer than all blocks."""

    def solved(data, prior, index1, index2, laws, rng):
        rows = {"r1": index1, "r2": index2}
        known = [
            information(table(data.r[n][i], data.w[n][i], prior), prior)
            for n, i in rows.items()
        ]
        zeros = [np.zeros((len(i), len(prior))) for i in rows.values()]
        return _posterior_solve.Solution(
            max(known) - np.mean(known), False, 0.0, 0.0, 0, 1, *zeros
        )

    quantify_helpers.without_solvers(monkeypatch)
    monkeypatch.setattr(posteriors, "_laws", lambda *_: None)
    monkeypatch.setattr(_posterior_solve, "solve", solved)
    none = _overclaim.Overclaim(0.0, 0.0)
    monkeypatch.setattr(_overclaim, "overclaim", lambda *_, **__: none)
    monkeypatch.setattr(classifiers, "_EPOCHS", 1)
    monkeypatch.setattr(classifiers, "_STEPS", 1)
    monkeypatch.setattr(loop, "train", untrained)
    monkeypatch.setattr(interactions, "of_predictions", lambda *arguments: {})
    monkeypatch.setattr(valuation, "draw", lambda *arguments: [])
    with quantify_helpers.without_compiling():
        yield


def untrained(run, workdir, **options):
    """A training's end without its steps, whose program is the largest."""
    begun = run.initial()
    log = JsonLines(workdir / "metrics.jsonl")
    log.append({"step": run.schedule.total, "split": "train", "seed": 0})
    with Checkpoints(workdir) as checkpoints:
        checkpoints.save(run.schedule.total, begun, log.path)
    return loop.Outcome(last=begun.state.variables, best=begun.best)


def blocks(page):
    return _BLOCK.findall(page.read_text(encoding="utf-8"))


def given(name):
    """What a page leaves to its reader."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = y[:, None] + rng.normal(size=(60, 2))
    bits = rng.integers(2, size=(2, 60))
    tables = rng.dirichlet(np.ones(8), 3).reshape(-1, 2, 2, 2)
    r = np.stack([np.full(60, 0.3), np.full(60, 0.7)], axis=1)
    classifier = LogisticRegression()
    pages = {
        "docs/quantify.md": {
            "views": [(x[:30], x), (x[:30], x[:, ::-1])], "label": y,
            "classes": 2, "x1": bits[0], "x2": bits[1], "y": y,
            "observed": np.array([0.5, 0.8]), "r1": r, "r2": r, "r12": r,
            "w": np.ones(60), "labels": y,
            "p": rng.dirichlet(np.ones(16)).reshape(2, 2, 2, 2),
            "candidates": {"a": bits[0], "b": bits[1]},
            "clf1": classifier, "clf2": classifier,
        },
        "docs/pid.md": {
            "p": tables, "counts": np.ones((2, 2, 2)), "p1y": tables.sum(-2),
            "p2y": tables.sum(-3), "p12": tables.sum(-1),
        },
        "docs/synergy.md": {
            "p12": tables.sum(-1), "p1y": tables.sum(-2),
            "p2y": tables.sum(-3),
        },
    }  # fmt: skip
    return {"bounds": bounds, "np": np} | pages.get(name, {})


@pytest.mark.parametrize(
    "page",
    [p for p in PAGES if blocks(p)],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = str(page.relative_to(ROOT))
    module = types.ModuleType("blocks_of_a_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    module.__dict__.update(given(name))
    if name == "docs/outputs.md":
        torch = types.ModuleType("torch")
        torch.no_grad = lambda: lambda f: f
        monkeypatch.setitem(sys.modules, "torch", torch)
    for block in blocks(page):
        for large, small in _SMALLER.get(name, {}).items():
            block = block.replace(large, small)
        code = compile(ast.parse(block), name, "exec")
        if _COMPILED.get(name, "\0") not in block:
            exec(code, module.__dict__)  # noqa: S102
