"""Where prepared records are kept, and what a disk says against it."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from arm_jax.data import packed
from arm_jax.errors import InputError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FAULTS = (*_FULL, errno.EROFS, errno.EIO)


def folder(name: str, data_dir: str) -> Path:
    """Returns the folder of a data set's records.

    Args:
      name: Name of the data set.
      data_dir: Where prepared data sets are kept; empty for TFDS's place (the
        variable TFDS_DATA_DIR, or ~/tensorflow_datasets).
    """
    home = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return packed.expanded(data_dir or home) / name


@contextlib.contextmanager
def storing(name: str, root: str | os.PathLike[str]) -> Iterator[None]:
    """Turns what a folder or a platform does not allow into InputErrors.

    Args:
      name: Name of the data set, for messages.
      root: The folder that is written.
    """
    try:
        yield
    except ImportError as error:
        if not (error.name or "").startswith("array_record"):
            raise
        raise InputError(
            f"data set {name}: the package array-record, which keeps its "
            "records, is missing; on a platform that has none, use .npz files "
            "(data set npz)"
        ) from error
    except (OSError, RuntimeError) as error:
        reason = _reason(error)
        if not reason:
            raise
        full = reason in map(os.strerror, _FULL)
        cure = "make room and repeat the command, or name" if full else "name"
        raise InputError(
            f"data set {name}: cannot keep its records in {root} ({reason}); "
            f"{cure} another folder by --config.data.options.data_dir=FOLDER "
            "or the variable TFDS_DATA_DIR"
        ) from error


def _reason(error: OSError | RuntimeError) -> str:
    """Says what was wrong with a file; empty if something else was."""
    if isinstance(error, OSError):
        return error.strerror or str(error)[:100]
    # What writes the records has errors of its own, with the system's words.
    words = map(os.strerror, _FAULTS)
    return next((word for word in words if word in str(error)), "")
