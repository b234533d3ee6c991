"""Makes the tables of README and docs from the results in docs/results.

    python -m docs.tables [--collect=runs]

A table stands between `<!-- table: KIND NAME ... -->` and `<!-- end -->`, and
is made of docs/results/NAME.json. With `--collect`, those are first taken
from the workdirs of that name in a folder.
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from arm_jax.errors import InputError
from arm_jax.reports import (
    comparison,
    comparison_words,
    demo,
    published,
    quantify,
    ranks,
    recovery,
    truth,
)
from arm_jax.reports.pieces import markdown_table, mean_and_sd
from arm_jax.studies.torture import trials
from arm_jax.workdir import read_json, read_results
from docs import paper_tables, papers_of_arm, papers_of_bounds
from docs.checks import gpu, layouts, scaling
from experiments import cli

_COLLECT = flags.DEFINE_string(
    "collect", None, "Folder of workdirs whose results are taken."
)
_DOCS = Path(__file__).parent
_RESULTS = _DOCS / "results"
PAGES = (_DOCS.parent / "README.md", *sorted(_DOCS.rglob("*.md")))
# Data sets that are not named as their results are.
_DATA_SETS = {
    "avdigits": "avdigits, new speakers",
    "avdigits_official": "avdigits, official",
}
# Columns of the overview that are not named by their data set.
_OVERVIEW = {
    "select_avdigits": "avdigits, held-out speakers",
    "compare_avdigits": "avdigits, new speaker",
    "compare_avdigits_official": "avdigits, official",
    "compare_mosi": "mosi, five folds",
}
_BLOCK = re.compile(r"(<!-- table: ([^>]*) -->\n).*?(<!-- end -->)", re.DOTALL)


def rendered(page: str) -> str:
    """Returns the text of a page with its tables made anew.

    Raises:
      InputError: An unknown kind of table, or a name without results.
    """

    def block(match: re.Match[str]) -> str:
        kind, *names = match[2].split()
        if kind not in _KINDS:
            known = ", ".join(_KINDS)
            raise InputError(f"unknown kind of table '{kind}'; known: {known}")
        return f"{match[1]}\n{_KINDS[kind](*names)}\n\n{match[3]}"

    return _BLOCK.sub(block, page)


def _results(name: str) -> dict[str, Any]:
    file = _RESULTS / f"{name}.json"
    if not file.exists():
        raise InputError(f"no results {file}")
    return read_json(file)


def _of_pairs(names: Sequence[str], table: Any, drop: Sequence[str]) -> str:
    """The rows of several data sets' pairs under one header."""
    rows: list[list[Any]] = []
    for name in names:
        results = _results(f"quantify_{name}")
        header, own = table(results)
        keep = [i for i, column in enumerate(header) if column not in drop]
        what = _DATA_SETS.get(name, name)
        rows += [[what, *(row[i] for i in keep)] for row in own]
    return markdown_table(["data set", *(header[i] for i in keep)], rows)


def _interactions(*names: str) -> str:
    return _of_pairs(names, quantify.table, ())


def _posteriors(*names: str) -> str:
    return _of_pairs(names, quantify.posteriors_table, ("doubts",))


def _accuracies(*names: str) -> str:
    return _of_pairs(names, quantify.accuracy_table, ())


def _comparison(name: str) -> str:
    summary = _results(name)
    lines = [f"{comparison_words.basis(summary)}."]
    for group, labels in summary["groups"]:
        lines += ["", f"### {group}", "", *comparison.tables(summary, labels)]
    if "tuning" in summary:
        lines += ["", "### Tuning", "", *comparison.tuning(summary)]
    return "\n".join(lines).strip()


def _overview(*names: str) -> str:
    """Fused accuracy of the methods, one column per comparison."""
    summaries = [_results(name) for name in names]
    header = [
        _OVERVIEW.get(name, s["dataset"])
        for name, s in zip(names, summaries, strict=True)
    ]
    rows = []
    for label in dict(summaries[0]["groups"])["Methods"]:
        cells = [
            mean_and_sd(s["accuracies"][label]["accuracy"])
            if label in s["accuracies"]
            else "none"
            for s in summaries
        ]
        rows.append([label, *cells])
    return markdown_table(["method", *header], rows)


def _ranks(*names: str) -> str:
    """Ranks of the methods over several comparisons."""
    found = {name: _results(name) for name in names}
    named = {name.split("_")[1]: x for name, x in found.items()}
    return ranks.markdown(ranks.of_summaries(named))


def _published(part: str) -> str:
    """One of the tables of the published numbers."""
    return markdown_table(*published.TABLES[part](_results("published")))


