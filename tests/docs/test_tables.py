import pytest

from arm_jax.errors import InputError
from arm_jax.workdir import read_json, write_json
from docs import tables


@pytest.mark.parametrize("page", tables.PAGES, ids=lambda page: page.name)
def test_tables_are_those_of_the_results(page):
    text = page.read_text(encoding="utf-8")
    assert tables.rendered(text) == text


def test_pages_have_tables():
    pages = {p.name: p.read_text(encoding="utf-8") for p in tables.PAGES}
    for name in ("training.md", "quantify.md", "comparison.md"):
        assert "<!-- table: " in pages[name]


def block(what):
    return f"before\n<!-- table: {what} -->\nold\n<!-- end -->\nafter\n"


def test_a_table_is_made_anew_in_its_place():
    text = tables.rendered(block("posteriors watch"))
    assert text.startswith(
        "before\n<!-- table: posteriors watch -->\n\n| data set |"
    )
    assert text.endswith("|\n\n<!-- end -->\nafter\n")
    assert "accel & gyro" in text
    assert tables.rendered(text) == text


def test_what_tuning_chose_is_behind_a_comparison(monkeypatch, tmp_path):
    summary = read_json(tables._RESULTS / "compare_watch.json")
    both = {"as configured": 0.5, "weight=3": 0.75}
    choice = {"point": "weight=3", "validation": both, "test": both}
    summary["tuning"] = {"umt": [choice]}
    write_json(tmp_path / "mine.json", summary)
    monkeypatch.setattr(tables, "_RESULTS", tmp_path)
    _, tuning = tables.rendered(block("comparison mine")).split("### Tuning")
    assert "| umt    |      2 | weight=3: 1 |  25.0 |  +25.0 |" in tuning


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("posteriors nothing", r"no results .*quantify_nothing\.json"),
        ("long watch", "unknown kind of table 'long'; known: interactions"),
    ],
)
def test_tables_that_cannot_be_made(what, message):
    with pytest.raises(InputError, match=message):
        tables.rendered(block(what))
