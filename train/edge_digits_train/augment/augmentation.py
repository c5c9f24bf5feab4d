"""Augmentation: change training pictures a little in each epoch.

They are moved, bent, drawn with a thinner or thicker pen, and put out of focus. Numpy alone does it, so that a training
sees the same pictures under every Keras backend. And it is fast, since an epoch of a small network takes seconds:
60,000 pictures take 1.2 s on one core (``benchmarks/speed/augmenting.py``). Three things make it fast. A smooth random
displacement is two small matrix products; one bilinear lookup into flat arrays distorts the pictures; and all of this
is done in small chunks, which stay in the cache.

The elastic distortion follows P. Simard, D. Steinkraus, J. Platt: "Best practices for convolutional neural networks
applied to visual document analysis", ICDAR 2003. Here the smoothed noise is a sum of Gaussian bumps on a coarse grid,
which is nearly the same field without a convolution for each picture.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from edge_digits_runtime.errors import UsageError
from edge_digits_runtime.mnist_format import SIDE
from numpy.typing import NDArray

from edge_digits_train.augment.arrays import Float32, Floats, Pictures
from edge_digits_train.augment.strokes import add_forms

# 64 pictures of float32 are 200 kB: the dozen arrays of a chunk that are in use at a time stay in a 1 MB L2 cache.
_CHUNK = 64
# Pictures are looked up in a frame, so that pixels from outside are background without a test.
_FRAME = 2
_RANGES = ("width", "height")
_FORMS = {1: "upstroke_one", 4: "short_four", 7: "crossed_seven", 9: "hooked_nine"}


@dataclass(frozen=True)
class Augmentation:
    """Limits of the changes to a training picture. Each amount is drawn anew for each picture; 0 turns a change off.

    The defaults are good for MNIST and for real pictures. Wider limits cost MNIST more than they gain elsewhere, see
    docs/research/frontier.md.
    """

    rotation: float = 10.0
    """Largest turn in degrees, to either side, about the centre."""
    shear: float = 0.15
    """Largest slant: pixels sideways for each pixel down, to either side."""
    width: tuple[float, float] = (0.8, 1.1)
    """Smallest and largest size along x, as a factor > 0. Many people write narrower than MNIST's writers."""
    height: tuple[float, float] = (0.9, 1.1)
    """Smallest and largest size along y, as a factor > 0."""
    translation: float = 1.5
    """Largest shift in pixels along x and along y."""
    elastic: float = 0.5
    """Root mean square of the elastic displacement in pixels along each axis."""
    elastic_sigma: float = 5.0
    """Standard deviation of the Gaussian that smooths the elastic displacement, in pixels, at least 2."""
    thicken: float = 0.5
    """Largest share in [0, 1] of a grey dilation by one pixel (a thicker pen)."""
    thin: float = 0.5
    """Largest share in [0, 1] of a grey erosion by one pixel (a thinner pen)."""
    blur: float = 0.5
    """Largest standard deviation in pixels, in [0, 0.7], of the blur that scanning and resizing leave."""
    contrast: float = 0.3
    """Largest relative change of contrast about mid-grey, in [0, 1): harder or softer edges of the stroke."""
    tone: float = 0.3
    """Largest bend of the grey curve in [0, 1], to either side: lighter or darker half-tones."""
    noise: float = 0.0
    """Largest standard deviation of added noise, in grey levels."""
    brightness: float = 0.0
    """Largest number of grey levels that are added to a whole picture or taken from it, in [0, 255]."""
    shade: float = 0.0
    """Largest difference in brightness from one side of a picture to the opposite one, in grey levels, in [0, 255]:
    light that falls in from a side, drawn anew along x and along y."""
    inverted: float = 0.0
    """Share in [0, 1] of the pictures that become their negatives."""
    whole_picture: bool = False
    """Whether there is a picture up to its edges, and not ink on a background of 0: what comes in from outside is then
    the nearest pixel of the edge, and contrast changes about mid-grey for dark and light alike."""
    clean: float = 0.1
    """Share in [0, 1] of the pictures that are left as they are."""
    upstroke_one: float = 0.0
    """Share in [0, 1] of the 1s that get an upstroke, see `edge_digits_train.augment.strokes`."""
    short_four: float = 0.0
    """Share in [0, 1] of the 4s whose stem is shortened."""
    crossed_seven: float = 0.0
    """Share in [0, 1] of the 7s that get a bar through the stem."""
    hooked_nine: float = 0.0
    """Share in [0, 1] of the 9s whose stem turns to the left at its end."""

    def __post_init__(self) -> None:
        unit = ("thicken", "thin", "tone", "clean", "inverted", *_FORMS.values())
        checks = [(name, 0.0, 1.0) for name in unit] + [("blur", 0.0, 0.7), ("contrast", 0.0, 0.99)]
        checks += [("rotation", 0.0, 180.0), ("shear", 0.0, 2.0), ("translation", 0.0, float(SIDE))]
        checks += [("elastic", 0.0, float(SIDE)), ("elastic_sigma", 2.0, float(SIDE)), ("noise", 0.0, 255.0)]
        checks += [("brightness", 0.0, 255.0), ("shade", 0.0, 255.0)]
        for name, low, high in checks:
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"augmentation {name} is {getattr(self, name)}; allowed is {low:g} to {high:g}")
        for name in _RANGES:
            low, high = getattr(self, name)
            if not 0.1 <= low <= high <= 10:
                raise UsageError(f"augmentation {name} is {low} to {high}; allowed is 0.1 to 10, the smaller first")

    def without_forms(self) -> "Augmentation":
        """Return the same without the written forms, which only digits have."""
        changes: dict[str, Any] = dict.fromkeys(_FORMS.values(), 0.0)
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-ready values."""
        return dataclasses.asdict(self) | {name: list(getattr(self, name)) for name in _RANGES}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Augmentation":
        """Read what `to_dict` wrote.

        Raises:
            UsageError: a name is unknown, or a value is out of range.
        """
        known = [f.name for f in dataclasses.fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise UsageError(f"augmentation has no {', '.join(unknown)}; there is {', '.join(known)}")
        fields = dict(values)
        for name in set(_RANGES) & set(fields):
            low, high = fields[name]
            fields[name] = (float(low), float(high))
        return cls(**fields)


def augment(
    images: Pictures, rng: np.random.Generator, settings: Augmentation, labels: NDArray[np.uint8] | None = None
) -> Pictures:
    """Change every picture at random.

    Args:
        images: shape ``(n, height, width)``, of ink 0 background and 255 ink; left as it is.
        rng: the same generator state, settings and pictures give the same result.
        settings: the limits of the changes.
        labels: shape ``(n,)``; needed only where ``settings`` asks for written forms of certain digits.

    Returns:
        A new array of the same shape and type.

    Raises:
        ValueError: written forms are asked for, but there are no labels.
    """
    shares = {digit: share for digit, name in _FORMS.items() if (share := getattr(settings, name))}
    if shares:
        if labels is None:
            raise ValueError(f"{' and '.join(_FORMS[digit] for digit in shares)} need the labels of the pictures")
        images = add_forms(images, labels, rng, shares)
    result = np.empty_like(images)
    for start in range(0, len(images), _CHUNK):
        chunk = images[start : start + _CHUNK]
        changed = _retouch(_pen(_warp(chunk, rng, settings), rng, settings), rng, settings)
        clean = rng.random(len(chunk)) < settings.clean
        result[start : start + _CHUNK] = np.where(clean[:, None, None], chunk, changed)
    return result


def uniform(rng: np.random.Generator, low: float, high: float, count: int) -> Float32:
    """Draw ``count`` numbers between ``low`` and ``high``, of shape ``(count, 1, 1)`` to multiply pictures with."""
    return rng.uniform(low, high, (count, 1, 1)).astype(np.float32)


def _offsets(side: int) -> Floats:
    """Return the place of each row or column of a picture, from its centre."""
    offsets: Floats = np.arange(side) - (side - 1) / 2
    return offsets


@functools.lru_cache(maxsize=8)
def _bumps(sigma: float, side: int) -> Float32:
    """Return Gaussian bumps along one axis, shape ``(knots, side)``, a sigma apart, up to a sigma beyond the picture.

    They are scaled so that the products of a bump along y and one along x, times standard normal numbers, add up to a
    field whose root mean square is 1.
    """
    reach = int(np.ceil((side - 1) / 2 / sigma)) + 1
    knots = sigma * np.arange(-reach, reach + 1)
    bumps = np.exp(-((_offsets(side) - knots[:, None]) ** 2) / (2 * sigma**2))
    scaled: Float32 = (bumps / np.sqrt((bumps**2).sum(axis=0).mean())).astype(np.float32)
    return scaled


def _sizes(count: int, rng: np.random.Generator, limits: tuple[float, float]) -> NDArray[np.float64]:
    """Draw ``count`` factors, evenly on a log scale: half and double are equally far from 1."""
    low, high = (math.log(limit) for limit in limits)
    return np.exp(rng.uniform(low, high, count))


def _sources(shape: tuple[int, ...], rng: np.random.Generator, settings: Augmentation) -> tuple[Float32, Float32]:
    """Draw the x and y in the source that each pixel is taken from.

    Args:
        shape: of the pictures, ``(count, height, width)``.
        rng: of the draw.
        settings: the limits of the changes.

    Returns:
        Two arrays of that shape.
    """
    count, height, width = shape
    angle = np.deg2rad(rng.uniform(-settings.rotation, settings.rotation, count))
    shear = rng.uniform(-settings.shear, settings.shear, count)
    scale_x, scale_y = _sizes(count, rng, settings.width), _sizes(count, rng, settings.height)
    shift = rng.uniform(-settings.translation, settings.translation, (2, count))
    cos, sin = np.cos(angle), np.sin(angle)
    by_x = np.stack([cos / scale_x, sin / scale_y])
    by_y = np.stack([(shear * cos - sin) / scale_x, (shear * sin + cos) / scale_y])
    centre = (np.array([[width], [height]]) - 1) / 2 + shift
    along_x = (by_x[..., None, None] * _offsets(width)).astype(np.float32)
    along_y = (by_y[..., None] * _offsets(height) + centre[..., None]).astype(np.float32)
    down, across = (_bumps(settings.elastic_sigma, side) for side in (height, width))
    # Products this small stay on one thread; a larger one would wait for other threads on a busy machine.
    noise = rng.standard_normal((2, count, len(down), len(across)), dtype=np.float32)
    noise *= np.float32(settings.elastic)
    sources: Float32 = down.T @ (noise @ across)
    sources += along_x
    sources += along_y[..., None]
    x, y = sources
    return x, y


def _warp(images: Pictures, rng: np.random.Generator, settings: Augmentation) -> Pictures:
    """Turn, slant, resize, shift and bend pictures by one bilinear lookup."""
    x, y = _sources(images.shape, rng, settings)
    margin = ((0, 0), (_FRAME, _FRAME), (_FRAME, _FRAME))
    framed = np.pad(images, margin, mode="edge" if settings.whole_picture else "constant")
    count, height, width = framed.shape
    # Clipped to the outer pixels of the frame, which are background, so that the right and lower neighbours exist.
    for axis, side in ((x, width), (y, height)):
        axis += _FRAME
        np.clip(axis, 0, side - 2, out=axis)
    column, row = x.astype(np.int32), y.astype(np.int32)
    x -= column
    y -= row
    row *= width
    row += column
    row += np.arange(count, dtype=np.int32)[:, None, None] * np.int32(height * width)
    index = row.astype(np.intp)
    flat = framed.ravel()
    # Interpolated along x in the row above and in the row below, then along y between the two.
    above, below = (_between(flat[shift:], flat[shift + 1 :], index, x) for shift in (0, width))
    below -= above
    below *= y
    above += below
    above += 0.5
    return above.astype(np.uint8)


def _between(left: Pictures, right: Pictures, index: NDArray[np.intp], share: Float32) -> Float32:
    """Return ``left[index]`` moved by ``share`` towards ``right[index]``."""
    # mode="clip" skips the bounds check and its buffer; _warp keeps the indices inside.
    start = left.take(index, mode="clip").astype(np.float32)
    step = right.take(index, mode="clip").astype(np.float32)
    step -= start
    step *= share
    start += step
    return start


def _pen(images: Pictures, rng: np.random.Generator, settings: Augmentation) -> Float32:
    """Move each picture part of the way to its dilation (a thicker pen) or to its erosion (a thinner pen)."""
    amount = uniform(rng, -settings.thin, settings.thicken, len(images))
    pixels = images.astype(np.float32)
    if settings.thin or settings.thicken:
        thicker, thinner = _neighbours(images, np.maximum), _neighbours(images, np.minimum)
        target = np.where(amount > 0, thicker, thinner).astype(np.float32)
        target -= pixels
        target *= np.abs(amount)
        pixels += target
    return pixels


def _neighbours(images: Pictures, choose: np.ufunc) -> Pictures:
    """Return the maximum or minimum, as ``choose`` says, over each pixel and its four neighbours; edges have fewer."""
    result = images.copy()
    for inner, outer in (
        (np.s_[:, 1:, :], np.s_[:, :-1, :]),
        (np.s_[:, :-1, :], np.s_[:, 1:, :]),
        (np.s_[:, :, 1:], np.s_[:, :, :-1]),
        (np.s_[:, :, :-1], np.s_[:, :, 1:]),
    ):
        choose(result[inner], images[outer], out=result[inner])
    return result


def _retouch(pixels: Float32, rng: np.random.Generator, settings: Augmentation) -> Pictures:
    """Change blur, contrast, tone and noise, in the order in which a camera and a resize would."""
    count = len(pixels)
    if settings.blur:
        # Two taps of w beside 1 - 2w have variance 2w.
        sigma = uniform(rng, 0, settings.blur, count)
        share: Float32 = sigma * sigma * np.float32(0.5)
        for axis in (1, 2):
            pixels = _smooth(pixels, share, axis)
    gain = uniform(rng, 1 - settings.contrast, 1 + settings.contrast, count)
    # Contrast changes about mid-grey, except that softer ink gets lighter and not its paper grey: 0 stays 0.
    pixels *= gain
    pixels -= np.float32(127.5) * (gain - 1 if settings.whole_picture else np.maximum(gain - 1, 0))
    np.clip(pixels, 0, 255, out=pixels)
    bend = uniform(rng, -settings.tone, settings.tone, count) / 255
    pixels += bend * pixels * (255 - pixels)
    if settings.brightness:
        pixels += uniform(rng, -settings.brightness, settings.brightness, count)
        np.clip(pixels, 0, 255, out=pixels)
    if settings.shade:
        # Along each axis half of it at most to either side of the centre.
        for axis, side in enumerate(pixels.shape[1:], 1):
            ramp = (_offsets(side) / side).astype(np.float32)
            pixels += uniform(rng, -settings.shade, settings.shade, count) * np.expand_dims(ramp, 2 - axis)
        np.clip(pixels, 0, 255, out=pixels)
    if settings.inverted:
        chosen = rng.random(count) < settings.inverted
        pixels[chosen] = 255 - pixels[chosen]
    if settings.noise:
        spread = uniform(rng, 0, settings.noise, count)
        pixels += spread * rng.standard_normal(pixels.shape, dtype=np.float32)
        np.clip(pixels, 0, 255, out=pixels)
    pixels += 0.5
    return pixels.astype(np.uint8)


def _smooth(pixels: Float32, share: Float32, axis: int) -> Float32:
    """Let each pixel give ``share`` to both neighbours along ``axis``; ink that leaves the picture is lost."""
    result = pixels * (1 - 2 * share)
    given = pixels * share
    ahead: tuple[slice, ...] = (slice(None),) * axis + (slice(1, None),)
    behind: tuple[slice, ...] = (slice(None),) * axis + (slice(None, -1),)
    result[ahead] += given[behind]
    result[behind] += given[ahead]
    return result
