"""Data sets of clips in small, in the layouts of the real ones.

A clip lasts a second, and the frequency of its tone tells the class.
"""

from tests.arm_jax.data import media_clips

KS_CLASSES = ("bowling", "singing")
UCF_CLASSES = ("Archery", "Hammering")
TONES = (500.0, 2000.0)


def kinetics_sounds(root):
    """Per class six clips for training and two of validation."""
    for split, count in (("train", 6), ("val", 2)):
        (root / split).mkdir(parents=True)
        lines = ["label,youtube_id,time_start,time_end,split"]
        for label, name in enumerate(KS_CLASSES):
            for number in range(count):
                video_id = f"{split:-<5}{label}_{number:04d}"
                data = media_clips.clip(".mp4", TONES[label])
                file = root / split / f"{video_id}_000005_000015.mp4"
                file.write_bytes(data)
                lines.append(f"{name},{video_id},5,15,{split}")
        (root / f"{split}.csv").write_text("\n".join(lines) + "\n")
    return root


def ucf(root):
    """Per class four groups of two clips; the first is for testing."""
    lists = {"train": [], "test": []}
    for label, name in enumerate(UCF_CLASSES):
        (root / "UCF-101" / name).mkdir(parents=True)
        for group in range(1, 5):
            for number in (1, 2):
                file = f"{name}/v_{name}_g{group:02d}_c{number:02d}.avi"
                data = media_clips.clip(".avi", TONES[label])
                (root / "UCF-101" / file).write_bytes(data)
                lists["test" if group == 1 else "train"].append(file)
    for word, lines in lists.items():
        (root / f"{word}list01.txt").write_text("\n".join(lines) + "\n")
    return root


def cremad(root):
    """Of six actors each emotion once."""
    for folder in ("VideoFlash", "AudioWAV"):
        (root / folder).mkdir(parents=True)
    for actor in range(1001, 1007):
        for emotion in ("NEU", "HAP", "SAD", "FEA", "DIS", "ANG"):
            name = f"{actor}_DFA_{emotion}_XX"
            video = media_clips.clip(".flv", None)
            (root / "VideoFlash" / f"{name}.flv").write_bytes(video)
            (root / "AudioWAV" / f"{name}.wav").write_bytes(media_clips.wav())
    return root
