"""A picture of a meter and its profile in, the value that it shows out."""

import dataclasses
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from edge_digits_runtime.data import turns
from edge_digits_runtime.data.classes import DIGIT_CLASSES
from edge_digits_runtime.errors import PictureError, ProfileError
from edge_digits_runtime.image.ink import to_plain
from edge_digits_runtime.image.model_input import Input, Prepared
from edge_digits_runtime.image.picture import open_picture
from edge_digits_runtime.image.prepare import prepare
from edge_digits_runtime.meter import reasons
from edge_digits_runtime.meter.alignment import SAME, Aligner, Placement
from edge_digits_runtime.meter.profile import Profile, Slot
from edge_digits_runtime.meter.wheels import Count, Wheel, count, count_within, digit_shares
from edge_digits_runtime.model.classifier import DigitClassifier, Prediction

SHORTER_SIDE = 1500
"""Shorter side in pixels that a reduced JPEG keeps at least: ``open_picture(path, reading.SHORTER_SIDE)``."""
DOUBTFUL = "?"
"""Stands for a character that is not sure."""
MINUS, BLANK = "minus", "blank"
"""Classes that are no digits."""
BORNE_OUT = 0.5
"""Probability that a meter shows one of the values that are possible below which it does not bear them out."""
MOST_NUMBERS = 10_000
"""Values that are looked at one by one at most."""
_SAME_FORM = 0.02
"""By how much width divided by height of a picture may differ from the profile's."""
_TENTHS_OF = {name: tenths for tenths, name in enumerate(turns.TENTHS)} | {
    name: 10 * digit for digit, name in enumerate(DIGIT_CLASSES)
}
"""Tenths of a turn that a class stands for: 34 for ``3.4``, 70 for ``7``."""
_DARK = 16
"""Grey steps between the darkest and the lightest of a slot below which there is nothing to read."""


class Classifier(Protocol):
    """What the slots are read with, such as `edge_digits_runtime.DigitClassifier`."""

    labels: tuple[str, ...]
    input: Input

    def classify_batch(self, pictures: Any) -> Any:
        """Return answers with ``probabilities`` of shape ``(n, k)``."""
        ...

    def classify_prepared(self, prepared: Prepared) -> Prediction:
        """Return the answer for one picture."""
        ...


@dataclass(frozen=True)
class SlotReading:
    """What one slot shows."""

    label: str
    """Likeliest class of the model by itself: a digit, ``blank`` or ``minus``."""
    turn: float | None
    """How far the wheel has turned, such as 3.4, in [0, 10); None where it is no wheel."""
    confidence: float
    """Probability in [0, 1] of the character that the whole reading has here."""


