import re
from pathlib import Path

import numpy as np
import pytest

from arm_jax.workdir import write_json
from docs import paper_tables, papers_of_arm, papers_of_bounds, tables
from docs.checks import paper_examples
from docs.paper_tables import Item

ITEMS = (
    *papers_of_arm.ARM,
    *papers_of_bounds.ICLR2024,
    *papers_of_bounds.NEURIPS2023,
)
CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.name)
def test_an_item_says_what_a_reader_needs(item):
    assert item.counterpart in paper_tables.COUNTERPARTS
    assert item.what
    assert item.theirs
    assert item.why, "why they differ, or why there is none"
    assert bool(item.command) == (item.counterpart != "none")
    for name in re.findall(r"--config=(\w+)", item.command):
        assert (CONFIGS / f"{name}.py").exists()


def test_a_page_has_a_section_for_each_item():
    items = (
        Item(
            "Figure 1", "yes", "What.", "1.0", "make it", lambda: "2.0", "Why."
        ),
        Item("Figure 2", "none", "What.", "3.0", why="No data."),
    )
    text = paper_tables.page(items)
    assert "| Figure 2 | none             |" in text
    assert "## Figure 1\n\nWhat.\n\n```bash\nmake it\n```\n\n" in text
    assert (
        "**Theirs.** 1.0\n\n**Ours.** 2.0\n\n**The difference.** Why." in text
    )
    assert text.endswith("**Theirs.** 3.0\n\n**Why none.** No data.")


def test_gap_and_joint_contribution_are_those_of_each_run():
    runs = [(0.5, 0.2, 0.9), (0.1, 0.4, 1.1)]
    last = [
        {"phi_cmi_a": a, "phi_cmi_b": b, "phi_mi": both} for a, b, both in runs
    ]
    summary = {
        "modalities": ["a", "b"],
        "results": {"arm": {"runs": [{"test": {"last": r}} for r in last]}},
    }
    gap = paper_tables.contribution_gap(summary, "arm")
    np.testing.assert_allclose(gap, [0.3, 0.3])
    joint = paper_tables.joint_contribution(summary, "arm")
    assert paper_tables.bits(joint) == "1.00 +- 0.14"


def test_studies_of_bounds_are_taken_without_their_values(
    tmp_path, monkeypatch
):
    folder = tmp_path / "runs" / "synergy_mine"
    folder.mkdir(parents=True)
    block = {
        "values": {"synergy": [0.1, 0.3], "lower": [0.0, 0.1]},
        "violations": {"lower": 1},
        "worst": {"lower": 0.25},
    }
    write_json(folder / "line", block | {"worst": {"lower": 0.5}})
    line = (folder / "line").read_text().replace("\n", "")
    (folder / "blocks.jsonl").write_text(line + "\n" + line + "\n")
    monkeypatch.setattr(paper_tables, "_FEW", 3)
    monkeypatch.setattr(tables, "_RESULTS", tmp_path / "results")
    assert tables.collect(folder.parent) == ["synergy_mine"]
    monkeypatch.setattr(paper_tables, "_RESULTS", tmp_path / "results")
    assert paper_tables.results("synergy_mine") == {
        "tables": 4,
        "mean": {"synergy": 0.2, "lower": 0.05},
        "violations": {"lower": 2},
        "worst": {"lower": 0.5},
    }


def test_laws_of_the_examples():
    bits = paper_examples.dropped_bits()
    np.testing.assert_allclose(bits.sum(), 1)
    # Neither modality knows the parity.
    np.testing.assert_allclose(bits.sum(0)[:, 0], bits.sum(0)[:, 1])
    np.testing.assert_allclose(bits.sum(1)[:, 0], bits.sum(1)[:, 1])
    # The first bit of x2 is kept in 3 of 10 cases, its third in 5.
    np.testing.assert_allclose(bits[:, 1::2].sum(), 0.15)
    np.testing.assert_allclose(bits[:, 4:].sum(), 0.25)
    along = paper_examples.cartesian(0.0)
    np.testing.assert_allclose(along.sum((1, 2, 0)), 1)
    np.testing.assert_allclose(along.sum(0)[:, 0], along.sum(0)[:, 1])
    around = paper_examples.polar(0.3)
    np.testing.assert_allclose(around.sum(1)[:, 0], around.sum(1)[:, 1])
