"""How much memory there is, of the machine and of the container."""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path


def physical_memory() -> int | None:
    """Returns the bytes of memory that this process may have, if known.

    That is the machine's memory, or the limit of a container or batch job.
    """
    limits = [_machine_memory(), *_cgroup_limits()]
    return min((limit for limit in limits if limit is not None), default=None)


def _machine_memory() -> int | None:
    if hasattr(os, "sysconf"):
        try:
            pages = os.sysconf("SC_PHYS_PAGES")  # or -1
            return pages * os.sysconf("SC_PAGE_SIZE") if pages > 0 else None
        except (ValueError, OSError):  # a system without these names
            return None
    windows = getattr(ctypes, "windll", None)
    if windows is None:
        return None
    status = _MemoryStatus(length=ctypes.sizeof(_MemoryStatus))
    if not windows.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return int(status.physical)


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of the Windows API."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        ("physical", ctypes.c_uint64),
        ("rest", ctypes.c_uint64 * 6),
    )


_CGROUP_OF_PROCESS = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")


def _cgroup_limits() -> Iterator[int]:
    """Yields Linux's limits on this process and the groups that it is in."""
    try:
        lines = _CGROUP_OF_PROCESS.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            root, name = _CGROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = _CGROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        folder = root / group.lstrip("/")
        for place in (folder, *folder.parents):
            if not place.is_relative_to(root):
                break
            with contextlib.suppress(OSError):
                limit = (place / name).read_text(encoding="utf-8").strip()
                if limit.isdecimal():  # or "max"
                    yield int(limit)
