import json
import sys

import numpy as np
import pytest

from arm_jax.data.preparation import titles
from arm_jax.errors import InputError

tokenizers = pytest.importorskip("tokenizers", reason="needs extra 'media'")
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "apple", "pie", "##s"]


@pytest.fixture
def vocabulary(tmp_path):
    file = tmp_path / "vocab.txt"
    file.write_text("\n".join(WORDS) + "\n")
    return str(file)


def test_word_pieces(vocabulary):
    ids = titles.token_ids("Apple PIES?", vocabulary)
    assert ids.dtype == np.int32
    assert [WORDS[i] for i in ids] == [
        "[CLS]", "apple", "pie", "##s", "[UNK]", "[SEP]",
    ]  # fmt: skip
    assert titles.token_ids("", vocabulary).tolist() == [2, 3]
    assert len(titles.token_ids("pie " * 600, vocabulary)) == 512


def test_a_tokenizer_with_settings_of_its_own(vocabulary, tmp_path):
    made = tokenizers.BertWordPieceTokenizer(vocabulary, lowercase=True)
    made.enable_padding(length=9)
    made.enable_truncation(4)
    file = tmp_path / "tokenizer.json"
    made.save(str(file))
    text = "apple pies pie"
    np.testing.assert_array_equal(
        titles.token_ids(text, str(file)), titles.token_ids(text, vocabulary)
    )


def test_padding_and_cutting():
    ids = np.array([2, 5, 6, 7, 3], np.int32)
    for length, expected in (
        (7, [2, 5, 6, 7, 3, 0, 0]),
        (5, [2, 5, 6, 7, 3]),
        (4, [2, 5, 6, 3]),
    ):
        text = titles.padded(ids, length)
        assert text["ids"].dtype == np.int32
        assert text["ids"].tolist() == expected
        assert text["mask"].tolist() == [n < 5 for n in range(length)]


def bare(file):
    """What a trainer alone saves: nothing is put around a text."""
    made = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    made.save(str(file))


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("v.txt", lambda f: f.write_text("apple\npie"), r"no \[UNK\], \[CLS\]"),
        ("v.txt", lambda f: None, "cannot read .*v.txt: No such file"),
        ("v.txt", lambda f: f.write_text("<html>"), "v.txt is a web page"),
        ("v.json", lambda f: f.write_text(json.dumps({"a": 1})), "is no token"),
        ("v.json", bare, r"puts no \[CLS\] before and \[SEP\]"),
    ],
)
def test_what_is_no_vocabulary(tmp_path, name, write, message):
    file = tmp_path / name
    write(file)
    with pytest.raises(InputError, match=message):
        titles.tokenizer(str(file))


def test_without_tokenizers(monkeypatch, vocabulary):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(InputError, match="the package tokenizers: pip install"):
        titles.tokenizer(vocabulary)