def _truth() -> str:
    """Estimators on problems whose answer is known."""
    return truth.table(_results("truth"))


def _campaign() -> str:
    """What was killed, damaged, refused and fuzzed, and what came of it."""
    return trials.table(_results("campaign")["campaign"])


def _scaling() -> str:
    """Steps on more devices than anybody here has, from measured constants."""
    return scaling.table(_results("scaling"))


def _demo() -> str:
    results = _results("demo")
    interactions = results.pop("interactions")
    return f"```\n{demo.text(results, interactions)}\n```"


def _advice(*names: str) -> str:
    """What the report of each pair recommends, or says to measure."""

    def table(results: dict[str, Any]) -> quantify.Table:
        rows = []
        for pair in results["pairs"].values():
            advice = pair["recommendation"]
            rows.append(
                [quantify.title(pair), advice["text"], advice["measure"]]
            )
        return ["pair (1 & 2)", "advice", "what would decide"], rows

    return _of_pairs(names, table, ())


def _layouts(name: str) -> str:
    return layouts.table(_results(name)["layouts"])


def _recovery(name: str) -> str:
    return markdown_table(*recovery.recovery_table(_results(name)))


def _refits(name: str) -> str:
    return markdown_table(*recovery.recovery_table(_results(name), refits=True))


def _decisions(name: str) -> str:
    return markdown_table(*recovery.decision_table(_results(name)))


def _learned(name: str) -> str:
    return markdown_table(*recovery.learned_table(_results(name)))


def _gpu(*parts: str) -> str:
    """What was measured on a GPU, a table for each part."""
    rows = _results("gpu")["rows"]
    return "\n\n".join(gpu.table(rows, part) for part in parts)


def _paper(name: str) -> str:
    """A paper's items beside ours."""
    return paper_tables.page(_PAPERS[name])


_PAPERS = {
    "arm": papers_of_arm.ARM,
    "iclr2024": papers_of_bounds.ICLR2024,
    "neurips2023": papers_of_bounds.NEURIPS2023,
}
_KINDS: dict[str, Callable[..., str]] = {
    "interactions": _interactions,
    "posteriors": _posteriors,
    "accuracies": _accuracies,
    "comparison": _comparison,
    "overview": _overview,
    "ranks": _ranks,
    "published": _published,
    "truth": _truth,
    "advice": _advice,
    "recovery": _recovery,
    "learned": _learned,
    "layouts": _layouts,
    "refits": _refits,
    "decisions": _decisions,
    "demo": _demo,
    "gpu": _gpu,
    "paper": _paper,
    "campaign": _campaign,
    "scaling": _scaling,
}
# Beginnings of names of workdirs whose results.json is taken over as it is.
_WHOLE = ("paper_examples", "published", "recovery_", "truth")
# Of so many draws not every digit is kept.
_MANY = 1000


def collect(folder: Path) -> list[str]:
    """Takes over what tables are made of; returns the names."""
    taken = []
    for workdir in sorted(folder.iterdir()):
        for name, results in paper_tables.collected(workdir).items():
            _store(name, results)
            taken.append(name)
        if (workdir / "summary.json").exists():
            results = read_json(workdir / "summary.json")
        elif workdir.name.startswith("quantify_"):
            results = read_results(workdir / "results.json")
            # For figures alone.
            for pair in results["pairs"].values():
                pair["sensitivity"], pair["convergence"] = [], None
        elif workdir.name.startswith(_WHOLE):
            results = read_results(workdir / "results.json")
            if len(results.get("draws", ())) > _MANY:
                results["draws"] = _shortened(results["draws"])
        elif workdir.name == "demo":
            results = demo.read(workdir)
        elif workdir.name == "gpu":
            lines = (workdir / gpu.RESULTS).read_text(encoding="utf-8")
            results = {"rows": [json.loads(x) for x in lines.splitlines()]}
        else:
            continue
        _store(workdir.name, results)
        taken.append(workdir.name)
    return taken


def _shortened(value: Any) -> Any:
    """More digits than a table has, and fewer than a float."""
    if isinstance(value, dict):
        return {key: _shortened(x) for key, x in value.items()}
    if isinstance(value, list):
        return [_shortened(x) for x in value]
    return round(value, 5) if isinstance(value, float) else value


def _store(name: str, results: Any) -> None:
    text = json.dumps(results, separators=(",", ":"))
    _RESULTS.mkdir(exist_ok=True)
    (_RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    if _COLLECT.value is not None:
        print("results:", *collect(Path(_COLLECT.value)))
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        after = rendered(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            print("changed:", page)
    return 0


if __name__ == "__main__":
    cli.run(main, takes_config=False)
