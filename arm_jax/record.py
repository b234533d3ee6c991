"""What a run was made with: one line when it begins, goes on, and ends.

The file `record.jsonl` of a workdir holds, for each of these events, the time,
the digests of the data, of weights from files and of the sources, also
those of modules that the config names by dotted paths, the versions of the
packages, the devices, and the settings of JAX that change numbers. It is
appended to and never rewritten: whoever reads a run cannot stamp it.
"""

import datetime
import functools
import hashlib
import importlib.metadata
import importlib.util
import logging
import platform
import subprocess
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax

from arm_jax import processes
from arm_jax.errors import InputError, check_choice
from arm_jax.models.weights import BESIDE
from arm_jax.workdir import JsonLines, sync

_log = logging.getLogger(__name__)

NAME = "record.jsonl"
# What may differ from a run's beginning, by request, without changing what the
# run is. Other data, weights or random numbers make it another run.
ALLOWED = ("sources", "packages", "device")

# What every line has.
_BLOCKS = ("settings", "packages")
_NEEDED = ("event", "time", "data", "sources", "device_kind", *_BLOCKS)

_PACKAGES = (
    "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy",
    "scipy", "scikit-learn", "tensorflow-datasets",
)  # fmt: skip
# Those that the numbers of a training come from.
_NUMERICAL = ("jax", "jaxlib", "flax", "optax", "grain", "numpy")
_SETTINGS = (
    "jax_default_prng_impl",
    "jax_threefry_partitionable",
    "jax_enable_x64",
    "jax_default_matmul_precision",
)


def current(
    data: str | None = None,
    weights: Mapping[str, str] | None = None,
    modules: Collection[str] = (),
) -> dict[str, Any]:
    """Returns what this process would make a run with.

    Args:
      data: Digest of the data, if there are any.
      weights: SHA-256 of the files that encoders start from, by modality.
      modules: Dotted paths of modules that the config names.
    """
    packages: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            packages[name] = None
    devices = jax.devices()
    return {
        "data": data,
        "weights": dict(weights or {}),
        "sources": source_digest(),
        "modules": {name: _module_digest(name) for name in modules},
        "revision": _git_revision(),
        "python": platform.python_version(),
        "packages": packages,
        "settings": {name: getattr(jax.config, name) for name in _SETTINGS},
        "device_kind": devices[0].device_kind,
        "device_count": len(devices),
        "process_count": jax.process_count(),
    }


