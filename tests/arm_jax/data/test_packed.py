import bz2
import errno
import gzip
import io
import os
import pickle
import zipfile

import ml_dtypes
import numpy as np
import pytest

from arm_jax.data import memory as memory_module
from arm_jax.data import packed
from arm_jax.errors import InputError


@pytest.fixture
def folder(tmp_path):
    np.savez(tmp_path / "some.npz", a=np.arange(3), b=np.ones((3, 2)))
    return tmp_path


def refused(path, *required):
    """Returns the message, which is one line of bounded length."""
    with pytest.raises(InputError) as caught:
        packed.read(path, required)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500 + len(str(path))
    assert "allow_pickle" not in message
    return message


def test_path_comes_first(folder, monkeypatch):
    monkeypatch.setenv(packed.FOLDER_VARIABLE, "/nowhere")
    file = packed.find("other", str(folder / "some.npz"), "")
    assert file == folder / "some.npz"


def test_folder_of_the_variable(folder, monkeypatch):
    monkeypatch.setenv(packed.FOLDER_VARIABLE, str(folder))
    assert packed.find("some", "", "") == folder / "some.npz"


def test_no_folder_is_the_default(folder, monkeypatch):
    monkeypatch.delenv(packed.FOLDER_VARIABLE, raising=False)
    monkeypatch.chdir(folder)
    with pytest.raises(
        InputError, match=r"where is some\.npz\? .*'path' .*ARM_JAX_DATA\. Ask"
    ):
        packed.find("some", "", "Ask us")


def test_missing_file_says_how_to_get_it(folder, monkeypatch):
    monkeypatch.setenv(packed.FOLDER_VARIABLE, str(folder))
    with pytest.raises(
        InputError, match=r"no file .*other\.npz.* ARM_JAX_DATA\. Ask us"
    ):
        packed.find("other", "", "Ask us")


def test_only_the_named_arrays_are_read(folder):
    assert list(packed.read(folder / "some.npz", ("b",))) == ["b"]
    assert list(packed.read(folder / "some.npz")) == ["a", "b"]


def test_missing_array(folder):
    with pytest.raises(InputError, match=r"some\.npz has no array 'c'"):
        packed.read(folder / "some.npz", ("a", "c"))


def test_names_are_listed_up_to_ten(tmp_path):
    np.savez(tmp_path / "x.npz", **{f"a{k:03}": np.ones(1) for k in range(300)})
    message = refused(tmp_path / "x.npz", "b")
    assert message.endswith("a008, a009 and 290 more")


def test_arrays_that_would_not_fit(folder, monkeypatch):
    path = folder / "some.npz"
    needed = sum(x.nbytes for x in packed.read(path).values())
    monkeypatch.setattr(memory_module, "physical_memory", lambda: needed)
    with pytest.raises(InputError, match="more than 80% of this machine's"):
        packed.read(path)
    # Only those that are read count.
    assert list(packed.read(path, ("a",))) == ["a"]


def test_unknown_memory_is_no_limit(folder, monkeypatch):
    monkeypatch.setattr(memory_module, "physical_memory", lambda: None)
    assert list(packed.read(folder / "some.npz")) == ["a", "b"]


def npy(x):
    buffer = io.BytesIO()
    np.save(buffer, x)
    return buffer.getvalue()


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"x\.npz is empty; save arrays as np\.savez"),
        (npy(np.ones(3)), r"not an \.npz file: open it by np\.load, and save"),
        (b"age,sex,label\n31,f,1\n", "is a text file, such as CSV, .*np.savez"),
        ("größe,音声\n1,2\n".encode() * 90, "is a text file, such as CSV"),
        (b'{"a": [1, 2]}', "is a text file"),
        (pickle.dumps({"a": 1}), "is a pickle, which is never loaded, not an"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "is an HDF5 file"),
        (b"PAR1" + bytes(99), "open it by pandas.read_parquet, and save"),
        (b"MATLAB 5.0" + bytes(99), "open it by scipy.io.loadmat"),
        (gzip.compress(b"a,b", mtime=0), "is a gzip file"),
        (bz2.compress(b"a,b"), "is a bzip2 file"),
        (bytes(range(7, 200)), r"x\.npz is not an \.npz file"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "is a pointer of Git LFS; get the file by git lfs pull",
        ),
        (zipped(**{"m/data.pkl": "x"}), "PyTorch file, .* by torch.load"),
        (zipped(**{"xl/workbook.xml": "x"}), "open it by pandas.read_excel"),
        (zipped(), r"is a zip archive without \.npy arrays"),
        (zipped(**{"a.npy": npy(np.ones(9))})[:-9], "is a damaged .npz file"),
    ],
)
def test_other_files_are_named(tmp_path, content, message):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InputError, match=message):
        packed.read(tmp_path / "x.npz")
    refused(tmp_path / "x.npz")


