"""Files that nobody would give: arrays, outputs of models, commands' configs.

Commands run as programs do, each in a forked child; see `victim`.
"""

import functools
import importlib
import importlib.util
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from arm_jax import data
from arm_jax.data import outputs
from arm_jax.studies.torture import fuzz
from arm_jax.studies.torture.fuzz import EITHER, ODD, RIGHT, WRONG, Given, of
from arm_jax.studies.torture.trials import FORKED, Outcome, Part

Rng = np.random.Generator
# Commands of one trial, and seconds that one may take.
COMMANDS = 50
_HANGS = 60
_ROWS = 60
_OPTIONS = (
    "modalities", "label", "split", "group", "weights", "num_classes",
    "label_names", "task", "seed", "standardize", "unknown",
)  # fmt: skip
_ARRAYS = tuple(x for x in ODD if isinstance(x, np.ndarray))


def _written(
    file: Path, arrays: dict[str, Any], rng: Rng, known: str
) -> tuple[Path, str]:
    """Saves arrays, one of them an odd one, or the file damaged."""
    kind = int(rng.integers(6))
    names = sorted(arrays)
    if kind == 0:
        arrays[of(rng, names)] = of(rng, _ARRAYS)
        known = WRONG
    elif kind == 1:
        name = of(rng, [n for n in names if n not in ("label", "split")])
        arrays[name] = arrays[name].astype(float)
        arrays[name].flat[7] = of(rng, (np.nan, np.inf, -np.inf))
        known = WRONG
    elif kind == 2:
        del arrays[of(rng, names)]
        known = EITHER
    if rng.random() < 0.2:
        np.savez_compressed(file, **arrays)
    else:
        np.savez(file, **arrays)
    content = bytearray(file.read_bytes())
    if kind == 3:
        content, known = content[: int(rng.integers(len(content)))], WRONG
    elif kind == 4:
        content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
        known = EITHER
    file.write_bytes(content)
    return file, known


