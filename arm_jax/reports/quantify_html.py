"""The report on a data set's interactions as one page of HTML."""

import html as escape
import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

from arm_jax.reports.pieces import COLORS, STYLE
from arm_jax.reports.quantify import (
    GAIN,
    GIVEN,
    POSTERIORS,
    QUANTITIES,
    TOO_FEW,
    given_table,
    in_short,
    missing,
    outputs_sentence,
    posteriors_sentences,
    posteriors_table,
    ranking_table,
    setup,
    short,
    table,
    title,
)
from bounds.estimation.study import spelled

# A figure is read on a phone: no wider than this, in inches.
_WIDTH = 4.6


def html(results: Mapping[str, Any]) -> str:
    """The report as one page, figures inline."""
    body = [
        f"<h1>Interactions of {_text(results['dataset'])}</h1>",
        *(
            f'<p class="decision">{_text(pair)}: <b>{_text(advice)}</b></p>'
            for pair, advice in in_short(results)
        ),
        *(f"<p>{_text(line)}</p>" for line in setup(results)),
        *_posteriors_html(results),
        "<h2>From symbols</h2>",
        _html_table(*table(results)),
        *_given_html(results),
        _figure(accuracy_figure(results), "What the best classifier of the "
                "symbols reaches (bars, 95 % intervals; pale: what is known of "
                "it without labels of pairs), and what trained models reach on "
                "held-out samples (points with 95 % intervals). Trained models "
                "see the features: they can do better than the symbols."),
        "<h2>What to label</h2>",
        f"<p>{GAIN}</p>",
        _html_table(*ranking_table(results)),
    ]  # fmt: skip
    for pair in results["pairs"].values():
        body += _pair_html(pair)
    return _PAGE.format(
        title=_text(f"Interactions of {results['dataset']}"),
        body="\n".join(body),
    )


def _posteriors_html(results: Mapping[str, Any]) -> list[str]:
    header, rows = posteriors_table(results)
    lines = posteriors_sentences(results)
    if not rows and not lines:
        return []
    out = ["<h2>From posteriors</h2>"]
    if rows:
        out += [f"<p>{_text(POSTERIORS)}</p>", _html_table(header, rows)]
    if lines:
        items = "".join(f"<li>{_text(line)}</li>" for line in lines)
        out.append(f"<ul>{items}</ul>")
    return out


def _given_html(results: Mapping[str, Any]) -> list[str]:
    header, rows = given_table(results)
    if not rows:
        return []
    return [
        "<h2>Given a third modality</h2>",
        f"<p>{_text(GIVEN)}</p>",
        _html_table(header, rows),
    ]


def _pair_html(pair: Mapping[str, Any]) -> list[str]:
    advice = pair["recommendation"]
    reasons = "".join(f"<li>{_text(r)}</li>" for r in advice["reasons"])
    out = [
        f"<h2>{_text(title(pair))}</h2>",
        f'<p class="decision"><b>{_text(advice["text"])}</b></p>',
        f"<ul>{reasons}</ul>",
    ]
    if advice["measure"]:
        out.append(f"<p>Next: {_text(advice['measure'])}.</p>")
    out += [
        _figure(
            decomposition_figure(pair),
            f"{spelled(pair['symbols'])} symbols per modality. Lines are 95 % "
            "intervals; ticks are what labels without any information give, 19 "
            "times of 20; the band is what S can be if no pair has a label.",
        ),
        f"<p>{_text(outputs_sentence(pair))}</p>",
        _figure(
            convergence_figure(pair),
            "Estimates from parts of the samples: mean and range of 4 draws. "
            "Solid: corrected; dotted: plug-in.",
        )
        if pair["convergence"]
        else "<p>Estimates from parts of the samples: too few samples.</p>",
        _figure(
            sensitivity_figure(pair),
            "The same with other numbers of symbols, as far as samples reach "
            "and values differ.",
        )
        if any(
            e["enough"]
            for p in pair["sensitivity"]
            for e in p["estimates"].values()
        )
        else "<p>Other numbers of symbols: too few samples.</p>",
    ]
    return out


