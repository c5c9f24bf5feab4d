"""Measure time and memory of preprocessing and of ``read``: ``uv run python benchmarks/speed/pictures_speed.py``.

Measured are small pictures; a photograph of 12 megapixels, compared with decoding it at reduced size, and the peak
memory of a process that preprocesses it; a folder of small PNGs on all cores, compared with decoding them; and ``read``
with the default model, on numbers whose digits are apart or touch and on a page of 600 digits.
"""

import io
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.device.facts import peak_memory_bytes
from edge_digits_runtime.image.picture import SHORTER_SIDE, digit_pixels, open_picture
from edge_digits_runtime.page import digit_reading
from edge_digits_train.data import mnist
from PIL import Image

# The pictures are those that accuracy is measured on.
sys.path.append(str(Path(__file__).parents[1] / "accuracy"))
from real_pictures import SPACES
from synthetic import number, photograph

PHOTO = (4000, 3000)
"""Width and height in pixels of the large photograph."""
FILES = 10_000
"""Pictures in the folder."""
REPEATS = 15
"""Times that the photograph is decoded and preprocessed."""
NUMBERS = 60
"""Pictures of numbers that are read for each kind of space between digits."""


def main() -> None:
    """Print each figure, and the target where there is one."""
    images = mnist.load().test.images
    photo = _photo(images[0])
    crop = photograph(images[1], np.random.default_rng(1)).convert("RGB").resize((100, 100), Image.Resampling.BOX)
    framed = Image.fromarray(images[2])
    shifted = Image.fromarray(np.roll(images[2], 3, axis=1))
    for name, image in (("28x28, in the frame", framed), ("28x28, not in it", shifted), ("100x100 photograph", crop)):
        print(f"{name}: {_median(lambda image=image: digit_pixels(image), 200) * 1e3:.2f} ms (target 1 ms)")
    decode = _median(lambda: _decode(photo), REPEATS)
    whole = _median(lambda: digit_pixels(open_picture(photo)), REPEATS)
    print(f"12 megapixels: decoding {decode * 1e3:.1f} ms, with preprocessing {whole * 1e3:.1f} ms: ", end="")
    print(f"{whole / decode:.2f} times (target 1.5)")
    print(f"12 megapixels: {_memory(photo) / 1e6:.0f} MB over the bare process (target 150 MB)")
    only, both = _folder(images)
    print(
        f"{FILES} PNGs of 28x28 on all cores: {FILES / only:.0f} a second decoded, {FILES / both:.0f} preprocessed: ",
        end="",
    )
    print(f"{only / both:.0%} of the speed (target 70%)")
    classifier = DigitClassifier()
    for name, gap in SPACES.items():
        numbers = [number(images[5 * k : 5 * k + 5], np.random.default_rng([3, k]), gap) for k in range(NUMBERS)]
        times = [_median(lambda image=image: digit_reading.read(image, classifier), 3) for image in numbers]
        print(f"read, numbers of 5 digits, {name}: {statistics.median(times) * 1e3:.1f} ms")
    rows = [np.hstack(images[20 * k : 20 * k + 20]) for k in range(30)]
    page = Image.fromarray(255 - np.vstack(rows)).resize((20 * 84, 30 * 84), Image.Resampling.BICUBIC)
    print(f"read, a page of 600 digits: {_median(lambda: digit_reading.read(page, classifier), 3):.2f} s")


def _photo(digit: np.ndarray) -> bytes:
    """Return a photograph of a digit with 12 megapixels, as a JPEG."""
    small = photograph(digit, np.random.default_rng(0)).convert("RGB")
    buffer = io.BytesIO()
    small.resize(PHOTO, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _decode(content: bytes) -> None:
    """Decode a JPEG at the size that `open_picture` decodes it at."""
    image = Image.open(io.BytesIO(content))
    image.draft(None, (SHORTER_SIDE, SHORTER_SIDE))
    image.load()


def _median(function: Callable[[], object], count: int) -> float:
    """Return the median processor time of ``count`` calls, in seconds."""
    times = []
    for _ in range(count):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return statistics.median(times)


def _memory(photo: bytes) -> float:
    """Return by how many bytes the peak memory of a new process grows when it preprocesses the photograph."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_growth, (photo,))


def _growth(photo: bytes) -> float:
    """Preprocess the photograph and return by how many bytes the peak memory of this process has grown."""
    before = peak_memory_bytes()
    digit_pixels(open_picture(photo))
    after = peak_memory_bytes()
    if before is None or after is None:
        raise SystemExit("this system does not tell the peak memory of a process")
    return float(after - before)


def _load(path: Path) -> None:
    Image.open(path).load()


def _preprocess(path: Path) -> None:
    digit_pixels(open_picture(path))


def _folder(images: np.ndarray) -> tuple[float, float]:
    """Return the seconds to decode a folder of PNGs on all cores, and to preprocess it; each the least of three."""
    with tempfile.TemporaryDirectory() as name, multiprocessing.Pool() as pool:
        paths = [Path(name) / f"{k}.png" for k in range(FILES)]
        for path, image in zip(paths, images, strict=True):
            Image.fromarray(image).save(path)
        best = []
        for work in (_load, _preprocess):
            times = []
            for _ in range(3):
                start = time.perf_counter()
                pool.map(work, paths, 250)
                times.append(time.perf_counter() - start)
            best.append(min(times))
    return best[0], best[1]


if __name__ == "__main__":
    main()