def _npz(folder: Path, rng: Rng) -> Given:
    arrays: dict[str, Any] = {
        "a": rng.normal(size=(_ROWS, 3)),
        "b": rng.normal(size=(_ROWS, 2)),
        "label": np.tile(np.arange(3), _ROWS // 3),
        "split": np.repeat([0, 1, 2], _ROWS // 3),
    }
    options: dict[str, Any] = {}
    known = RIGHT
    if rng.random() < 0.3:
        name = of(rng, _OPTIONS)
        options, known = {name: of(rng, ODD)}, EITHER
    file, of_file = _written(folder / "odd.npz", arrays, rng, RIGHT)
    # An array that is damaged need not be one that the options ask for.
    known = of_file if known == RIGHT else EITHER

    def call() -> str:
        data.load("npz", {"path": str(file), **options})
        return ""

    return Given(known, call, (options, str(file)))


def _logits(folder: Path, rng: Rng) -> Given:
    arrays: dict[str, Any] = {
        name: rng.normal(size=(_ROWS, 3)) for name in ("a", "b", "a+b")
    }
    arrays["label"] = rng.integers(3, size=_ROWS)
    known = RIGHT
    if rng.random() < 0.2:
        arrays["b+a+\u97f3"] = arrays["a"]
        known = WRONG
    kind = of(rng, ("auto", "logits", "probabilities", of(rng, ODD)))
    if not isinstance(kind, str) or kind not in ("auto", "logits"):
        known = WRONG
    file, known = _written(folder / "logits.npz", arrays, rng, known)

    def call() -> str:
        found = outputs.read(file, kind=kind)
        sums = [np.exp(x).sum(1) for x in found.log_probs.values()]
        same = all(np.allclose(x, 1, atol=1e-6) for x in sums)
        return "" if same else "rows are no distributions"

    return Given(known, call, (kind, str(file)))


KINDS: tuple[fuzz.Kind, ...] = (_npz, _logits)

_TEXTS = (
    "", "0", "-1", "1e400", "nan", "None", "[1,2", "{'a': 1}", "(8,)", "\u97f3",
    "x" * 300, "a=b", "--", "..", "/dev/null", "/proc/self/mem", "~nobody/x",
    "9" * 50, "true", "'", "a,b", "<script>", "%s%n", "\\", "a\nb", "a\tb",
)  # fmt: skip
_KEYS = (
    "data.options.path", "data.batch_size", "data.name", "model.hidden",
    "model.encoders", "method.name", "method.options.x", "optimizer.name",
    "train.epochs", "train.seeds", "symbols.number", "folds", "unknown", "data",
    "", ".", "a..b", "__class__", "runs", "training.train.epochs",
)  # fmt: skip
_NAMES = ("train", "compare", "quantify", "prepare", "valuate", "rank", "x")
_FLAGS = (
    "workdir", "config", "allow", "only", "coordinator", "processes",
    "process", "seeds", "flagfile", "unknown", "split", "kind",
)  # fmt: skip


def package() -> str:
    """Where the commands are: beside this package, or installed in it."""
    for name in ("arm_jax.experiments", "experiments"):
        if importlib.util.find_spec(name) is not None:
            return name
    raise RuntimeError("the commands are not installed")


@functools.cache
def _loaded() -> ModuleType:
    """Loads what all commands do, so that children need not."""
    for name in ("overrides", "cli"):
        importlib.import_module(f"{package()}.{name}")
    return importlib.import_module(f"{package()}.main")


def arguments(folder: Path, rng: Rng) -> list[str]:
    """An odd command line; its data are never there, so nothing is begun."""
    command = of(rng, _NAMES)
    config = folder / "config.py"
    words = [f"--config={of(rng, ('npz', 'npz', 'watch', config))}"]
    words.append(f"--workdir={folder / 'run'}")
    for _ in range(int(rng.integers(4))):
        text = of(rng, _TEXTS)
        if rng.random() < 0.5:
            words.append(f"--config.{of(rng, _KEYS)}={text}")
        else:
            words.append(f"--{of(rng, _FLAGS)}={text}")
        if rng.random() < 0.1:
            words.append(text)
    words.append("--config.data.options.path=/nowhere/odd.npz")
    if rng.random() < 0.1:
        words.remove(of(rng, words))
    return [command, *words]


def _config_file(file: Path, rng: Rng) -> None:
    """A config of the project, cut or flipped; or one that gives an odd one."""
    original = Path(str(_loaded().__file__)).parent.parent / "configs/npz.py"
    content = bytearray(original.read_bytes())
    at = int(rng.integers(len(content)))
    kind = int(rng.integers(4))
    if kind == 0:
        content = content[:at]
    elif kind == 1:
        content[at] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        value = of(rng, ("None", "1", "{}", "[]", "'x'", "print"))
        content = bytearray(f"def get_config():\n    return {value}\n".encode())
    file.write_bytes(content)


def _run(words: list[str], errors: Path) -> None:
    """The command in this child, from here to its end."""
    file = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(file, 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.stderr = os.fdopen(2, "w", closefd=False)
    sys.argv = ["arm-jax", *words]
    status: Any = 0
    try:
        _loaded().main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else bool(end.code)
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        status = 3
    sys.stderr.flush()
    os._exit(status)


def commands(folder: Path, number: int, rng: Rng) -> Outcome:
    """Starts commands with odd command lines and config files."""
    _loaded()
    own = folder / f"{number}_commands"
    own.mkdir(parents=True, exist_ok=True)
    wrong, counts = [], {"helps": 0, "sentences": 0}
    for at in range(COMMANDS):
        _config_file(own / "config.py", rng)
        words = arguments(own, rng)
        child = FORKED.Process(target=_run, args=(words, own / "err"))
        child.start()
        child.join(_HANGS)
        if child.is_alive():
            child.kill()
            child.join()
            wrong.append(f"command {number}.{at} hangs: {words}")
            continue
        said = (own / "err").read_text(encoding="utf-8", errors="replace")
        found = _judged(child.exitcode, said, str(own / "config.py"))
        counts["sentences" if child.exitcode else "helps"] += 1
        if found:
            wrong.append(f"command {number}.{at}: {found}: {words}: {said}")
    return Outcome(COMMANDS, wrong, counts)


def _judged(status: int | None, said: str, config: str) -> str:
    """Returns what is wrong with how a command ended."""
    if status == 0:
        return ""
    errors = [x for x in said.splitlines() if x.startswith("error: ")]
    if status in (1, 2) and len(errors) == 1 and "Traceback" not in said:
        return ""
    # What a config file itself raises is its author's to read.
    frames = [x for x in said.splitlines() if x.startswith("  File ")]
    if frames and config in frames[-1]:
        return ""
    return f"status {status}"


PARTS = {
    "fuzz": Part(
        "odd input of a library",
        functools.partial(fuzz.check, fuzz.KINDS),
        times=fuzz.INPUTS,
    ),
    "files": Part(
        "odd .npz and logits files",
        functools.partial(fuzz.check, KINDS),
        times=fuzz.INPUTS,
    ),
    "commands": Part("odd flags and config files", commands, times=COMMANDS),
}
