"""Files that are no .npz file: what they are, and how to make one of them."""

from collections.abc import Sequence

SAVE = "save arrays as np.savez('my.npz', image=..., text=..., label=...)"
# First bytes of files that are taken for an .npz file, and what reads them.
_STARTS = {
    b"\x93NUMPY": ("is a single .npy array", "np.load"),
    b"\x89HDF": ("is an HDF5 file", "h5py.File"),
    b"PAR1": ("is a Parquet file", "pandas.read_parquet"),
    b"ARROW1": ("is an Arrow file", "pandas.read_feather"),
    b"MATLAB": ("is a MATLAB file", "scipy.io.loadmat"),
    b"SQLite": ("is an SQLite database", "pandas.read_sql"),
    b"\x1f\x8b": ("is a gzip file", "gunzip"),
    b"BZh": ("is a bzip2 file", "bunzip2"),
    b"\xfd7zXZ": ("is an xz file", "unxz"),
    b"7z\xbc\xaf": ("is a 7z file", "7z"),
    b"\x80": (
        "is a pickle, which is never loaded",
        "what wrote it, if you trust it",
    ),
}
# Members of zip archives of other kinds.
_MEMBERS = {
    "data.pkl": ("is a PyTorch file", "torch.load(..., weights_only=True)"),
    "xl/workbook.xml": ("is an Excel workbook", "pandas.read_excel"),
}


def of_start(start: bytes) -> str:
    """Returns what a file is that begins so, and the cure."""
    for magic, (kind, reader) in _STARTS.items():
        if start.startswith(magic):
            return _said(kind, reader)
    # The last character may be cut.
    text = start.decode("utf-8", errors="ignore")
    if len(text.encode()) > len(start) - 4 and "\0" not in text:
        return _said("is a text file, such as CSV", "pandas.read_csv")
    return f"is not an .npz file; {SAVE}"


def of_archive(members: Sequence[str]) -> str:
    """Returns what a zip archive of these files is, and the cure."""
    for end, (kind, reader) in _MEMBERS.items():
        if any(f"/{name}".endswith(f"/{end}") for name in members):
            return _said(kind, reader)
    return f"is a zip archive without .npy arrays; {SAVE}"


def _said(kind: str, reader: str) -> str:
    return f"{kind}, not an .npz file: open it by {reader}, and {SAVE}"
