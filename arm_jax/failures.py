"""What the machine refuses, in one sentence: disks, permissions, memory.

Libraries wrap such errors in their own, sometimes as text alone; whatever else
they raise is a defect and is left alone.
"""

import errno
import os
import re
from collections.abc import Iterator

# What to do about it, by error number.
_AGAIN = "repeat the command; a training goes on from its last checkpoint"
_ROOM = f"make room and {_AGAIN}"
_RIGHTS = "choose another folder or change its permissions"
_CURES = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: "choose a file system that holds larger files",
    errno.EROFS: "choose a folder that can be written",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.ENOTDIR: "a part of the path is a file; choose another path",
    errno.EISDIR: "it is a folder; choose another path",
    errno.EEXIST: (
        "it exists and is no folder, perhaps a link that leads nowhere; "
        "remove it or choose another path"
    ),
    errno.ENOENT: "a part of the path is missing, or a link leads nowhere",
    errno.ELOOP: "links lead in a circle; choose another path",
    errno.ENAMETOOLONG: "choose a shorter path",
    errno.EIO: f"check the disk and {_AGAIN}",
    errno.ESTALE: f"check the network file system and {_AGAIN}",
    errno.ETIMEDOUT: f"check the network file system and {_AGAIN}",
    errno.EBUSY: "close what uses it",
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.ENFILE: "close other programs",
}
# Never the fault of the program, so that what was raised while one of them was
# handled is explained by it.
_OF_THE_MACHINE = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE,
    errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE,
)  # fmt: skip
# Those that libraries written in C++ report as text.
_AS_TEXT = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES,
    errno.EPERM, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EIO, errno.ESTALE,
    errno.EMFILE,
)  # fmt: skip
_MOST = 200


def explain(error: BaseException, workdir: str | None = None) -> str | None:
    """Returns one sentence on what the machine refused, or None.

    Args:
      error: The error. Those that it was raised from and those of a group
        count, too.
      workdir: Named if the error names no file.
    """
    for one, implied in _chain(error):
        number, file = _of_system(one)
        if number is not None and not (
            implied and number not in _OF_THE_MACHINE
        ):
            return _sentence(number, file, workdir)
        sentence = _of_memory(one)
        if sentence is not None:
            return sentence
    return None


def _chain(error: BaseException) -> Iterator[tuple[BaseException, bool]]:
    """The error, the members of groups, and what each was raised from.

    Second comes whether that is implied only: it was being handled.
    """
    waiting, seen = [(error, False)], set()
    while waiting:
        one, implied = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one, implied
        if isinstance(one, BaseExceptionGroup):
            waiting += [(member, implied) for member in one.exceptions]
        if one.__cause__ is not None:
            waiting.append((one.__cause__, implied))
        elif one.__context__ is not None and not one.__suppress_context__:
            waiting.append((one.__context__, True))


def _of_system(error: BaseException) -> tuple[int | None, object]:
    """The number of an error of the operating system, and its file."""
    if isinstance(error, OSError) and error.errno in _CURES:
        # Of the two files of a rename the second is what is written.
        return error.errno, error.filename2 or error.filename
    if isinstance(error, OSError | ValueError | RuntimeError):
        text = str(error).lower()
        for number in _AS_TEXT:
            if os.strerror(number).lower() in text:
                path = re.search(r"(?<![\w.])/[^\s\"':;,\])]+", str(error))
                return number, path and path[0]
    return None, None


def _sentence(number: int, file: object, workdir: str | None) -> str:
    if isinstance(file, bytes | str | os.PathLike):
        name = os.fsdecode(file)
        where = name if len(name) <= _MOST else f"{name[:_MOST]}..."
    else:
        where = f"workdir {workdir}" if workdir else "writing"
    reason = os.strerror(number)
    return f"{where}: {reason[0].lower()}{reason[1:]}; {_CURES[number]}"


def _of_memory(error: BaseException) -> str | None:
    """Main memory, or that of a device, as XLA reports it."""
    text = str(error).strip().partition("\n")[0][:_MOST]
    exhausted = "RESOURCE_EXHAUSTED" in text or "Out of memory" in text
    if not (
        isinstance(error, MemoryError)
        or (isinstance(error, RuntimeError | ValueError) and exhausted)
    ):
        return None
    detail = f" ({text})" if text else ""
    return (
        f"out of memory{detail}; use fewer seeds (train.seeds), smaller "
        "batches (data.batch_size, train.eval_batch_size) or less data"
    )