@dataclass(frozen=True)
class MeterReading:
    """What a meter shows."""

    text: str
    """One character for each slot, leading zeros included; `DOUBTFUL` for one that is not sure."""
    likeliest: str
    """The same with the likeliest character in place of each `DOUBTFUL`; empty where nothing was read."""
    value: float | None
    """The value of the text; None where it is not sure."""
    confidence: float
    """Probability of `likeliest` in [0, 1]."""
    reason: str | None
    """Why the reading is not sure; None if it is."""
    slots: tuple[SlotReading, ...] = ()
    """What each slot shows by itself."""
    placement: Placement | None = None
    """How the view has moved; None where the reference patches were not found."""
    decimals: int = field(default=0, repr=False)
    wheels: tuple[Wheel, ...] = field(default=(), repr=False, compare=False)
    """What the network says of each slot; empty where nothing was read, or nothing that `within` can use."""

    def within(self, low: float, high: float, min_confidence: float) -> "MeterReading":
        """Return what the meter shows where it is known that its value is from ``low`` to ``high``.

        A reading that is sure stays as it is. One that is not becomes sure if the wheels bear out that range, and leave
        next to no doubt which value of it they show: a digit far to the left that might be another one is no doubt
        where the other one is out of the question.

        Args:
            low: smallest value that is possible.
            high: largest one.
            min_confidence: probability in [0, 1] from which a value is sure.
        """
        scale = 10**self.decimals
        last = 10 ** len(self.wheels) - 1
        numbers = range(max(0, math.ceil(low * scale - 0.01)), min(last, math.floor(high * scale + 0.01)) + 1)
        if self.sure or not self.wheels or not 0 < len(numbers) <= MOST_NUMBERS:
            return self
        number, among, at_all = count_within(self.wheels, numbers)
        if at_all < BORNE_OUT or among < min_confidence:
            return self
        text = f"{number:0{len(self.wheels)}d}"
        return dataclasses.replace(
            self,
            text=text,
            likeliest=with_point(text, self.decimals),
            value=number / scale,
            confidence=among,
            reason=None,
        )

    @property
    def sure(self) -> bool:
        """Whether nothing speaks against the value."""
        return self.reason is None

    @property
    def written(self) -> str:
        """The text with its decimal point, such as ``00123.45``."""
        return with_point(self.text, self.decimals)

    def to_dict(self) -> dict[str, Any]:
        """Return the reading as JSON-ready values."""
        moved = self.placement
        return {
            "text": self.written,
            "value": self.value,
            "sure": self.sure,
            "reason": self.reason,
            "reason_code": reasons.meter_reason_code(self.reason),
            "confidence": round(self.confidence, 5),
            "slots": [
                {"label": slot.label, "turn": slot.turn, "confidence": round(slot.confidence, 5)} for slot in self.slots
            ],
            "view": moved
            and {
                "left": round(moved.left, 2),
                "top": round(moved.top, 2),
                "degrees": round(moved.degrees, 3),
                "scale": round(moved.scale, 4),
            },
        }


