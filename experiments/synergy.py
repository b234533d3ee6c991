"""The synergy of joint tables against what their marginals say about it.

    python -m experiments.synergy --config=configs/synergy_random.py \
        --workdir=runs/synergy_random [--config.tables=1000 ...]

The same command resumes an interrupted run. The workdir holds config.json,
record.jsonl, blocks.jsonl (one line a block of tables), report.md, figures/.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import bounds
from arm_jax import lock, record
from arm_jax.errors import InputError
from arm_jax.workdir import JsonLines, open_workdir
from bounds import inputs
from bounds.synergy import EFFORTS
from experiments import cli
from experiments.report import figure, markdown_table

LOWER = (
    "redundancy", "chernoff", "bhattacharyya", "disagreement",
    "paper_disagreement",
)  # fmt: skip
UPPER = (
    "majorization", "released", "conditional", "chord", "envelope", "exact",
)  # fmt: skip
# What the paper's released code calls lower bounds, see docs/synergy.md.
RELEASED = (
    "released_redundancy", "released_difference", "released_unique1",
    "released_unique2",
)  # fmt: skip
# Differences below this, beyond the proven error, are no violations: the
# truth is itself computed in floating point.
_ROUNDING = 1e-9
_MOST_POINTS = 3000
_LOGIC = {"AND": np.logical_and, "OR": np.logical_or, "XOR": np.logical_xor}


def synergy(
    config: Mapping[str, Any],
    workdir: str | Path,
    *,
    progress: bool = True,
    allow: Collection[str] = (),
) -> str:
    """Runs the study into `workdir`, or continues it, and returns the report.

    Args:
      config: One of configs/synergy_*.py.
      workdir: Folder of the study, held by a lock meanwhile.
      progress: Whether to show a progress bar.
      allow: What may differ from the study's beginning, see
        `arm_jax.record.ALLOWED`.

    Raises:
      InputError: Wrong configuration; a workdir in use, of another
        configuration, or of a study that was made with something else.
    """
    with lock.hold(workdir) as folder:
        return _synergy(config, folder, progress, allow)


def _synergy(
    config: Mapping[str, Any],
    folder: Path,
    progress: bool,
    allow: Collection[str],
) -> str:
    blocks = _blocks(config)
    open_workdir(folder, config)
    record.enter(folder, record.current(), allow)
    lines = JsonLines(folder / "blocks.jsonl")
    records = lines.read()
    lines.keep(records)
    with tqdm(
        total=sum(blocks), initial=sum(blocks[: len(records)]),
        unit="table", disable=not progress,
    ) as bar:  # fmt: skip
        for number in range(len(records), len(blocks)):
            measured = measure(tables(config, number), config)
            lines.append({"block": number} | measured)
            records.append(measured)
            bar.update(blocks[number])
    report = write_report(folder, config, records)
    print(report)
    return report


def tables(config: Mapping[str, Any], number: int) -> np.ndarray:
    """The joint tables of one block, `[tables, x1, x2, y]`."""
    if config["kind"] == "logic":
        return np.stack(
            [
                gate(name, noise)
                for name in config["gates"]
                for noise in config["noise"]
            ]
        )
    rng = np.random.default_rng([config["seed"], number])
    shape = tuple(config["shape"])
    cells = np.full(int(np.prod(shape)), config["concentration"])
    return rng.dirichlet(cells, _blocks(config)[number]).reshape(-1, *shape)


def gate(name: str, noise: float) -> np.ndarray:
    """p(x1, x2, y) of a gate of two fair bits, flipped with p = `noise`."""
    table = np.zeros((2, 2, 2))
    for x1 in (0, 1):
        for x2 in (0, 1):
            y = int(_LOGIC[name](x1, x2))
            table[x1, x2, y] = (1 - noise) / 4
            table[x1, x2, 1 - y] = noise / 4
    return table


def measure(p: np.ndarray, config: Mapping[str, Any]) -> dict[str, Any]:
    """True synergy, every bound, and by how much each is violated."""
    p12, p1y, p2y = p.sum(3), p.sum(2), p.sum(1)
    truth = bounds.pid(p)
    start = time.monotonic()
    interval = bounds.synergy_interval(
        p12, p1y, p2y, effort=config["effort"], seconds=config["seconds"]
    )
    seconds = time.monotonic() - start
    lower, upper = interval.by_bound["lower"], interval.by_bound["upper"]
    values = {name: lower[name] for name in LOWER}
    values |= released_lower(p12, p1y, p2y)
    values |= {name: upper[name] for name in UPPER if name in upper}
    values |= {"lower": interval.lower, "upper": interval.upper}
    excess = {}
    for name, value in values.items():
        beyond = truth.synergy - value
        if name in (*LOWER, *RELEASED, "lower"):
            beyond = -beyond
        excess[name] = beyond - truth.gap
    values |= {"synergy": truth.synergy, "achieved": interval.achieved}
    return {
        "seconds": seconds,
        "gap": float(interval.gap.max()),
        "violations": {
            k: int((v > _ROUNDING).sum()) for k, v in excess.items()
        },
        "worst": {k: float(v.max()) for k, v in excess.items()},
        # Rounded: for the means and the figures, not for the violations.
        "values": {k: np.round(v, 6).tolist() for k, v in values.items()},
    }


def released_lower(
    p12: np.ndarray, p1y: np.ndarray, p2y: np.ndarray
) -> dict[str, np.ndarray]:
    """The lower bounds of the paper's released code, faults included.

    Its redundancy bound relaxes the joints to two of the three marginals; the
    closed form here drops p(x1, x2). Its other bounds take the squared
    distance in plain units for bits (c = 1), and U1 for U2.
    """
    pid = bounds.pid_from_marginals(p1y, p2y)
    posterior = lambda p: (
        p / np.where(p.sum(-1, keepdims=True) > 0, p.sum(-1, keepdims=True), 1)
    )
    a, b = posterior(p1y)[:, :, None], posterior(p2y)[:, None]
    alpha = np.sum(p12 * np.sum((a - b) ** 2, -1), (-2, -1))
    redundancy = pid.redundancy - bounds.information.mutual_information(p12)
    return {
        "released_redundancy": redundancy,
        "released_difference": alpha - np.maximum(pid.unique1, pid.unique2),
        "released_unique1": redundancy + pid.unique1 - pid.unique2,
        "released_unique2": redundancy + pid.unique2 - pid.unique1,
    }


def write_report(
    folder: Path, config: Mapping[str, Any], records: list[dict[str, Any]]
) -> str:
    """Writes report.md and the figures; returns the report."""
    values = {
        name: np.concatenate([r["values"][name] for r in records])
        for name in records[0]["values"]
    }
    count = len(values["synergy"])
    seconds = sum(r["seconds"] for r in records)
    draw = _draw_logic if config["kind"] == "logic" else _draw_random
    draw(folder / "figures", config, values)
    what = (
        "logic gates of two fair bits, the label flipped with probability "
        f"{', '.join(map(str, config['noise']))}"
        if config["kind"] == "logic"
        else f"random tables {'x'.join(map(str, config['shape']))}, Dirichlet "
        f"({config['concentration']})"
    )
    lines = [
        "# Synergy without multimodal labels",
        "",
        f"{count} {what}; mean true synergy "
        f"{values['synergy'].mean():.4f} bits. All bounds together took "
        f"{seconds:.1f} s, {1e3 * seconds / count:.3g} ms a table, "
        "compilation included.",
        "",
        "A violation is a bound on the wrong side of the truth by more than "
        "the truth's proven error.",
        "",
        bounds_table(records, values),
        "",
        "## Intervals",
        "",
        intervals_table(values),
        "",
        "`achieved` is the synergy of a joint that fits the marginals: at "
        "most upper - achieved, in the mean "
        f"{np.mean(values['upper'] - values['achieved']):.2g} bits, is left "
        "to gain.",
        "",
    ]
    for path in sorted((folder / "figures").glob("*.png")):
        lines += [f"![{path.stem}](figures/{path.name})", ""]
    report = "\n".join(lines)
    (folder / "report.md").write_text(report, encoding="utf-8")
    return report


def bounds_table(
    records: list[dict[str, Any]], values: Mapping[str, np.ndarray]
) -> str:
    """Mean, share above zero and violations of every bound."""
    rows = []
    for name in (*LOWER, *RELEASED, *UPPER):
        if name not in values:
            continue
        side = "upper" if name in UPPER else "lower"
        worst = max(r["worst"][name] for r in records)
        rows.append(
            [
                name,
                side,
                f"{values[name].mean():.4f}",
                f"{100 * (values[name] > 1e-6).mean():.1f}",
                sum(r["violations"][name] for r in records),
                f"{worst:.3f}" if worst > _ROUNDING else "0",
            ]
        )
    header = ["bound", "side", "mean", "positive %", "violations", "worst"]
    return markdown_table(header, rows)


def intervals_table(values: Mapping[str, np.ndarray]) -> str:
    """Mean widths of the released code's valid bounds and of ours."""
    released = np.maximum(values["released_redundancy"], 0)
    pairs = {
        "released code, valid part": (released, values["released"]),
        "linear programs": (values["lower"], values["envelope"]),
        "best": (values["lower"], values["upper"]),
    }
    rows = [
        [name, *(f"{x.mean():.4f}" for x in (low, high, high - low))]
        for name, (low, high) in pairs.items()
    ]
    return markdown_table(["interval", "lower", "upper", "width"], rows)