def test_what_is_no_file(tmp_path):
    (tmp_path / "link.npz").symlink_to(tmp_path / "gone.npz")
    (tmp_path / "loop.npz").symlink_to(tmp_path / "loop.npz")
    os.mkfifo(tmp_path / "pipe.npz")
    assert "is a folder" in refused(tmp_path)
    assert "gone.npz, which is not there" in refused(tmp_path / "link.npz")
    assert "cannot read" in refused(tmp_path / "loop.npz")
    assert "is a pipe or a device" in refused(tmp_path / "pipe.npz")
    assert "no file" in refused(tmp_path / "nothing.npz")
    assert "null" in refused(tmp_path / "a\0b.npz")
    assert "cannot read" in refused(tmp_path / ("n" * 300))


@pytest.mark.parametrize("name", ["stat", "open"])
def test_no_permission(folder, monkeypatch, name):
    def forbidden(*args, **kwargs):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    owner = packed.Path if name == "stat" else packed.zipfile.io
    if name == "open":
        monkeypatch.setattr(packed.Path, "open", forbidden)
    monkeypatch.setattr(owner, name, forbidden)
    assert "Permission denied" in refused(folder / "some.npz")


def test_unknown_home(monkeypatch):
    def unknown(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(packed.Path, "expanduser", unknown)
    with pytest.raises(InputError, match="~/x.npz: no home folder is known"):
        packed.expanded("~/x.npz")


def test_damage_of_an_array_is_named(tmp_path):
    path = tmp_path / "x.npz"
    whole = zipped(**{"a.npy": npy(np.arange(999)), "b.npy": npy(np.ones(9))})
    for at in range(60, 700, 40):
        torn = bytearray(whole)
        torn[at] ^= 255
        path.write_bytes(bytes(torn))
        assert "'a'" in refused(path, "a")
        assert packed.read(path, ("b",))["b"].sum() == 9


def header(shape, dtype="<f8"):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        header((10**9, 10**9)) + bytes(80),
        header((-3,)),
        header((11,)) + bytes(80),
        npy(np.ones(99))[:200],
        b"\x93NUMPY\x09\x00" + bytes(90),
        b"no array",
        b"",
    ],
)
def test_headers_that_promise_more_than_there_is(tmp_path, content):
    (tmp_path / "x.npz").write_bytes(zipped(**{"a.npy": content}))
    message = refused(tmp_path / "x.npz")
    assert "'a'" in message
    assert "save or copy the file again" in message


def test_encrypted_and_unknown_compression(tmp_path):
    whole = zipped(**{"a.npy": npy(np.ones(9))})
    central = whole.index(b"PK\x01\x02")
    for offset, value in ((8, 1), (10, 97)):
        changed = bytearray(whole)
        changed[central + offset] = value
        changed[offset - 2] = value
        (tmp_path / "x.npz").write_bytes(bytes(changed))
        assert "cannot read 'a'" in refused(tmp_path / "x.npz")


def test_objects_are_named_and_only_if_asked_for(tmp_path):
    path = tmp_path / "x.npz"
    names = np.array(["a.jpg", None], object)
    np.savez(path, filename=names, image=np.ones((2, 3)))
    message = refused(path)
    assert "x.npz: 'filename' holds Python objects" in message
    assert "np.unique(..., return_inverse=True)[1]" in message
    assert packed.read(path, ("image",))["image"].sum() == 6


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_two_arrays_of_one_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        for value in (1, 2):
            archive.writestr("a.npy", npy(np.full(3, value)))
        archive.writestr("b.npy", npy(np.ones(3)))
    assert "has two arrays 'a'" in refused(tmp_path / "x.npz", "a")
    assert list(packed.read(tmp_path / "x.npz", ("b",))) == ["b"]


@pytest.mark.parametrize(
    "x",
    [
        np.arange(12, dtype=">f4").reshape(3, 4),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(12, dtype=">i8").reshape(3, 4)[::2],
        np.array(3, ">u2"),
        np.array(["a", "größe"]),
    ],
)
def test_values_in_this_machines_byte_order(tmp_path, x):
    np.savez_compressed(tmp_path / "x.npz", x=x)
    found = packed.read(tmp_path / "x.npz")["x"]
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, x)


