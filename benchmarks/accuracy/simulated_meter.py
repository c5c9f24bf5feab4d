"""A water meter as a fixed camera sees it, drawn: its face, its wheels in any state, and what goes wrong in a cellar.

The digits of the wheels are in the typeface that comes with Pillow, or in one of `typefaces_not_trained_on`.
"""

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIZE = 640, 480
"""Width and height of a picture in pixels."""
_PITCH = 62
"""Pixels from one digit of a wheel to the next."""
_WINDOW = 46, 66
"""Width and height of the window over a wheel in pixels."""
_ROW = 130, 190
"""Where the first window is."""
_STEP = 60
"""Pixels from one window to the next."""
Gray = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """What stands between the meter and its picture."""

    shift: tuple[float, float] = (0.0, 0.0)
    """Pixels to the right and down."""
    degrees: float = 0.0
    """Turned clockwise."""
    scale: float = 1.0
    """1.02 is nearer."""
    light: float = 1.0
    """Brightness."""
    blur: float = 0.8
    """Radius in pixels."""
    noise: float = 3.0
    """Standard deviation in grey steps."""
    glare: tuple[float, float, float, float] | None = None
    """x, y and radius in pixels, and strength in [0, 1], of a light spot."""
    specks: tuple[tuple[float, float, float, float], ...] = ()
    """x, y and radius in pixels, and darkness in [0, 1], of dirt on the glass."""
    haze: float = 0.0
    """Share of the picture that is a flat grey, as behind steam."""


