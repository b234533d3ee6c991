"""Pieces of reports: tables in Markdown, figures with one look."""

import logging
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

# Figures go to files, whatever the variable says and without a display.
os.environ["MPLBACKEND"] = "agg"

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.mathtext import MathTextParser
from matplotlib.text import Text
from scipy import stats

_log = logging.getLogger(__name__)

# Okabe and Ito's colours, which stay apart for colour-blind readers.
COLORS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9",
    "#000000", "#F0E442",
)  # fmt: skip

STYLE = {
    "axes.grid": True,
    "axes.prop_cycle": plt.cycler(color=COLORS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 130,
    "grid.alpha": 0.3,
    "legend.frameon": False,
}


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Returns an aligned Markdown table; text to the left, numbers right.

    Names of data may be anything, see `plain`.
    """
    cells = [[plain(c) for c in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    left = [
        any(c[:1].isalpha() for c in column[1:])
        for column in zip(*cells, strict=True)
    ]

    def line(row: Sequence[str]) -> str:
        padded = (
            c.ljust(w) if at_left else c.rjust(w)
            for c, w, at_left in zip(row, widths, left, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    rule = "|".join(
        "-" * (w + 2) if at_left else "-" * (w + 1) + ":"
        for w, at_left in zip(widths, left, strict=True)
    )
    return "\n".join([line(cells[0]), f"|{rule}|", *map(line, cells[1:])])


def plain(text: Any) -> str:
    """Returns text that stays one cell or line, and is no tag, in Markdown."""
    line = " ".join(str(text).splitlines())
    line = re.sub(r"(?<!\\)\|", r"\\|", line)
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", line)


def plainly(results: Any) -> Any:
    """Returns results with all their texts, keys among them, `plain`."""
    if isinstance(results, Mapping):
        return {plainly(k): plainly(v) for k, v in results.items()}
    if isinstance(results, list | tuple):
        return [plainly(x) for x in results]
    return plain(results) if isinstance(results, str) else results


def fixed(value: float, digits: int, *, plus: bool = False) -> str:
    """Returns a number with so many decimals, and never "-0.000".

    Args:
      value: The number.
      digits: Number of decimals.
      plus: Write the sign of positive numbers, too.
    """
    return format(float(value), f"{'+' if plus else ''}z.{digits}f")


def percent(
    results: Mapping[str, Any], key: str, which: str = "last"
) -> np.ndarray:
    """A score of the test split in %, of each run of one training."""
    scores = [run["test"][which][key] for run in results["runs"]]
    # JSON keeps null in the place of what is not finite.
    return 100 * np.asarray(scores, float)


def mean_and_sd(values: Any, digits: int = 1) -> str:
    """Returns "mean +- sd" over seeds; the sd has n - 1 degrees of freedom."""
    mean = fixed(np.mean(values), digits)
    if len(values) < 2:
        return mean
    return f"{mean} +- {fixed(np.std(values, ddof=1), digits)}"


def difference(accuracy: np.ndarray, baseline: np.ndarray) -> str:
    """Mean paired difference and its 95 % interval, as text."""
    if len(accuracy) != len(baseline):
        return "not paired"
    gains = accuracy - baseline
    mean = gains.mean()
    if len(gains) < 2:
        return fixed(mean, 1, plus=True)
    half = stats.t.ppf(0.975, len(gains) - 1) * stats.sem(gains)
    middle, low, high = (
        fixed(x, 1, plus=True) for x in (mean, mean - half, mean + half)
    )
    return f"{middle} [{low}, {high}]"


@contextmanager
def figure(path: Path, **kwargs: Any) -> Iterator[tuple[plt.Figure, Any]]:
    """Yields (figure, axes) of `plt.subplots(**kwargs)`; saves to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # Names may be in scripts that the font lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        fig, axes = plt.subplots(layout="constrained", **kwargs)
        try:
            yield fig, axes
            _take_dollars_literally(fig)
            fig.savefig(path)
        finally:
            plt.close(fig)


def part(what: str, make: Callable[[], list[str]]) -> list[str]:
    """Returns the lines of a part of a report, or a sentence in their place.

    A report comes after hours of work: what cannot be drawn must not keep the
    rest from being written. The traceback is logged.

    Args:
      what: What the part is, the subject of the sentence.
      make: Returns its lines.
    """
    try:
        return make()
    except Exception as error:  # noqa: BLE001
        _log.exception("%s could not be made", what)
        words = str(error).partition("\n")[0][:200]
        return [f"{what} could not be made ({type(error).__name__}: {words})."]


def _take_dollars_literally(fig: plt.Figure) -> None:
    """Lets names have dollars that begin no formula."""
    for axes in fig.axes:
        # Makes the labels, which otherwise come into being as they are drawn.
        axes.get_xticklabels(), axes.get_yticklabels()
    parser = MathTextParser("path")
    for text in fig.findobj(Text):
        if "$" in text.get_text():
            try:
                parser.parse(text.get_text())
            except ValueError:
                text.set_parse_math(False)
