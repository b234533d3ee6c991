import errno
import os

import pytest

from arm_jax import failures


def refused(number, file="/data/run/a.json"):
    return OSError(number, os.strerror(number), file)


def wrapped(error, kind=ValueError, *, explicit=True):
    """`error` as libraries wrap it: from it, or while it is handled."""
    try:
        try:
            raise error
        except OSError as cause:
            if explicit:
                raise kind("checkpoint failed") from cause
            raise kind("checkpoint failed")  # noqa: B904
    except Exception as outer:
        return outer


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space left on device; make room and repeat the"),
        (errno.EDQUOT, "isk quota exceeded; make room"),
        (errno.EROFS, "read-only file system; choose a folder that can be"),
        (errno.EACCES, "permission denied; choose another folder"),
        (errno.ENOTDIR, "not a directory; a part of the path is a file"),
        (errno.EEXIST, "file exists; it exists and is no folder, perhaps"),
        (errno.ENOENT, "no such file or directory; a part of the path"),
        (errno.ELOOP, "links"),
        (errno.ENAMETOOLONG, "too long; choose a shorter path"),
        (errno.EIO, "check the disk"),
        (errno.EMFILE, "ulimit -n"),
    ],
)
def test_what_the_system_refuses(number, words):
    sentence = failures.explain(refused(number))
    assert sentence.startswith("/data/run/a.json: ")
    assert words in sentence
    assert "\n" not in sentence


def test_the_file_that_a_rename_would_write():
    error = OSError(errno.EACCES, "no", "/a/old", None, "/b/new")
    assert failures.explain(error).startswith("/b/new: ")


def test_an_error_without_a_file_names_the_workdir():
    error = OSError(errno.ENOSPC, "No space left on device")
    assert failures.explain(error, "runs/a").startswith("workdir runs/a: no")
    assert failures.explain(error).startswith("writing: no space")


def test_names_are_cut():
    sentence = failures.explain(refused(errno.ENAMETOOLONG, "/" + "x" * 4000))
    assert len(sentence) < 300
    assert "..." in sentence


@pytest.mark.parametrize("explicit", [True, False])
def test_a_full_disk_is_found_in_what_libraries_raise(explicit):
    error = wrapped(refused(errno.ENOSPC), explicit=explicit)
    assert "a.json: no space" in failures.explain(error)
    group = ExceptionGroup("two", [KeyError("x"), error])
    assert "a.json: no space" in failures.explain(group)


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, OSError])
def test_a_full_disk_that_is_text_alone(kind):
    text = (
        'INTERNAL: Error writing "ocdbt/d/6f" in /runs/a/checkpoints/7.tmp: '
        "[tensorstore] No space left on device [source locations='x.cc:1']"
    )
    sentence = failures.explain(kind(text))
    assert sentence.startswith("/runs/a/checkpoints/7.tmp: no space left")


def test_memory():
    assert "out of memory (Unable to allocate 8 EiB)" in failures.explain(
        MemoryError("Unable to allocate 8 EiB")
    )
    assert failures.explain(MemoryError()).startswith(
        "out of memory; use fewer"
    )
    error = RuntimeError("RESOURCE_EXHAUSTED: Out of memory\nallocating " * 99)
    assert "(RESOURCE_EXHAUSTED: Out of memory)" in failures.explain(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("shapes (3,) and (4,) do not fit"),
        KeyError("no space left on device"),
        OSError("odd"),
        OSError(errno.EBADF, "Bad file descriptor"),
        # A defect in how a missing file is handled is a defect.
        wrapped(refused(errno.ENOENT), TypeError, explicit=False),
        wrapped(refused(errno.EACCES), TypeError, explicit=False),
    ],
)
def test_anything_else_is_a_defect(error):
    assert failures.explain(error) is None


def test_a_suppressed_context_explains_nothing():
    error = wrapped(refused(errno.ENOSPC), explicit=False)
    error.__suppress_context__ = True
    assert failures.explain(error) is None


def test_a_circle_ends():
    a, b = ValueError("a"), ValueError("b")
    a.__cause__, b.__cause__ = b, a
    assert failures.explain(a) is None
