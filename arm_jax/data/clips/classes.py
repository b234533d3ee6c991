"""Lists of classes, in the order of their labels.

Kinetics-Sounds has no one list: Arandjelovic and Zisserman, Look, listen and
learn, ICCV 2017, took 34 classes from Kinetics before it was published, three
of which are not in Kinetics-400. AdaMML's 31 are those of OGM-GE and most of
the field; ARM's released configs have "finger snapping" in place of "stomping
grapes"; CrissCross adds "strumming guitar".

UCF-51 are the 51 of UCF-101's classes whose clips have sound: those that UCF-50
does not have. The order is that of classInd.txt, which ignores case; some code
sorts otherwise and swaps Hammering and HammerThrow, JumpingJack and JumpRope.
"""

from collections.abc import Mapping, Sequence

from arm_jax.errors import InputError, check_known

_SHARED = (
    "blowing nose", "blowing out candles", "bowling", "chopping wood",
    "dribbling basketball", "laughing", "mowing lawn", "playing accordion",
    "playing bagpipes", "playing bass guitar", "playing clarinet",
    "playing drums", "playing guitar", "playing harmonica", "playing keyboard",
    "playing organ", "playing piano", "playing saxophone", "playing trombone",
    "playing trumpet", "playing violin", "playing xylophone", "ripping paper",
    "shoveling snow", "shuffling cards", "singing", "tap dancing",
    "tapping guitar", "tapping pen", "tickling",
)  # fmt: skip

_ADAMML = tuple(sorted((*_SHARED, "stomping grapes")))
KINETICS_SOUNDS: Mapping[str, tuple[str, ...]] = {
    "arm31": tuple(sorted((*_SHARED, "finger snapping"))),
    "adamml31": _ADAMML,
    "crisscross32": tuple(sorted((*_ADAMML, "strumming guitar"))),
}

_UCF_SOUND = (
    "ApplyEyeMakeup", "ApplyLipstick", "Archery", "BabyCrawling", "BalanceBeam",
    "BandMarching", "BasketballDunk", "BlowDryHair", "BlowingCandles",
    "BodyWeightSquats", "Bowling", "BoxingPunchingBag", "BoxingSpeedBag",
    "BrushingTeeth", "CliffDiving", "CricketBowling", "CricketShot",
    "CuttingInKitchen", "FieldHockeyPenalty", "FloorGymnastics", "FrisbeeCatch",
    "FrontCrawl", "Haircut", "Hammering", "HammerThrow", "HandstandPushups",
    "HandstandWalking", "HeadMassage", "IceDancing", "Knitting", "LongJump",
    "MoppingFloor", "ParallelBars", "PlayingCello", "PlayingDaf",
    "PlayingDhol", "PlayingFlute", "PlayingSitar", "Rafting", "ShavingBeard",
    "Shotput", "SkyDiving", "SoccerPenalty", "StillRings", "SumoWrestling",
    "Surfing", "TableTennisShot", "Typing", "UnevenBars", "WallPushups",
    "WritingOnBoard",
)  # fmt: skip
_UCF_50 = (
    "BaseballPitch", "Basketball", "BenchPress", "Biking", "Billiards",
    "BreastStroke", "CleanAndJerk", "Diving", "Drumming", "Fencing",
    "GolfSwing", "HighJump", "HorseRace", "HorseRiding", "HulaHoop",
    "JavelinThrow", "JugglingBalls", "JumpingJack", "JumpRope", "Kayaking",
    "Lunges", "MilitaryParade", "Mixing", "Nunchucks", "PizzaTossing",
    "PlayingGuitar", "PlayingPiano", "PlayingTabla", "PlayingViolin",
    "PoleVault", "PommelHorse", "PullUps", "Punch", "PushUps",
    "RockClimbingIndoor", "RopeClimbing", "Rowing", "SalsaSpin",
    "SkateBoarding", "Skiing", "Skijet", "SoccerJuggling", "Swing", "TaiChi",
    "TennisSwing", "ThrowDiscus", "TrampolineJumping", "VolleyballSpiking",
    "WalkingWithDog", "YoYo",
)  # fmt: skip
UCF: Mapping[str, tuple[str, ...]] = {
    "ucf51": _UCF_SOUND,
    "ucf101": tuple(sorted((*_UCF_SOUND, *_UCF_50), key=str.casefold)),
}

# Emotions by their abbreviation in names of files, in OGM-GE's order.
CREMAD: Mapping[str, str] = {
    "NEU": "neutral",
    "HAP": "happy",
    "SAD": "sad",
    "FEA": "fear",
    "DIS": "disgust",
    "ANG": "anger",
}


def chosen(
    where: str, classes: Sequence[str], lists: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Returns the classes that an option names.

    Args:
      where: Whose option it is, for messages.
      classes: The name of a list, or classes in the order of their labels.
      lists: The lists by name.

    Raises:
      InputError: Unknown names, or one twice.
    """
    if len(classes) == 1 and classes[0] in lists:
        return tuple(lists[classes[0]])
    known = {plain(name): name for names in lists.values() for name in names}
    for name in classes:
        if plain(name) not in known:
            check_known(
                f"{where}: no class or list", name, [*lists, *known.values()]
            )
    names = tuple(known[plain(name)] for name in classes)
    if len(set(names)) < len(names):
        raise InputError(f"{where}: a class is named twice")
    if len(names) < 2:
        raise InputError(f"{where}: classes must name a list or two classes")
    return names


def plain(name: str) -> str:
    """Returns a class's name as it is compared, whatever its spelling."""
    return name.strip().replace("_", " ").casefold()