class MeterReader:
    """Reads pictures of one meter with fixed slots.

    Attributes:
        profile: what to look at.
    """

    def __init__(
        self,
        profile: Profile,
        folder: str | os.PathLike[str] = ".",
        *,
        classifiers: Mapping[str, Classifier] | None = None,
        by_wheel: bool = True,
        **options: Any,
    ) -> None:
        """Load the models and the reference picture.

        Args:
            profile: what to look at.
            folder: where the file of the reference picture is, and models that the profile names by a relative path.
            classifiers: the models by the names that the profile has; None to load them.
            by_wheel: combine the slots as `edge_digits_runtime.meter.wheels` does. False reads each by itself, which
                is for comparison.
            options: for `DigitClassifier`, such as ``backend``.

        Raises:
            ProfileError: the reference picture is missing, or of another size.
            ModelError: a model is missing, damaged, or of another kind.
            UsageError: no installed model has that name.
        """
        self.profile = profile
        self._by_wheel = by_wheel
        names = [slot.model or profile.model for slot in profile.slots]
        if classifiers is None:
            classifiers = {name: DigitClassifier(_model(name, Path(folder)), **options) for name in set(names)}
        self._groups = {
            name: (classifiers[name], [index for index, each in enumerate(names) if each == name])
            for name in dict.fromkeys(names)
        }
        self._aligner = _aligner(profile, Path(folder))

    def read(self, image: Image.Image) -> MeterReading:
        """Read a picture.

        Args:
            image: any mode; in the size of the reference picture before that was turned, or one of the same form.

        Raises:
            PictureError: it has another form than the reference picture.
        """
        picture = upright(image, self.profile)
        placement = SAME if self._aligner is None else self._aligner.find(picture)
        if placement is None:
            return self._nothing(reasons.NOT_FOUND, None)
        shares, flat = self._shares(picture, placement)
        if flat:
            where = ", ".join(str(index + 1) for index in flat)
            return self._nothing(f"{reasons.NO_CONTRAST} {where}", placement)
        return self._reading(shares, placement)

    def characters(
        self, image: Image.Image, reading: MeterReading
    ) -> Iterator[tuple[Image.Image, Prepared, Prediction]]:
        """Yield each place of a picture that was read, so that it can be kept and labelled.

        Args:
            image: the picture.
            reading: of it; where the reference patches were not found, there are no places.

        Yields:
            The place as it was cut out, what the model was given of it, and its answer, in the order of the slots.

        Raises:
            PictureError: the picture has another form than the reference picture.
        """
        if reading.placement is None:
            return
        picture = upright(image, self.profile)
        for classifier, indices in self._groups.values():
            for index in indices:
                cut = reading.placement.cut(picture, self.profile.slots[index].box)
                seen = prepare(cut, classifier.input)
                yield cut, seen, classifier.classify_prepared(seen)

    def _shares(self, picture: Image.Image, placement: Placement) -> tuple[list[dict[str, float]], list[int]]:
        """Return the probability of each class for each slot, and the slots in which there is nothing to see."""
        slots = self.profile.slots
        shares: list[dict[str, float]] = [{} for _ in slots]
        cuts = [placement.cut(picture, slot.box) for slot in slots]
        flat = [index for index, cut in enumerate(cuts) if slots[index].kind == "wheel" and _contrast(cut) < _DARK]
        if flat:
            return shares, flat
        for classifier, indices in self._groups.values():
            pixels = np.stack([prepare(cuts[index], classifier.input).pixels for index in indices])
            found = classifier.classify_batch(pixels).probabilities
            for index, row in zip(indices, found, strict=True):
                shares[index] = dict(zip(classifier.labels, row.tolist(), strict=True))
        return shares, []

    def _reading(self, shares: Sequence[Mapping[str, float]], placement: Placement) -> MeterReading:
        profile = self.profile
        wheels: list[Wheel] = []
        signs: list[str] = []
        for slot, each in zip(profile.slots, shares, strict=True):
            wheel, sign = _wheel(slot, each, leading=all(signs))
            wheels.append(wheel)
            signs.append(sign)
        counted = count(wheels) if self._by_wheel else _one_by_one(wheels)
        negative = MINUS in signs
        characters = ["-" if sign == MINUS else str(digit) for sign, digit in zip(signs, counted.digits, strict=True)]
        least = profile.min_confidence
        sure = counted.probability >= least
        text = "".join(
            c if sure or share >= least else DOUBTFUL for c, share in zip(characters, counted.shares, strict=True)
        )
        if not sure and DOUBTFUL not in text:
            # Each of them is likely, but not all together: the weakest one is named.
            weakest = int(np.argmin(counted.shares))
            text = text[:weakest] + DOUBTFUL + text[weakest + 1 :]
        likeliest = "".join(characters)
        number = int(likeliest.replace("-", "0")) * (-1 if negative else 1)
        return MeterReading(
            text,
            with_point(likeliest, profile.decimals),
            number / 10**profile.decimals if sure else None,
            counted.probability,
            None if sure else _doubt(counted, least),
            tuple(
                SlotReading(_label(each), _turn(slot, wheel), share)
                for slot, each, wheel, share in zip(profile.slots, shares, wheels, counted.shares, strict=True)
            ),
            placement,
            profile.decimals,
            # A minus sign is in no sum.
            () if negative or not self._by_wheel else tuple(wheels),
        )

    def _nothing(self, reason: str, placement: Placement | None) -> MeterReading:
        count_ = len(self.profile.slots)
        return MeterReading(DOUBTFUL * count_, "", None, 0.0, reason, (), placement, self.profile.decimals)


def with_point(text: str, decimals: int) -> str:
    """Return the characters of all slots with the decimal point among them.

    Example:
        >>> with_point("00?34", 2), with_point("12", 2), with_point("12", 0)
        ('00?.34', '.12', '12')
    """
    return f"{text[:-decimals]}.{text[-decimals:]}" if decimals else text


