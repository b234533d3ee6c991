import pytest

from arm_jax.data.preparation import files
from arm_jax.errors import InputError

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n"
PAGE = b"\n <!DOCTYPE html><html><body>404</body></html>"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (POINTER, "git_lfs_pointer"),
        (PAGE, "html_page"),
        (b"\xef\xbb\xbf<HTML>", "html_page"),
    ],
)
def test_what_is_left_in_the_place_of_a_file(tmp_path, data, reason):
    file = tmp_path / "x.jpg"
    file.write_bytes(data)
    with pytest.raises(files.Unusable) as error:
        files.content(file)
    assert error.value.reason == reason
    with pytest.raises(InputError, match=r"x.jpg is (a|empty)"):
        files.text(file)


def test_what_is_not_there(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    for name, reason in (
        ("no", "missing"), ("file/below", "missing"), ("", "folder"),
    ):  # fmt: skip
        with pytest.raises(files.Unusable) as error:
            files.content(tmp_path / name)
        assert error.value.reason == reason
    with pytest.raises(InputError, match="cannot read .*no: No such file"):
        files.text(tmp_path / "no")
    for listing in (files.folders, lambda x: files.sizes(x, {".jpg"})):
        with pytest.raises(InputError, match="cannot read .*no: No such file"):
            listing(tmp_path / "no")


def test_listings(tmp_path):
    for name in ("b", "a", ".git", "c.jpg"):
        (tmp_path / name).mkdir()
    (tmp_path / "x.JPG").write_bytes(b"123")
    (tmp_path / "._x.jpg").touch()
    (tmp_path / "x.txt").touch()
    assert [x.name for x in files.folders(tmp_path)] == ["a", "b", "c.jpg"]
    assert files.sizes(tmp_path, {".jpg"}) == {"x.JPG": 3}


def test_lists_need_not_be_text(tmp_path):
    file = tmp_path / "list"
    file.write_bytes(b"\xef\xbb\xbfcr\xe8me")
    assert files.text(file) == "cr\ufffdme"
