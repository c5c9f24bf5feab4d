"""What to look at on a meter, as a person can correct it: a TOML file, described in docs/reference/meter.md."""

import itertools
import math
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from edge_digits_runtime.errors import ProfileError, UsageError
from edge_digits_runtime.library_errors import first_line
from edge_digits_runtime.records.fields import FieldError, Length, Name, OneLine, Share, Within, read

MAX_BYTES = 1 << 20
"""Bytes of the largest profile that is read."""
SMALLEST_PATCH = 12
"""Pixels of the shortest side of a reference patch."""
LEAST_APART = 0.1
"""Distance of the two reference patches that are farthest apart, as a share of the longer side of the picture: nearer
ones do not tell a rotation."""
DEFAULT_MODEL = "meter-m"
"""Model of the slots where a profile names none."""

Box = tuple[int, int, int, int]
"""x, y, width and height in pixels."""
_Corners = Annotated[Sequence[Annotated[int, Within(0, 65_535)]], Length(4, 4)]
_Side = Annotated[int, Within(16, 65_535)]


@dataclass(frozen=True)
class Slot:
    """The place of one character.

    Raises:
        UsageError: the box has no area.
    """

    box: _Corners
    """x, y, width and height in pixels of the reference picture: a digit with a little room around it."""
    kind: Literal["wheel", "digit"] = "wheel"
    """``wheel``: it turns, and takes the wheel to its left along from 9 to 0. ``digit``: it shows one digit."""
    model: Annotated[str, OneLine(1000)] | None = None
    """Name or file of the model that reads it; None for that of the profile."""

    def __post_init__(self) -> None:
        _check_area(self.box)


@dataclass(frozen=True)
class Alignment:
    """What the camera's view is aligned by, and how far it may have moved.

    Raises:
        UsageError: a patch without area, or one that is too small.
    """

    picture: Name
    """File of the reference picture, beside the profile."""
    patches: Annotated[Sequence[_Corners], Length(2, 8)]
    """Boxes of what is printed on the meter and never changes, as `Slot.box`."""
    furthest: Annotated[float, Within(0.01, 0.5)] = 0.1
    """How far a patch is looked for from its place, as a share of the longer side of the picture."""

    def __post_init__(self) -> None:
        for index, patch in enumerate(self.patches):
            _check_area(patch)
            if min(patch[2:]) < SMALLEST_PATCH:
                raise UsageError(
                    f"patches[{index}] is {patch[2]}×{patch[3]}; allowed is {SMALLEST_PATCH} pixels a side or more"
                )


@dataclass(frozen=True)
class Change:
    """How fast the value may change.

    Raises:
        UsageError: the limits contradict each other.
    """

    highest_per_hour: Annotated[float, Within(0, 1e12)] | None = None
    """Largest change in units per hour; None where nobody knows one."""
    lowest_per_hour: Annotated[float, Within(-1e12, 1e12)] = 0.0
    """Smallest change in units per hour; below 0 where the value may fall."""
    may_fall: bool = False
    """Whether the value may become smaller, as on a thermometer."""

    def __post_init__(self) -> None:
        if self.lowest_per_hour < 0 and not self.may_fall:
            raise UsageError(f"lowest_per_hour is {self.lowest_per_hour:g}, below 0: set may_fall = true, or make it 0")
        if self.highest_per_hour is not None and self.highest_per_hour < self.lowest_per_hour:
            raise UsageError(
                f"highest_per_hour is {self.highest_per_hour:g}, below lowest_per_hour, {self.lowest_per_hour:g}"
            )


