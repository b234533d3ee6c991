"""The figures of the report on a data set's interactions."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from arm_jax.reports.pieces import COLORS, svg
from arm_jax.reports.quantify import QUANTITIES, TOO_FEW, missing, short
from bounds.estimation.study import spelled


def decomposition_figure(pair: Mapping[str, Any]) -> str:
    """R, U1, U2, S with error bars, nulls, and the band of S."""
    found = pair["interactions"]
    names = {
        "redundancy": "R",
        "unique1": f"U1, {pair['first']}",
        "unique2": f"U2, {pair['second']}",
        "synergy": "S",
    }
    with svg(height=2.6) as (out, axis):
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
                axis.plot(
                    one["null"],
                    row,
                    "|",
                    color=COLORS[4],
                    markersize=14,
                    markeredgewidth=2,
                )
        labels = [_wrap(n) for n in names.values()]
        axis.set_yticks(range(len(names)), labels)
        axis.invert_yaxis()
        axis.set_xlim(left=0)
        axis.grid(visible=False, axis="y")
        axis.set(xlabel="information about the label (bits)")
    return out[0]


def convergence_figure(pair: Mapping[str, Any]) -> str:
    """Estimates against the number of samples."""
    found = pair["convergence"]
    with svg(height=3.0) as (out, axis):
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
    return out[0]


def sensitivity_figure(pair: Mapping[str, Any]) -> str:
    """Estimates against the number of symbols."""
    points = pair["sensitivity"]
    with svg(height=3.0) as (out, axis):
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
        axis.set(xlabel="symbols per modality", ylabel="bits", ylim=(0, None))
        axis.set_xlim(-0.5, len(points) - 0.5)
        _legend(axis)
    return out[0]


def accuracy_figure(results: Mapping[str, Any]) -> str:
    """Possible accuracies as bars, trained models as points."""
    pairs = list(results["pairs"].values())
    with svg(height=1.3 + 0.95 * len(pairs)) as (out, axis):
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
    return out[0]


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
