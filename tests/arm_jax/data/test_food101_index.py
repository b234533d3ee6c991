import os
import shutil

import pytest

from arm_jax.data import food101_index
from arm_jax.errors import InputError
from tests.arm_jax.data import food101_tree as tree

pytest.importorskip("PIL", reason="writes images: needs the extra 'media'")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return tree.write(tmp_path_factory.mktemp("food") / "food")


@pytest.fixture
def root(original, tmp_path):
    return shutil.copytree(original, tmp_path / "food")


def index(root, classes=()):
    return food101_index.index(str(root), classes)


def usable(found):
    return [item for item in found.items if not item.fault]


def faults(found):
    return {item.key: item.fault for item in found.items if item.fault}


def test_what_is_there(root):
    found = index(root)
    assert found.class_names == tree.CLASSES
    assert len(found.items) == len(usable(found)) == 24
    item = next(x for x in found.items if x.key.endswith("omelette_3.jpg"))
    file = root / "images/train/omelette/omelette_3.jpg"
    assert item.key == "train/omelette/omelette_3.jpg"
    assert (item.split, item.label) == ("train", 1)
    assert item.source == (str(file), "Best omelettes recipe")
    assert item.stamp.startswith(f"{file.stat().st_size} bytes, title ")
    assert list(found.summary[1:]) == [
        "train: 18 images with a title",
        "test: 6 images with a title",
        "3 classes, apple_pie ... ramen; there are folders of 3 of 101",
    ]


def around(root):
    (root.parent / "upmc").mkdir()
    root.rename(root.parent / "upmc" / "food")
    return root.parent / "upmc"


def without_images(root):
    for split in tree.SIZES:
        (root / "images" / split).rename(root / split)
    (root / "images").rmdir()
    return root


def lists_beside(root):
    for split in tree.SIZES:
        file = tree.list_of(root, split)
        file.rename(root / file.name)
    (root / "texts").rmdir()
    return root


def lists_in_text(root):
    (root / "texts").rename(root / "text")
    return root


def two_folders(root):
    """Images and lists were unpacked from archives of their own."""
    (root / "a").mkdir()
    (root / "images").rename(root / "a" / "images")
    (root / "b").mkdir()
    (root / "texts").rename(root / "b" / "texts")
    return root


def blanks_and_capitals(root):
    for split in tree.SIZES:
        folder = root / "images" / split
        (folder / "apple_pie").rename(folder / "Apple Pie")
    return root


@pytest.mark.parametrize(
    "move",
    [
        around, without_images, lists_beside, lists_in_text, two_folders,
        blanks_and_capitals,
    ],
)  # fmt: skip
def test_layouts(root, move):
    digest = index(root).digest
    found = index(move(root))
    assert len(usable(found)) == 24
    assert found.digest == digest


def header(lines):
    return ["image_path,title,class", *lines]


def swapped(lines):
    """Text, label, path, as the reader of a benchmark has it."""
    rows = [line.split(",") for line in lines]
    return ["text,label,Image_path"] + [f"{t},{c},{i}" for i, t, c in rows]


def pandas(lines):
    return [",img,text,class"] + [f"{n},{x}" for n, x in enumerate(lines)]


def quoted(lines):
    return ['"' + '","'.join(x.split(",")) + '"' for x in lines]


def paths(lines):
    return [f"images/train/x/{line}" for line in lines]


def windows(lines):
    return [f"{line}\r" for line in lines]


@pytest.mark.parametrize(
    "change", [header, swapped, pandas, quoted, paths, windows]
)
def test_lists(root, change):
    before = index(root)
    lines = tree.lines_of(root, "train")
    tree.write_lines(root, "train", change(lines))
    found = index(root)
    assert found.items == before.items
    told = "; the list has a header" in found.summary[1]
    assert told == (change in (header, swapped, pandas))