@dataclass(frozen=True)
class Profile:
    """What to look at on a meter.

    Raises:
        UsageError: boxes that overlap or lie outside, or fields that contradict each other.
    """

    size: Annotated[Sequence[_Side], Length(2, 2)]
    """Width and height of the reference picture in pixels, after it was turned by `rotation`."""
    slots: Annotated[Sequence[Slot], Length(1, 16)]
    """The places of the characters, from left to right."""
    name: Name = "meter"
    """What the meter is called in what is written and sent."""
    model: Annotated[str, OneLine(1000)] = DEFAULT_MODEL
    """Name or file of the model that reads the slots."""
    unit: Annotated[str, OneLine(20)] = ""
    """Unit of the value, such as ``m³``."""
    decimals: Annotated[int, Within(0, 16)] = 0
    """How many of the characters stand behind the decimal point."""
    rotation: Annotated[float, Within(-180, 180)] = 0.0
    """Degrees by which a picture is turned clockwise first."""
    min_confidence: Share = 0.99
    """A reading is not sure where its probability is below this."""
    alignment: Alignment | None = None
    """None where camera and meter never move against each other."""
    change: Change = field(default_factory=Change)
    """How fast the value may change."""

    def __post_init__(self) -> None:
        if self.decimals > len(self.slots):
            raise UsageError(f"decimals is {self.decimals}; allowed is 0 to {len(self.slots)}, the number of slots")
        named = {f"slots[{index}].box": slot.box for index, slot in enumerate(self.slots)}
        patches = () if self.alignment is None else self.alignment.patches
        named |= {f"alignment.patches[{index}]": patch for index, patch in enumerate(patches)}
        for name, box in named.items():
            self._check_inside(name, box)
        for (first, one), (second, other) in itertools.combinations(named.items(), 2):
            # Patches may share pixels; what they show never changes.
            if not first.startswith("alignment") and _overlap(one, other):
                raise UsageError(f"{first} {list(one)} and {second} {list(other)} overlap: move one of them")
        if patches and _spread(patches) < LEAST_APART * max(self.size):
            raise UsageError(
                f"alignment.patches lie within {_spread(patches):.0f} pixels; at least two must be "
                f"{LEAST_APART * max(self.size):.0f} pixels apart to tell how the camera is turned"
            )

    def _check_inside(self, name: str, box: Sequence[int]) -> None:
        x, y, width, height = box
        if x + width > self.size[0] or y + height > self.size[1]:
            raise UsageError(
                f"{name} {list(box)} reaches outside the picture, which is {self.size[0]}×{self.size[1]}: "
                "a box is x, y, width, height in pixels"
            )

    @property
    def step(self) -> float:
        """Value of one step of the last character: 0.001 with three decimals."""
        return float(f"1e-{self.decimals}")


def load_profile(path: str | os.PathLike[str]) -> Profile:
    """Read a profile.

    Raises:
        ProfileError: it is missing, no TOML, or something in it does not fit; the message names file and place.
    """
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ProfileError(f"{path}: cannot be read: {error.strerror}; 'edge-digits profile' makes one") from error
    if len(content) > MAX_BYTES:
        raise ProfileError(f"{path}: more than {MAX_BYTES >> 20} MB, and no profile")
    return parse_profile(content, str(path))


def parse_profile(content: bytes, name: str = "the profile") -> Profile:
    """Read the content of a profile, which messages call ``name``.

    Raises:
        ProfileError: as `load_profile`.

    Example:
        >>> text = b"size = [80, 40]\\nslots = [{box = [8, 4, 20, 32]}, {box = [30, 4, 20, 32]}]"
        >>> [slot.kind for slot in parse_profile(text).slots]
        ['wheel', 'wheel']
    """
    try:
        values = tomllib.loads(content.decode("utf-8"))
    except (RecursionError, ValueError) as error:
        # A mistake in UTF-8 or in TOML; the latter says line and column.
        raise ProfileError(f"{name}: no TOML: {first_line(error)}") from error
    try:
        profile: Profile = read(Profile, values)
    except FieldError as error:
        raise ProfileError(f"{name}: {str(error).removeprefix('the record: ')}") from error
    return profile


def _check_area(box: Sequence[int]) -> None:
    if min(box[2:]) < 1:
        raise UsageError(f"box {list(box)} has no area; a box is x, y, width, height in pixels")


def _overlap(one: Sequence[int], other: Sequence[int]) -> bool:
    return all(one[axis] < other[axis] + other[axis + 2] and other[axis] < one[axis] + one[axis + 2] for axis in (0, 1))


def _spread(patches: Sequence[Sequence[int]]) -> float:
    """Return the distance in pixels of the two patches that are farthest apart, from centre to centre."""
    centres = [(x + width / 2, y + height / 2) for x, y, width, height in patches]
    return max(math.dist((a, b), (c, d)) for (a, b), (c, d) in itertools.combinations(centres, 2))