@dataclass(frozen=True)
class SimulatedMeter:
    """A meter with a row of wheels."""

    wheels: int = 6
    """How many."""
    decimals: int = 2
    """How many of them are red, behind the decimal point."""
    seed: int = 0
    """Of its colours and the play of its wheels."""
    typeface: str | None = None
    """Name of the typeface of the wheels; None for Pillow's."""
    carry: float = 1.0
    """In how many digits of a wheel the one to its left moves on: 1, from 9 to 0."""
    play: float = 0.08
    """Standard deviation in digits of where each wheel rests."""
    _cache: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def boxes(self) -> list[tuple[int, int, int, int]]:
        """x, y, width and height of each window."""
        return [(_ROW[0] + index * _STEP, _ROW[1], *_WINDOW) for index in range(self.wheels)]

    def turns(self, state: int) -> list[float]:
        """Return how far each wheel has turned, from left to right, in [0, 10).

        Args:
            state: tenths of a digit of the last wheel since all stood at 0.
        """
        found = []
        number, moved = divmod(state, 10)
        # In tenths: of the last wheel how far it is between two digits, of others what they are taken along.
        for index in range(self.wheels):
            number, digit = divmod(number, 10)
            found.append(digit + moved / 10)
            start = 10 - self.carry if index == 0 else 9
            moved = max(0.0, (found[-1] - start) / (10 - start)) * 10
            if index > 0 and digit != 9:
                moved = 0.0
        return found[::-1]

    def picture(self, state: int, view: View | None = None, seed: int = 0) -> Image.Image:
        """Draw the meter in a state, see `turns`; ``seed`` is of the noise."""
        face = self._face.copy()
        slack = np.random.default_rng(self.seed + 77).normal(0, self.play, self.wheels)
        for index, (turn, (x, y, _, _)) in enumerate(zip(self.turns(state), self.boxes, strict=True)):
            # The last wheel is read by itself: where it rests is what it shows.
            offset = slack[index] if index < self.wheels - 1 else 0.0
            face.paste(self._window(index, turn + float(offset)), (x, y))
        return seen(face, view or View(), seed)

    def wheel(self, index: int, turn: float, random: np.random.Generator) -> Image.Image:
        """Draw one wheel in its window as a slot shows it: a little off its place, in some light."""
        x, y, width, height = self.boxes[index]
        around = self._face.crop((x - 12, y - 12, x + width + 12, y + height + 12))
        around.paste(self._window(index, turn), (12, 12))
        blurred = around.filter(ImageFilter.GaussianBlur(float(random.uniform(0.4, 1.4))))
        right, down = random.normal(0, 1.0, 2)
        scale = random.uniform(0.97, 1.03)
        data = (1 / scale, 0, 12 + float(right), 0, 1 / scale, 12 + float(down))
        cut = blurred.transform((width, height), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
        pixels = np.asarray(cut, np.float32) * random.uniform(0.35, 1.15)
        pixels = pixels + random.normal(0, random.uniform(1, 5), (height, width, 1))
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))

    def _window(self, index: int, turn: float) -> Image.Image:
        """Return what is seen of a wheel through its window."""
        height = _WINDOW[1]
        strip = self._strip(index >= self.wheels - self.decimals)
        # The next digit comes from below. The middle of the window is the middle of a digit.
        start = (turn * _PITCH + (_PITCH - height) / 2) % strip.shape[0]
        rows = (start + np.arange(height)) % strip.shape[0]
        low = np.floor(rows).astype(int)
        part = (rows - low)[:, None, None]
        shown = strip[low] * (1 - part) + strip[(low + 1) % strip.shape[0]] * part
        # A wheel is round: darker towards its edges.
        bend = np.cos(np.linspace(-1, 1, height) * 0.9)[:, None, None]
        shown = shown * (0.35 + 0.65 * bend)
        shown[:3] *= 0.45
        shown[-2:] *= 0.7
        shown[:, :2] *= 0.5
        shown[:, -2:] *= 0.6
        return Image.fromarray(shown.clip(0, 255).astype(np.uint8))

    def _strip(self, red: bool) -> Floats:
        """Return the surface of a wheel, shape ``(10 * pitch, width, 3)``."""
        if (key := f"strip {red}") not in self._cache:
            random = np.random.default_rng(self.seed)
            light_on_dark = bool(random.random() < 0.6)
            ground, ink = np.array([28.0, 28, 30]), np.array([225.0, 225, 220])
            if red:
                ground = np.array([165.0, 30, 35]) if light_on_dark else ground
            if not light_on_dark:
                ground, ink = np.array([222.0, 222, 215]), np.array([170.0, 25, 30] if red else [25, 25, 25])
            strip = np.broadcast_to(ground, (10 * _PITCH, _WINDOW[0], 3)).copy()
            for digit in range(10):
                cell = _digit(self.typeface, digit, round(_PITCH * 0.68), _WINDOW[0] - 10)
                top = digit * _PITCH + (_PITCH - cell.shape[0]) // 2
                left = (_WINDOW[0] - cell.shape[1]) // 2
                part = strip[top : top + cell.shape[0], left : left + cell.shape[1]]
                part += (ink - ground) * (cell[..., None] / 255.0)
            self._cache[key] = strip
        found: Floats = self._cache[key]
        return found

    @functools.cached_property
    def _face(self) -> Image.Image:
        """The meter without its wheels."""
        random = np.random.default_rng(self.seed + 1)
        shade = int(random.integers(150, 225))
        face = Image.new("RGB", SIZE, (shade // 3, shade // 3, shade // 3))
        draw = ImageDraw.Draw(face)
        draw.ellipse((30, -40, 610, 540), fill=(shade, shade, shade - 8), outline=(90, 90, 90), width=9)
        ink = (40, 40, 45)
        x, y, width, height = self.boxes[0]
        right = self.boxes[-1][0] + width
        draw.rectangle((x - 12, y - 12, right + 12, y + height + 12), fill=(60, 60, 62), outline=(20, 20, 20), width=3)
        draw.text((280, 60), "AQUA", fill=ink, font=ImageFont.load_default(34))
        draw.text((230, 108), f"Qn 2,5  No. {17_400_000 + self.seed}", fill=ink, font=ImageFont.load_default(18))
        draw.text((min(right + 18, 560), 200), "m3", fill=ink, font=ImageFont.load_default(30))
        draw.ellipse((180, 310, 290, 420), outline=ink, width=3)
        for angle in np.arange(0, 2 * np.pi, np.pi / 10):
            c, s = np.cos(angle), np.sin(angle)
            draw.line((235 + 42 * c, 365 + 42 * s, 235 + 52 * c, 365 + 52 * s), fill=ink, width=2)
        draw.line((235, 365, 262, 338), fill=(170, 30, 30), width=5)
        draw.text((340, 335), "EN 14154", fill=ink, font=ImageFont.load_default(22))
        draw.rectangle((345, 375, 460, 410), outline=ink, width=3)
        for line in range(12):
            draw.line((350 + 9 * line, 380, 350 + 9 * line, 405), fill=ink, width=1 + line * 7 % 4)
        return face


def seen(face: Image.Image, view: View, seed: int) -> Image.Image:
    """Return what a camera makes of it."""
    random = np.random.default_rng(seed)
    width, height = SIZE
    angle = np.deg2rad(view.degrees)
    # From a pixel of the picture to the pixel of the face: about the middle.
    c, s = np.cos(angle) / view.scale, np.sin(angle) / view.scale
    x, y = width / 2 + view.shift[0], height / 2 + view.shift[1]
    data = (c, s, width / 2 - c * x - s * y, -s, c, height / 2 + s * x - c * y)
    moved = face.transform(SIZE, Image.Transform.AFFINE, data, Image.Resampling.BICUBIC, fillcolor=(35, 35, 35))
    if view.blur:
        moved = moved.filter(ImageFilter.GaussianBlur(view.blur))
    pixels = np.asarray(moved, np.float32)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    for x, y, radius, darkness in view.specks:
        spot = np.exp(-(((columns - x) ** 2 + (rows - y) ** 2) / radius**2))
        pixels = pixels * (1 - darkness * spot)[..., None]
    pixels = pixels * (1 - view.haze) + 128 * view.haze
    pixels = pixels * view.light
    if view.glare:
        x, y, radius, strength = view.glare
        spot = strength * np.exp(-(((columns - x) ** 2 + (rows - y) ** 2) / radius**2))
        pixels = pixels + (255 - pixels.clip(0, 255)) * spot[..., None]
    pixels = pixels + random.normal(0, view.noise, (height, width, 1)).astype(np.float32)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@functools.cache
def _all_faces() -> Any:
    # The distribution of the training side, which tests of the device profile do without.
    from edge_digits_train.lines import typefaces

    return typefaces.unpack()


def typefaces_not_trained_on() -> list[str]:
    """Return upright typefaces of print that are in no training."""
    return _upright(held_out=True)


def typefaces_trained_on() -> list[str]:
    """Return upright typefaces of print that trainings use: what is set by hand is tried on these."""
    return _upright(held_out=False)


def _upright(held_out: bool) -> list[str]:
    faces = _all_faces()
    return [
        name
        for index, name in enumerate(faces.names)
        if faces.held_out[index] == held_out
        and not faces.hand[index]
        and not any(word in name for word in ("Oblique", "Italic"))
    ]


def _digit(typeface: str | None, digit: int, height: int, widest: int) -> Gray:
    """Return a digit in a typeface, 255 is ink."""
    if typeface is None:
        font = ImageFont.load_default(round(height * 1.38))
        canvas = Image.new("L", (2 * height, 2 * height))
        ImageDraw.Draw(canvas).text((height // 2, height // 4), str(digit), 255, font, stroke_width=1)
        cut = canvas.crop(canvas.getbbox())
    else:
        faces = _all_faces()
        cut = Image.fromarray(faces.glyph(faces.names.index(typeface), str(digit))[0])
    size = max(3, min(widest, round(cut.width * height / cut.height))), height
    return np.asarray(cut.resize(size, Image.Resampling.BICUBIC))