def of_numbers(made_with: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what numbers depend on, of what something is made with."""
    apart = ("revision", "python", "process_count")
    return {k: v for k, v in made_with.items() if k not in apart}


def append(workdir: Path, event: str, made_with: Mapping[str, Any]) -> None:
    """Adds a line to the record: "begin", "resume" or "finish"."""
    now = datetime.datetime.now(datetime.UTC)
    JsonLines(workdir / NAME, sealed=True).append(
        {"event": event, "time": now.isoformat(timespec="seconds")}
        | dict(made_with)
    )
    if processes.leads():
        sync(workdir / NAME)


def read(workdir: Path) -> list[dict[str, Any]]:
    """Returns the lines of the record; none if there is no run.

    Raises:
      InputError: One of them is damaged.
    """
    lines = JsonLines(workdir / NAME, sealed=True).read()
    for number, line in enumerate(lines, start=1):
        lacking = [name for name in _NEEDED if name not in line]
        if lacking or not all(isinstance(line[x], dict) for x in _BLOCKS):
            raise InputError(
                f"{workdir / NAME}, line {number} is damaged, it lacks "
                f"{', '.join(lacking or _BLOCKS)}: restore the file, or use "
                "another workdir"
            )
    return lines


def finished(workdir: Path) -> str | None:
    """Returns when the run ended, None if it did not."""
    times = [r["time"] for r in read(workdir) if r["event"] == "finish"]
    return times[-1] if times else None


def enter(
    workdir: Path, now: Mapping[str, Any], allow: Collection[str] = ()
) -> None:
    """Begins the record of a run, or goes on with it if `check` allows.

    Of several processes the one that leads does, here and below.

    Raises:
      InputError: See `check`; or there are checkpoints without a record.
    """
    if not processes.leads():
        return
    lines = read(workdir)
    if not lines and (workdir / "checkpoints").exists():
        raise InputError(
            f"{workdir} has checkpoints but no {NAME}: nobody knows what they "
            "were made with; restore it from a copy, or use another workdir"
        )
    check(workdir, now, allow)
    append(workdir, "resume" if lines else "begin", now)


def warn(workdir: Path, now: Mapping[str, Any]) -> None:
    """Logs what a run was made with that is not there now."""
    if not processes.leads():
        return
    for line in read(workdir)[-1:]:
        notes = [words for _, words in differences(line, now)]
        # Refused nowhere, but dropout is drawn otherwise.
        there, here = line.get("device_count"), now["device_count"]
        if there not in (None, here):
            notes.append(
                f"another number of devices ({there} there, {here} now)"
            )
        for words in notes:
            _log.warning("%s was made with %s", workdir, words)


def check(
    workdir: Path,
    now: Mapping[str, Any],
    allow: Collection[str] = (),
) -> None:
    """Checks that a run can go on, or be read, with what is there now.

    Args:
      workdir: Folder of the run; nothing in it is changed.
      now: See `current`.
      allow: Kinds of difference, of `ALLOWED`, that are accepted.

    Raises:
      InputError: Something else than at the run's last event; the message
        lists what differs, and how to go on.
    """
    for kind in allow:
        check_choice("--allow", kind, ALLOWED)
    lines = read(workdir) if processes.leads() else []
    if not lines:
        return
    differing = {
        kind: words
        for kind, words in differences(lines[-1], now)
        if kind not in allow
    }
    if not differing:
        return
    text = "; ".join(differing.values())
    if set(differing) <= set(ALLOWED):
        cure = (
            f"--allow={','.join(differing)} goes on all the same; otherwise "
            "restore what was there, or choose another workdir"
        )
    else:
        cure = "restore what was there, or choose another workdir"
    raise InputError(f"{workdir} was made with {text}: {cure}")


def differences(
    there: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yields the kinds of difference between two records, with words."""
    if there["data"] != now["data"]:
        yield (
            "data",
            f"other data (digest {there['data']} there, {now['data']} now)",
        )
    # Records from before there were any have no such key, and some none of
    # what is beside the files.
    before, after = there.get("weights", {}), now["weights"]
    new = {x for x in after if x.endswith(BESIDE) and x not in before}
    others = [
        f"{name} {before.get(name, 'none')[:12]} there, "
        f"{after.get(name, 'none')[:12]} now"
        for name in sorted((before.keys() | after.keys()) - new)
        if before.get(name) != after.get(name)
    ]
    if others:
        yield "weights", f"other weights (digest of {', '.join(others)})"
    settings = [
        f"{name}={there['settings'].get(name)} (now {value})"
        for name, value in now["settings"].items()
        if there["settings"].get(name) != value
    ]
    if settings:
        yield "settings", f"other settings of JAX ({', '.join(settings)})"
    sources = {"arm_jax or bounds": (there["sources"], now["sources"])}
    before, after = there.get("modules", {}), now["modules"]
    for name in sorted(before.keys() | after.keys()):
        sources[name] = before.get(name), after.get(name)
    others = [
        f"other sources of {name} (digest {was} there, {is_now} now)"
        for name, (was, is_now) in sources.items()
        if was != is_now
    ]
    if others:
        yield "sources", ", ".join(others)
    packages = [
        f"{name} {there['packages'].get(name)} (now {now['packages'][name]})"
        for name in _NUMERICAL
        if there["packages"].get(name) != now["packages"][name]
    ]
    if packages:
        yield "packages", f"other packages ({', '.join(packages)})"
    if there["device_kind"] != now["device_kind"]:
        yield (
            "device",
            f"another kind of device ({there['device_kind']} there, "
            f"{now['device_kind']} now)",
        )


@functools.cache
def source_digest() -> str:
    """Returns a digest of the sources of `arm_jax` and `bounds`."""
    digest = hashlib.sha256()
    root = Path(__file__).parent.parent
    for package in ("arm_jax", "bounds"):
        for file in sorted((root / package).rglob("*.py")):
            digest.update(file.relative_to(root).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _module_digest(name: str) -> str | None:
    """Returns a digest of a module's file, or of all sources of a package.

    Not kept: notebooks load modules anew.

    Returns:
      None if there is no such module, or it has no file.
    """
    try:
        spec = importlib.util.find_spec(name)
    except (ModuleNotFoundError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin)
    package = spec.submodule_search_locations is not None
    digest = hashlib.sha256()
    for one in sorted(file.parent.rglob("*.py")) if package else [file]:
        if one.is_file():
            digest.update(one.relative_to(file.parent).as_posix().encode())
            digest.update(one.read_bytes())
    return digest.hexdigest()[:12]


@functools.cache
def _git_revision() -> str | None:
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=Path(__file__).parent,
            capture_output=True,
            encoding="utf-8",
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