def test_weird_names_and_paths(tmp_path):
    folder = tmp_path / "with space" / "größe 音声"
    folder.mkdir(parents=True)
    names = ["", ".", "a/b", "../x", "音声", "a.npy", "A", "a", "\n", "n" * 99]
    arrays = {name: np.full(2, k) for k, name in enumerate(names)}
    np.savez(folder / "x y.npz", **arrays)
    found = packed.read(folder / "x y.npz")
    assert set(found) == set(names)
    for k, name in enumerate(names):
        np.testing.assert_array_equal(found[name], k)
    message = refused(folder / "x y.npz", "m" * 999)
    assert r"\n" in message


def test_bfloat16_keeps_its_bytes_apart(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.ones(3, ml_dtypes.bfloat16))
    assert packed.read(tmp_path / "x.npz")["x"].dtype.kind == "V"
    with pytest.raises(InputError, match=r"save x\.astype\(np\.float32\)"):
        packed.features("some", packed.read(tmp_path / "x.npz"), ["x"])


def test_memory_of_this_machine():
    assert 2**24 < memory_module.physical_memory() < 2**60


def test_memory_without_sysconf(folder, monkeypatch):
    monkeypatch.delattr(os, "sysconf")
    monkeypatch.setattr(memory_module, "_CGROUP_OF_PROCESS", folder / "none")
    assert memory_module.physical_memory() is None
    assert list(packed.read(folder / "some.npz")) == ["a", "b"]


def test_memory_that_the_system_does_not_know(folder, monkeypatch):
    monkeypatch.setattr(memory_module, "_CGROUP_OF_PROCESS", folder / "none")
    monkeypatch.setattr(os, "sysconf", lambda name: -1)
    assert memory_module.physical_memory() is None


def test_memory_of_windows(folder, monkeypatch):
    class Windows:
        class kernel32:  # noqa: N801
            @staticmethod
            def GlobalMemoryStatusEx(reference):
                status = reference._obj
                assert status.length == 64
                status.physical = 5 * 10**9
                return 1

    monkeypatch.delattr(os, "sysconf")
    monkeypatch.setattr(memory_module, "_CGROUP_OF_PROCESS", folder / "none")
    monkeypatch.setattr(memory_module.ctypes, "windll", Windows, raising=False)
    assert memory_module.physical_memory() == 5 * 10**9


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/job/step\n", {"job/memory.max": "7000000"}, 7_000_000),
        (
            "0::/job/step\n",
            {"job/memory.max": "7000000", "job/step/memory.max": "max\n"},
            7_000_000,
        ),
        (
            "9:cpu:/a\n4:memory:/a\n",
            {"memory/a/memory.limit_in_bytes": "8000000\n"},
            8_000_000,
        ),
        # The container's own root.
        ("0::/../../elsewhere\n", {"memory.max": "6000000\n"}, 6_000_000),
    ],
)
def test_memory_of_a_container(tmp_path, monkeypatch, groups, files, expected):
    (tmp_path / "cgroup").write_text(groups, encoding="utf-8")
    for name, content in files.items():
        file = tmp_path / "root" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    monkeypatch.setattr(
        memory_module, "_CGROUP_OF_PROCESS", tmp_path / "cgroup"
    )
    monkeypatch.setattr(memory_module, "_CGROUPS", tmp_path / "root")
    assert memory_module.physical_memory() == expected


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (np.array([0, 1, 2]), r"set: label\[2\] is 2, outside 0\.\.1"),
        (np.array([0.0, 1.0, 1.0]), r"label\.astype\(int\)"),
        (np.array(["a", "b", "a"]), r"np\.unique\(label, return_inverse"),
    ],
)
def test_codes(label, message):
    with pytest.raises(InputError, match=message):
        packed.codes("set", {"label": label}, "label", range(2))


def test_digest_tells_contents_and_names(tmp_path):
    (tmp_path / "x").mkdir()
    first = tmp_path / "x" / "a.wav"
    first.write_bytes(b"12")
    digests = [packed.digest(first), packed.digest(tmp_path)]
    first.write_bytes(b"13")
    digests += [packed.digest(first), packed.digest(tmp_path)]
    first.rename(tmp_path / "x" / "b.wav")
    digests += [packed.digest(tmp_path)]
    assert len(set(digests)) == 5
    assert digests[-1] == packed.digest(tmp_path)


def test_digest_of_names_that_are_no_text(tmp_path):
    (tmp_path / os.fsdecode(b"\xff.wav")).write_bytes(b"1")
    assert len(packed.digest(tmp_path)) == 12
