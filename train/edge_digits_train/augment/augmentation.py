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

from edge_digits_train.augment.arrays import Float32, Pictures
from edge_digits_train.augment.strokes import add_forms

# 64 pictures of float32 are 200 kB: the dozen arrays of a chunk that are in use at a time stay in a 1 MB L2 cache.
_CHUNK = 64
# Pictures are looked up in a frame of zeros, so that pixels from outside are background without a test.
_FRAME = 2
_FRAMED = SIDE + 2 * _FRAME
_CENTRE = (SIDE - 1) / 2
# Of each row or column from the centre.
_OFFSETS = np.arange(SIDE) - _CENTRE
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
        unit = ("thicken", "thin", "tone", "clean", *_FORMS.values())
        checks = [(name, 0.0, 1.0) for name in unit] + [("blur", 0.0, 0.7), ("contrast", 0.0, 0.99)]
        checks += [("rotation", 0.0, 180.0), ("shear", 0.0, 2.0), ("translation", 0.0, float(SIDE))]
        checks += [("elastic", 0.0, float(SIDE)), ("elastic_sigma", 2.0, float(SIDE)), ("noise", 0.0, 255.0)]
        for name, low, high in checks:
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"augmentation {name} is {getattr(self, name)}; allowed is {low:g} to {high:g}")
        for name in _RANGES:
            low, high = getattr(self, name)
            if not 0.1 <= low <= high <= 10:
                raise UsageError(f"augmentation {name} is {low} to {high}; allowed is 0.1 to 10, the smaller first")

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
        images: shape ``(n, 28, 28)``, 0 background, 255 ink; left as it is.
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


@functools.lru_cache(maxsize=4)
def _bumps(sigma: float) -> Float32:
    """Return Gaussian bumps along one axis, shape ``(knots, 28)``, a sigma apart, up to a sigma beyond the picture.

    They are scaled so that the products of a bump along y and one along x, times standard normal numbers, add up to a
    field whose root mean square is 1.
    """
    reach = int(np.ceil(_CENTRE / sigma)) + 1
    knots = sigma * np.arange(-reach, reach + 1)
    bumps = np.exp(-((_OFFSETS - knots[:, None]) ** 2) / (2 * sigma**2))
    scaled: Float32 = (bumps / np.sqrt((bumps**2).sum(axis=0).mean())).astype(np.float32)
    return scaled


def _sizes(count: int, rng: np.random.Generator, limits: tuple[float, float]) -> NDArray[np.float64]:
    """Draw ``count`` factors, evenly on a log scale: half and double are equally far from 1."""
    low, high = (math.log(limit) for limit in limits)
    return np.exp(rng.uniform(low, high, count))


def _sources(count: int, rng: np.random.Generator, settings: Augmentation) -> Float32:
    """Draw the x and y in the source that each pixel is taken from, shape ``(2, count, 28, 28)``."""
    angle = np.deg2rad(rng.uniform(-settings.rotation, settings.rotation, count))
    shear = rng.uniform(-settings.shear, settings.shear, count)
    scale_x, scale_y = _sizes(count, rng, settings.width), _sizes(count, rng, settings.height)
    shift = rng.uniform(-settings.translation, settings.translation, (2, count))
    cos, sin = np.cos(angle), np.sin(angle)
    by_x = np.stack([cos / scale_x, sin / scale_y])
    by_y = np.stack([(shear * cos - sin) / scale_x, (shear * sin + cos) / scale_y])
    along_x = (by_x[..., None, None] * _OFFSETS).astype(np.float32)
    along_y = (by_y[..., None] * _OFFSETS + (_CENTRE + shift)[..., None]).astype(np.float32)
    bumps = _bumps(settings.elastic_sigma)
    # Products this small stay on one thread; a larger one would wait for other threads on a busy machine.
    noise = rng.standard_normal((2, count, len(bumps), len(bumps)), dtype=np.float32)
    noise *= np.float32(settings.elastic)
    sources: Float32 = bumps.T @ (noise @ bumps)
    sources += along_x
    sources += along_y[..., None]
    return sources


def _warp(images: Pictures, rng: np.random.Generator, settings: Augmentation) -> Pictures:
    """Turn, slant, resize, shift and bend pictures by one bilinear lookup."""
    count = len(images)
    x, y = _sources(count, rng, settings)
    framed = np.zeros((count, _FRAMED, _FRAMED), np.uint8)
    framed[:, _FRAME:-_FRAME, _FRAME:-_FRAME] = images
    # Clipped to the outer pixels of the frame, which are 0, so that the right and lower neighbours exist as well.
    for axis in (x, y):
        axis += _FRAME
        np.clip(axis, 0, _FRAMED - 2, out=axis)
    column, row = x.astype(np.int32), y.astype(np.int32)
    x -= column
    y -= row
    row *= _FRAMED
    row += column
    row += np.arange(count, dtype=np.int32)[:, None, None] * np.int32(_FRAMED * _FRAMED)
    index = row.astype(np.intp)
    flat = framed.ravel()
    # Interpolated along x in the row above and in the row below, then along y between the two.
    above, below = (_between(flat[shift:], flat[shift + 1 :], index, x) for shift in (0, _FRAMED))
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
    # Contrast changes about mid-grey, except that a softer picture gets lighter ink and not grey paper: 0 stays 0.
    pixels *= gain
    pixels -= np.float32(127.5) * np.maximum(gain - 1, 0)
    np.clip(pixels, 0, 255, out=pixels)
    bend = uniform(rng, -settings.tone, settings.tone, count) / 255
    pixels += bend * pixels * (255 - pixels)
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