def decomposition_figure(pair: Mapping[str, Any]) -> str:
    """R, U1, U2, S with error bars, nulls, and the band of S."""
    found = pair["interactions"]
    names = {
        "redundancy": "R",
        "unique1": f"U1, {pair['first']}",
        "unique2": f"U2, {pair['second']}",
        "synergy": "S",
    }
    with _svg(height=2.6) as (out, axis):
        for row, key in enumerate(names):
            one = found["estimates"].get(key)
            if key == "synergy":
                low, high = found["synergy_lower"], found["synergy_upper"]
                if low["enough"]:
                    axis.barh(
                        row, high["upper"] - low["lower"], left=low["lower"],
                        height=0.7, color=COLORS[row], alpha=0.2,
                    )  # fmt: skip
            if one is None:
                continue
            if not one["enough"]:
                axis.text(0.01, row, TOO_FEW, va="center",
                          transform=axis.get_yaxis_transform())  # fmt: skip
                continue
            axis.barh(row, one["value"], height=0.4, color=COLORS[row])
            axis.plot([one["lower"], one["upper"]], [row, row], color="black",
                      linewidth=2, solid_capstyle="butt")  # fmt: skip
            if not missing(one["null"]):
                axis.plot(one["null"], row, "|", color="red", markersize=14)
        labels = [_wrap(n) for n in names.values()]
        axis.set_yticks(range(len(names)), labels)
        axis.invert_yaxis()
        axis.set_xlim(left=0)
        axis.grid(visible=False, axis="y")
        axis.set(xlabel="information about the label (bits)")
    return out.getvalue()


def convergence_figure(pair: Mapping[str, Any]) -> str:
    """Estimates against the number of samples."""
    found = pair["convergence"]
    with _svg(height=3.0) as (out, axis):
        size = np.asarray(found["size"])
        for color, (key, name) in zip(COLORS, QUANTITIES.items(), strict=False):
            values = np.asarray(found["value"][key], float)
            plug = np.asarray(found["plug_in"][key], float)
            axis.plot(size, values.mean(1), color=color, marker="o",
                      markersize=3, label=name)  # fmt: skip
            axis.fill_between(size, values.min(1), values.max(1), color=color,
                              alpha=0.12, linewidth=0)  # fmt: skip
            axis.plot(size, plug.mean(1), ":", color=color)
        axis.set(xlabel="samples", ylabel="bits", ylim=(0, None))
        axis.set_xscale("log")
        axis.set_xticks(size, [short(s) for s in size])
        axis.minorticks_off()
        _legend(axis)
    return out.getvalue()


def sensitivity_figure(pair: Mapping[str, Any]) -> str:
    """Estimates against the number of symbols."""
    points = pair["sensitivity"]
    with _svg(height=3.0) as (out, axis):
        ticks = [spelled(p["symbols"]) for p in points]
        at = np.arange(len(points))
        for i, (key, name) in enumerate(QUANTITIES.items()):
            there = [
                (k, p["estimates"][key])
                for k, p in enumerate(points)
                if p["estimates"].get(key, {}).get("enough")
            ]
            if not there:
                continue
            x = np.array([k for k, _ in there]) + (i - 1.5) * 0.1
            y = np.array([e["value"] for _, e in there])
            ends = np.array([[e["lower"], e["upper"]] for _, e in there]).T
            axis.errorbar(
                x, y, np.maximum(np.abs(ends - y), 0), fmt="o-", markersize=3,
                linewidth=1, color=COLORS[i], label=name,
            )  # fmt: skip
        low = [p["synergy_lower"]["lower"] for p in points]
        high = [p["synergy_upper"]["upper"] for p in points]
        shown = [k for k in at if not missing(low[k])]
        if shown:
            axis.fill_between(
                shown, [low[k] for k in shown], [high[k] for k in shown],
                color=COLORS[3], alpha=0.12, linewidth=0,
                label="S without pair labels",
            )  # fmt: skip
        axis.set_xticks(at, ticks)
        axis.set(xlabel="symbols a modality", ylabel="bits", ylim=(0, None))
        axis.set_xlim(-0.5, len(points) - 0.5)
        _legend(axis)
    return out.getvalue()


