"""Pieces of reports: tables in Markdown, figures with one look."""

import io
import logging
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib import rcsetup
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy.special import stdtr, stdtrit

_log = logging.getLogger(__name__)

# Okabe and Ito's colours, which stay apart for colour-blind readers.
COLORS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9",
    "#000000", "#F0E442",
)  # fmt: skip

# Points that are equal but for rounding.
_EQUAL = 1e-9
# Stands for the colour of the text, on a light page or on a dark one.
INK = "#010101"
STYLE = {
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "grid.color": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.prop_cycle": rcsetup.cycler(color=COLORS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 130,
    "grid.alpha": 0.2,
    "legend.frameon": False,
    "svg.hashsalt": "report",
    # Text stays text: a browser has the letters of more languages.
    "svg.fonttype": "none",
}
_SVG_STYLE = (
    "<style>svg { color: #1a1a1a; } @media (prefers-color-scheme: dark) "
    "{ svg { color: #e8eaed; } }</style>"
)


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


def capital(text: str) -> str:
    """Returns a text that begins with a capital; the rest stays as it is."""
    return text[:1].upper() + text[1:]


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


def interval(value: float, ends: Sequence[float], digits: int = 3) -> str:
    """Returns a number and its interval, "1.000 [0.900, 1.100]"."""
    low, high = (fixed(end, digits) for end in ends)
    return f"{fixed(value, digits)} [{low}, {high}]"


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


class Gain(NamedTuple):
    """A mean paired difference.

    Attributes:
      mean: The difference.
      low: Lower end of its 95 % interval (Student's t); NaN for one pair.
      high: Upper end.
      p: Two-sided p-value of the same, or where all differences are equal,
        which coarse scores may be by chance, of the sign test; NaN for one
        pair.
    """

    mean: float
    low: float
    high: float
    p: float


def paired(
    accuracy: np.ndarray, baseline: np.ndarray, variants: Sequence[str] = ()
) -> Gain:
    """Returns the mean paired difference, and how sure it is.

    Args:
      accuracy: Of each run.
      baseline: Likewise.
      variants: The variant of each run, such as its fold; none if all are
        alike. Runs on one fold have its examples in common and are not
        independent, so that of several variants it is their means that count.
    """
    gains = np.asarray(accuracy) - baseline
    of = np.asarray(variants)
    if len(set(variants)) > 1:
        gains = np.array([gains[of == v].mean() for v in dict.fromkeys(of)])
    mean, free = float(gains.mean()), len(gains) - 1
    if free < 1:
        return Gain(mean, math.nan, math.nan, math.nan)
    error = gains.std(ddof=1) / np.sqrt(len(gains))
    half = float(stdtrit(free, 0.975) * error)
    if np.ptp(gains) <= _EQUAL:
        # A deviation of 0 would make of two equal gains a certainty.
        p = 2.0**-free if abs(mean) > _EQUAL else 1.0
    else:
        p = float(2 * stdtr(free, -abs(mean) / error))
    return Gain(mean, mean - half, mean + half, p)


def difference(
    accuracy: np.ndarray, baseline: np.ndarray, variants: Sequence[str] = ()
) -> str:
    """Mean paired difference and its 95 % interval, as text; see `paired`."""
    if len(accuracy) != len(baseline):
        return "not paired"
    *numbers, _ = paired(accuracy, baseline, variants)
    middle, low, high = (fixed(x, 1, plus=True) for x in numbers)
    return middle if len(accuracy) < 2 else f"{middle} [{low}, {high}]"


def holm(p: Sequence[float]) -> np.ndarray:
    """Returns p-values that hold for all comparisons at once (Holm, 1979)."""
    x = np.asarray(p, float)
    order = np.argsort(x)
    # The least of n times n, the next times n - 1, and no order changed.
    stepped = np.maximum.accumulate(x[order] * np.arange(len(x), 0, -1))
    out = np.empty(len(x))
    out[order] = np.minimum(stepped, 1.0)
    return out


@contextmanager
def figure(
    path: Path, figsize: tuple[float, float] | None = None, **kwargs: Any
) -> Iterator[tuple[Figure, Any]]:
    """Yields (figure, axes) of `Figure.subplots(**kwargs)`; saves to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without pyplot, which loads slowly and may look for a display.
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # Names may be in scripts that the font lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        fig = Figure(layout="constrained", figsize=figsize)
        yield fig, fig.subplots(**kwargs)
        _take_dollars_literally(fig)
        if path.suffix == ".svg":
            text = drawn(fig, alone=True)
            path.write_text(text, encoding="utf-8")
        else:
            fig.savefig(path)


@contextmanager
def svg(height: float, width: float = 4.6) -> Iterator[tuple[list[str], Any]]:
    """Yields a list and axes; the list holds the SVG afterwards.

    Args:
      height: Of the figure, in inches.
      width: Likewise; a figure is read on a phone, and wider ones are not.
    """
    out: list[str] = []
    # A name may have dollars.
    style = STYLE | {"text.parse_math": False}
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        fig = Figure(layout="constrained", figsize=(width, height))
        yield out, fig.subplots()
        out.append(drawn(fig))


def drawn(fig: Figure, *, alone: bool = False) -> str:
    """Returns a figure as SVG, its ink of the colour of the text around it.

    Args:
      fig: The figure.
      alone: Whether it becomes a file: a viewer has a light or a dark page
        behind it, and it has a colour for both.
    """
    out = io.StringIO()
    fig.savefig(out, format="svg", metadata={"Date": None}, transparent=True)
    svg = out.getvalue()
    for ink in (INK, COLORS[6]):
        svg = svg.replace(ink, "currentColor")
    return svg.replace("<defs>", _SVG_STYLE + "<defs>", 1) if alone else svg


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


def _take_dollars_literally(fig: Figure) -> None:
    """Names may have dollars, which begin no formula but in ticks of powers."""
    for axes in fig.axes:
        # Makes the labels, which otherwise come into being as they are drawn.
        axes.get_xticklabels(), axes.get_yticklabels()
    for text in fig.findobj(Text):
        if "$" in text.get_text() and "\\mathdefault" not in text.get_text():
            text.set_parse_math(False)