def test_commas_and_quotes_of_titles(root):
    lines = tree.lines_of(root, "train")
    for at, title in enumerate(
        ["Pie, the best, ever", '"Pie, "', '"Pie', '"A ""real"" pie"', ""]
    ):
        image, _, name = lines[at].split(",")
        lines[at] = f"{image},{title},{name}"
    # After the quote that nobody closed.
    lines[3] = lines[3].replace(".jpg", ".txt")
    tree.write_lines(root, "train", lines)
    found = index(root)
    assert len(usable(found)) == 24
    sources = {x.key: x.source for x in found.items}
    assert [
        sources[f"train/apple_pie/apple_pie_{n}.jpg"][1] for n in range(5)
    ] == ["Pie, the best, ever", "Pie,", "Pie", 'A "real" pie', ""]
    assert "1 lines name .txt in place of .jpg" in found.summary[1]


def test_what_is_missing_is_said(root):
    (root / "images/train/ramen/ramen_2.jpg").unlink()
    lines = tree.lines_of(root, "train")
    # A class without a folder, a line that is none, an image without a title,
    # and one that is named twice.
    lines = [lines[1], *lines[1:], "waffles_1.jpg,Waffles,waffles", "oh no"]
    tree.write_lines(root, "train", lines)
    found = index(root)
    assert faults(found) == {
        "train/apple_pie/apple_pie_0.jpg": "no_title",
        "train/ramen/ramen_2.jpg": "missing",
        "train/waffles/waffles_1.jpg": "missing",
        "train_titles.csv, line 20": "bad_line",
    }
    assert found.summary[1:3] == (
        "train: 16 images with a title, 1 bad_line, 2 missing, 1 no_title",
        "train: titles of classes that have no folder: waffles (1)",
    )


def test_some_classes_in_the_order_given(root):
    shutil.rmtree(root / "images/train/apple_pie")
    found = index(root, ("ramen", "omelette"))
    assert found.class_names == ("ramen", "omelette")
    assert len(found.items) == len(usable(found)) == 16
    assert {x.key.split("/")[1]: x.label for x in found.items} == {
        "ramen": 0,
        "omelette": 1,
    }


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("ramen", "pizza"), "no class 'pizza'; known: apple_pie, omelette"),
        (("ramen", "ramen"), "a class is named twice"),
    ],
)
def test_unknown_classes(root, classes, message):
    with pytest.raises(InputError, match=message):
        index(root, classes)


def no_texts(root):
    shutil.rmtree(root / "texts")


def one_list(root):
    tree.list_of(root, "test").unlink()


def no_images(root):
    shutil.rmtree(root / "images")


def nothing(root):
    no_texts(root)
    no_images(root)


def archive(root):
    nothing(root)
    (root / "upmcfood101.zip").touch()


def etzh(root):
    nothing(root)
    for name in ("images/apple_pie", "meta"):
        (root / name).mkdir(parents=True)


def pages(root):
    no_texts(root)
    (root / "texts_txt").mkdir()


def empty_classes(root):
    for file in root.glob("images/*/*/*.jpg"):
        file.unlink()


def pointer(root):
    tree.list_of(root, "train").write_text("version https://git-lfs.github")


def other_columns(root):
    lines = tree.lines_of(root, "train")
    tree.write_lines(root, "train", ["id,image,title,class,x", *lines])


def no_text(root):
    folder = root / "images" / "train"
    (folder / "ramen").rename(folder / os.fsdecode(b"caf\xe9"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_texts, "images are in .*images, but there is no texts/.*; tried"),
        (one_list, "images are in .*images, but there is no texts/"),
        (no_images, "titles are in .*texts, but there is no images/"),
        (nothing, "there is neither images/.* nor texts/"),
        (archive, "; unpack upmcfood101.zip first"),
        (etzh, "; this looks like ETHZ Food-101"),
        (pages, "; texts_txt holds whole pages"),
        (empty_classes, "the folders of classes in .* have no images"),
        (pointer, "train_titles.csv is a git-lfs pointer: get the file"),
        (other_columns, "begins with 'id,image,title,class,x', neither"),
        (no_text, r"class 'caf\\udce9' is no text"),
        (shutil.rmtree, "food does not exist; 'path' is the folder with"),
    ],
)
def test_folders_of_something_else(root, damage, message):
    damage(root)
    with pytest.raises(InputError, match=message):
        index(root)


def test_no_path():
    with pytest.raises(InputError, match="needs the option 'path'"):
        food101_index.index("", ())


def test_a_file_is_no_folder(root):
    with pytest.raises(InputError, match="train_titles.csv is a file; 'path'"):
        index(tree.list_of(root, "train"))