def accuracy_figure(results: Mapping[str, Any]) -> str:
    """Possible accuracies as bars, trained models as points."""
    pairs = list(results["pairs"].values())
    with _svg(height=1.3 + 0.95 * len(pairs)) as (out, axis):
        ticks, labels = [], []
        row = 0.0
        styles = {"logistic": ("o", "logistic regression"),
                  "discriminant": ("^", "discriminant analysis"),
                  "network": ("s", "network")}  # fmt: skip
        seen = set()
        for pair in pairs:
            found = pair["interactions"]
            one, two = pair["first"], pair["second"]
            lines = [
                (one, "accuracy1", results["models"][one]),
                (two, "accuracy2", results["models"][two]),
                ("both", "accuracy", pair["models"]),
            ]
            for name, key, models in lines:
                color = COLORS[0] if key == "accuracy" else COLORS[5]
                shades = {key: 0.5}
                if key == "accuracy":
                    shades["accuracy_bounds"] = 0.15
                for bar, alpha in shades.items():
                    lower, upper = (100 * v for v in found[bar])
                    axis.barh(row, upper - lower, left=lower, height=0.6,
                              color=color, alpha=alpha)  # fmt: skip
                for k, (kind, score) in enumerate(models.items()):
                    marker, label = styles[kind]
                    y = row + 0.2 * (k - (len(models) - 1) / 2)
                    axis.plot([100 * score["lower"], 100 * score["upper"]],
                              [y, y], color="black", linewidth=1)  # fmt: skip
                    axis.plot(
                        100 * score["accuracy"], y, marker, color="black",
                        markersize=4, label=None if kind in seen else label,
                    )  # fmt: skip
                    seen.add(kind)
                ticks.append(row)
                labels.append(_wrap(name))
                row += 0.8
            row += 0.4
        axis.set_yticks(ticks, labels)
        axis.invert_yaxis()
        axis.grid(visible=False, axis="y")
        axis.set(xlabel="accuracy (%)", xlim=(0, 101))
        _legend(axis)
    return out.getvalue()


def _wrap(name: str, width: int = 16) -> str:
    """Breaks a name at its separators and spaces."""
    lines = [""]
    for word in name.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def _legend(axis: Any) -> None:
    axis.legend(
        ncols=2, loc="lower center", bbox_to_anchor=(0.45, 1.0), fontsize=8
    )


@contextmanager
def _svg(height: float) -> Iterator[tuple[io.StringIO, Any]]:
    """Yields a buffer and axes; the buffer holds the SVG afterwards."""
    out = io.StringIO()
    # Text stays text: a browser has the letters of more languages.
    style = STYLE | {
        "svg.hashsalt": "report",
        "svg.fonttype": "none",
        # A name may have dollars.
        "text.parse_math": False,
    }
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        fig, axis = plt.subplots(layout="constrained", figsize=(_WIDTH, height))
        try:
            yield out, axis
            fig.savefig(out, format="svg", metadata={"Date": None})
        finally:
            plt.close(fig)


def _figure(svg: str, caption: str) -> str:
    # The XML prologue has no place inside HTML.
    svg = svg[svg.index("<svg") :]
    return f"<figure>{svg}<figcaption>{_text(caption)}</figcaption></figure>"


def _text(text: str) -> str:
    return escape.escape(str(text))


def _html_table(header: list[str], rows: list[list[Any]]) -> str:
    head = "".join(f"<th>{_text(c)}</th>" for c in header)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-name="{_text(name)}">{_text(c)}</td>'
            for name, c in zip(header, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 74rem;
  margin: 0 auto; padding: 0 1rem 3rem; }}
h1 {{ font-size: 1.6rem; }}
h2 {{ font-size: 1.25rem; border-top: 1px solid #ddd; padding-top: 1rem; }}
figure {{ margin: 1rem 0; max-width: 34rem; }}
figure svg {{ width: 100%; height: auto; }}
figcaption {{ font-size: .85rem; color: #555; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .85rem; white-space: nowrap; }}
td, th {{ padding: .25rem .6rem; border-bottom: 1px solid #ddd;
  text-align: left; }}
@media (max-width: 72rem) {{
  thead {{ display: none; }}
  table, tbody, tr, td {{ display: block; white-space: normal; }}
  tr {{ padding: .5rem 0; border-bottom: 1px solid #bbb; }}
  td {{ border: 0; padding: .1rem 0; }}
  td::before {{ content: attr(data-name) ": "; color: #555; }}
  td:first-child {{ font-weight: bold; }}
  td:first-child::before {{ content: ""; }}
}}
.decision {{ background: #eef5fb; padding: .6rem .8rem; border-radius: .3rem; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