def _draw_random(
    folder: Path, config: Mapping[str, Any], values: Mapping[str, np.ndarray]
) -> None:
    some = slice(_MOST_POINTS)
    panels = {
        "lower": ("redundancy", "chernoff", "paper_disagreement",
                  "released_difference"),
        "upper": ("majorization", "released", "chord", "upper"),
    }  # fmt: skip
    truth = values["synergy"][some]
    for side, names in panels.items():
        with figure(
            folder / f"{side}_bounds.png", ncols=4, figsize=(12, 3.3),
            sharex=True, sharey=True,
        ) as (_, axes):  # fmt: skip
            for axis, name in zip(axes, names, strict=True):
                value = values[name][some]
                wrong = value > truth if side == "lower" else value < truth
                wrong &= np.abs(value - truth) > 2e-6
                axis.scatter(truth, value, s=3, alpha=0.4, linewidths=0)
                axis.scatter(
                    truth[wrong], value[wrong], s=6, color="#D55E00",
                    linewidths=0, label="violated",
                )  # fmt: skip
                ends = (0, float(truth.max()))
                axis.plot(ends, ends, color="black", linewidth=1)
                title = "best" if name == "upper" else name.replace("_", " ")
                axis.set(title=title, xlabel="true synergy (bits)")
                if wrong.any():
                    axis.legend(loc="upper left")
            axes[0].set_ylabel(f"{side} bound (bits)")


