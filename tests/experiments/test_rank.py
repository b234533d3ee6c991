import json
from pathlib import Path

import pytest

from arm_jax.errors import InputError
from experiments import rank

RESULTS = Path(__file__).parents[2] / "docs/results"


def test_results_of_the_docs_are_ranked(tmp_path):
    (tmp_path / "mine").mkdir()
    text = (RESULTS / "compare_mosi.json").read_text()
    (tmp_path / "mine" / "summary.json").write_text(text)
    paths = [str(RESULTS / "compare_watch.json"), str(tmp_path / "mine")]
    found = rank.summaries(paths)
    assert list(found) == ["watch", "mine"]
    table = rank.ranks.markdown(rank.ranks.of_summaries(found))
    header, _, *rows = table.splitlines()
    assert header.split("|")[5:7] == [" watch ", " mine "]
    assert len([row for row in rows if row.startswith("|")]) == 9


def test_what_is_no_comparison(tmp_path):
    with pytest.raises(InputError, match="no finished comparison in nowhere"):
        rank.summaries(["nowhere"])
    file = tmp_path / "demo.json"
    file.write_text(json.dumps({"seeds": 1}))
    with pytest.raises(InputError, match="is no comparison"):
        rank.summaries([str(file)])
    twice = [str(RESULTS / "compare_watch.json")] * 2
    with pytest.raises(InputError, match="two comparisons are called 'watch'"):
        rank.summaries(twice)