def upright(image: Image.Image, profile: Profile) -> Image.Image:
    """Return a picture turned as the profile says, and in the size of the reference picture.

    Raises:
        PictureError: it has another form.
    """
    turned = turned_by(image, profile.rotation)
    wide, high = profile.size
    if abs(turned.width / turned.height / (wide / high) - 1) > _SAME_FORM:
        raise PictureError(
            f"{turned.width}×{turned.height} pixels; the profile is of {wide}×{high}: use the camera's picture as it "
            "was, or make a new profile"
        )
    if turned.size == (wide, high):
        return turned
    return turned.resize((wide, high), Image.Resampling.BILINEAR, reducing_gap=2.0)


def turned_by(image: Image.Image, degrees: float) -> Image.Image:
    """Return a picture turned clockwise: by quarters as a whole, else its size stays and its corners get lost."""
    plain = to_plain(image)
    if degrees % 90 == 0:
        quarter = round(degrees) // 90 % 4
        methods = (None, Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90)
        method = methods[quarter]
        return plain if method is None else plain.transpose(method)
    return plain.rotate(-degrees, Image.Resampling.BILINEAR)


def _model(name: str, folder: Path) -> str | Path:
    """Return a model that is named, or a file that is named beside the profile."""
    beside = folder / name
    return beside if beside.is_file() else name


def _aligner(profile: Profile, folder: Path) -> Aligner | None:
    if profile.alignment is None:
        return None
    path = folder / profile.alignment.picture
    try:
        reference = open_picture(path, max(profile.size))
    except PictureError as error:
        raise ProfileError(f"alignment.picture: {error}") from error
    if list(reference.size) != list(profile.size):
        raise ProfileError(
            f"alignment.picture {path} has {reference.width}×{reference.height} pixels, the profile says "
            f"{profile.size[0]}×{profile.size[1]}: make the profile again"
        )
    return Aligner(reference, profile.alignment.patches, profile.alignment.furthest * max(profile.size))


def _contrast(image: Image.Image) -> int:
    """Return how many grey steps lie between all but the darkest and lightest pixels."""
    low, high = np.percentile(np.asarray(image.convert("L")), (3, 97))
    return int(high - low)


def _wheel(slot: Slot, shares: Mapping[str, float], leading: bool) -> tuple[Wheel, str]:
    """Return what is known of a slot, and the sign or blank that it shows instead of a digit, else nothing.

    Args:
        slot: the slot.
        shares: probability of each class.
        leading: whether all slots to its left show none.
    """
    seen = np.zeros(turns.COUNT)
    for label, share in shares.items():
        if label in _TENTHS_OF:
            seen[_TENTHS_OF[label]] += share
    instead = max((MINUS, BLANK), key=lambda name: shares.get(name, 0.0))
    if slot.kind == "digit" and leading and shares.get(instead, 0.0) > 0.5:
        # In front of a number both stand for a zero that is not shown.
        seen[0] += shares[instead]
        return Wheel(seen, False), instead
    return Wheel(seen, slot.kind == "wheel"), ""


def _one_by_one(wheels: Sequence[Wheel]) -> Count:
    """Return the likeliest digit of each wheel by itself, whatever its neighbours show."""
    # A wheel shows the digit that it is nearest to.
    shares = np.stack([digit_shares(wheel.shares) for wheel in wheels])
    best = shares.max(axis=1)
    return Count(tuple(shares.argmax(axis=1).tolist()), float(best.min()), tuple(best.tolist()))


def _label(shares: Mapping[str, float]) -> str:
    best = max(shares, key=lambda label: shares[label])
    return str(turns.digit_of(_TENTHS_OF[best])) if best in _TENTHS_OF else best


def _turn(slot: Slot, wheel: Wheel) -> float | None:
    return int(np.argmax(wheel.shares)) / 10 if slot.kind == "wheel" else None


def _doubt(counted: Count, least: float) -> str:
    if max(counted.shares) < least or counted.probability < 0.5 * min(counted.shares):
        return reasons.DOES_NOT_FIT
    places = [str(index + 1) for index, share in enumerate(counted.shares) if share < least]
    if not places:
        return f"{reasons.LOW_CONFIDENCE} {100 * counted.probability:.1f} %"
    return f"{reasons.DOUBTFUL} {', '.join(places)}"