def _draw_logic(
    folder: Path, config: Mapping[str, Any], values: Mapping[str, np.ndarray]
) -> None:
    noise = config["noise"]
    with figure(
        folder / "gates.png", ncols=len(config["gates"]), squeeze=False,
        figsize=(3.8 * len(config["gates"]), 3.3), sharey=True,
    ) as (_, axes):  # fmt: skip
        for number, name in enumerate(config["gates"]):
            axis = axes[0, number]
            of = slice(number * len(noise), (number + 1) * len(noise))
            axis.fill_between(
                noise, values["lower"][of], values["upper"][of], alpha=0.2,
                linewidth=0, label="proven interval",
            )  # fmt: skip
            axis.plot(noise, values["synergy"][of], "k", label="true")
            for bound, style in (("released", ":"), ("chernoff", "--")):
                axis.plot(noise, values[bound][of], style, label=bound)
            axis.set(title=name, xlabel="label noise", ylim=(0, None))
        axes[0, 0].set_ylabel("synergy (bits)")
        axes[0, -1].legend()


def _blocks(config: Mapping[str, Any]) -> list[int]:
    """Number of tables of each block.

    Raises:
      InputError: A key that is missing, or has no good value.
    """
    kinds = {
        "logic": ("gates", "noise"),
        "random": ("shape", "concentration", "tables", "block", "seed"),
    }
    kind = inputs.choice("config.kind", config.get("kind"), tuple(kinds))
    for key in (*kinds[kind], "effort", "seconds"):
        if key not in config:
            raise InputError(f"config.{key} is missing")
    inputs.choice("config.effort", config["effort"], EFFORTS)
    inputs.real("config.seconds", config["seconds"], above=0)
    if kind == "logic":
        for gate_name in config["gates"]:
            inputs.choice("config.gates", gate_name, tuple(_LOGIC))
        noise = inputs.finite("config.noise", config["noise"])
        if ((noise < 0) | (noise > 1)).any() or noise.ndim != 1:
            raise InputError(
                f"config.noise must hold probabilities, got {config['noise']}"
            )
        if not len(config["gates"]) or not len(noise):
            raise InputError("config.gates and config.noise must not be empty")
        return [len(config["gates"]) * len(noise)]
    inputs.seed("config.seed", config["seed"])
    inputs.real("config.concentration", config["concentration"], above=0)
    if len(config["shape"]) != 3:
        raise InputError(
            f"config.shape must be three sizes, got {config['shape']}"
        )
    for size in config["shape"]:
        inputs.integer("config.shape", size, 2)
    total, block = (
        inputs.integer(f"config.{key}", config[key], 1)
        for key in ("tables", "block")
    )
    whole, rest = divmod(total, block)
    return [block] * whole + [rest] * (rest > 0)


def main(argv: Sequence[str]) -> int:
    """Runs the command."""
    del argv
    synergy(cli.config(), cli.required(cli.WORKDIR), allow=cli.ALLOW.value)
    return 0


if __name__ == "__main__":
    cli.run(main, exclusive=True)
