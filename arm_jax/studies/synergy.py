"""The synergy of joint tables against what their marginals say about it.

The workdir holds config.json, record.jsonl, blocks.jsonl (one line per block of
tables), report.md and figures/. The same call resumes.
"""

import dataclasses
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import bounds
from arm_jax import lock, processes
from arm_jax.config import from_mapping
from arm_jax.errors import InputError
from arm_jax.reports import synergy as synergy_report
from arm_jax.reports.synergy import LOWER, RELEASED, ROUNDING, UPPER
from arm_jax.studies import lines
from bounds import inputs
from bounds.synergy import EFFORTS

_LOGIC = {"AND": np.logical_and, "OR": np.logical_or, "XOR": np.logical_xor}


@dataclasses.dataclass(frozen=True)
class SynergyConfig:
    """One study."""

    # "random" tables, or those of "logic" gates.
    kind: str = "random"
    gates: tuple[str, ...] = tuple(_LOGIC)
    # Probabilities with which the label of a gate is flipped.
    noise: tuple[float, ...] = (0.0,)
    # Of random tables, and of the Dirichlet distribution that they are from.
    shape: tuple[int, ...] = (2, 2, 2)
    concentration: float = 1.0
    tables: int = 100_000
    # Tables of a line of blocks.jsonl.
    block: int = 5_000
    seed: int = 0
    # Of `bounds.synergy_interval`, as are the seconds.
    effort: str = "fast"
    seconds: float = 1.0

    def __post_init__(self) -> None:
        """Checks the values that no type can check."""
        inputs.choice("config.kind", self.kind, ("logic", "random"))
        inputs.choice("config.effort", self.effort, EFFORTS)
        inputs.real("config.seconds", self.seconds, above=0)
        for gate_name in self.gates:
            inputs.choice("config.gates", gate_name, tuple(_LOGIC))
        if any(not 0 <= p <= 1 for p in self.noise):
            raise InputError(
                f"config.noise must hold probabilities, got {self.noise}"
            )
        if not self.gates or not self.noise:
            raise InputError("config.gates and config.noise must not be empty")
        inputs.seed("config.seed", self.seed)
        inputs.real("config.concentration", self.concentration, above=0)
        if len(self.shape) != 3:
            raise InputError(
                f"config.shape must be three sizes, got {self.shape}"
            )
        for size in self.shape:
            inputs.integer("config.shape", size, 2)
        for key in ("tables", "block"):
            inputs.integer(f"config.{key}", getattr(self, key), 1)

    def blocks(self) -> list[int]:
        """Returns the number of tables of each block."""
        if self.kind == "logic":
            return [len(self.gates) * len(self.noise)]
        whole, rest = divmod(self.tables, self.block)
        return [self.block] * whole + [rest] * (rest > 0)


def synergy(
    config: Mapping[str, Any],
    workdir: str | Path,
    *,
    progress: bool = True,
    allow: Collection[str] = (),
) -> str:
    """Runs the study into `workdir`, or continues it, and returns the report.

    Args:
      config: Mapping for `SynergyConfig`.
      workdir: Folder of the study, held by a lock meanwhile.
      progress: Whether to show a progress bar.
      allow: What may differ from the study's beginning, see
        `arm_jax.record.ALLOWED`.

    Raises:
      InputError: Wrong configuration; a workdir in use, of another
        configuration, or of a study that was made with something else.
    """
    with lock.hold(workdir) as folder:
        checked = from_mapping(SynergyConfig, config)
        log, records = lines.resume(folder, config, "blocks.jsonl", allow)
        blocks = checked.blocks()
        with tqdm(
            total=sum(blocks), initial=sum(blocks[: len(records)]),
            unit="table", disable=not (progress and processes.leads()),
        ) as bar:  # fmt: skip
            done = lines.do(
                log,
                range(len(records), len(blocks)),
                lambda number: (
                    {"block": number}
                    | measure(tables(checked, number), checked)
                ),
            )
            for line in done:
                records.append(line)
                bar.update(blocks[line["block"]])
        if not processes.leads():
            return ""
        return synergy_report.write(
            folder, dataclasses.asdict(checked), records
        )


def tables(config: SynergyConfig, number: int) -> np.ndarray:
    """The joint tables of one block, `[tables, x1, x2, y]`."""
    if config.kind == "logic":
        return np.stack(
            [
                gate(name, noise)
                for name in config.gates
                for noise in config.noise
            ]
        )
    rng = np.random.default_rng([config.seed, number])
    shape = tuple(config.shape)
    cells = np.full(int(np.prod(shape)), config.concentration)
    return rng.dirichlet(cells, config.blocks()[number]).reshape(-1, *shape)


def gate(name: str, noise: float) -> np.ndarray:
    """p(x1, x2, y) of a gate of two fair bits, flipped with p = `noise`."""
    table = np.zeros((2, 2, 2))
    for x1 in (0, 1):
        for x2 in (0, 1):
            y = int(_LOGIC[name](x1, x2))
            table[x1, x2, y] = (1 - noise) / 4
            table[x1, x2, 1 - y] = noise / 4
    return table


def measure(p: np.ndarray, config: SynergyConfig) -> dict[str, Any]:
    """True synergy, every bound, and by how much each is violated."""
    p12, p1y, p2y = p.sum(3), p.sum(2), p.sum(1)
    truth = bounds.pid(p)
    start = time.monotonic()
    interval = bounds.synergy_interval(
        p12, p1y, p2y, effort=config.effort, seconds=config.seconds
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
        "violations": {k: int((v > ROUNDING).sum()) for k, v in excess.items()},
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
