"""Damage pictures of every format, and see that they end in an answer or in one line, in bounded memory.

    python tests/fuzz/pictures.py --count 20000 --seed 1

A mutant is a small picture in one of 23 forms of seven formats, with one to six changes: bits flipped, numbers of two
or four bytes replaced by extreme ones, mostly near the start, parts cut off, doubled, moved or put in from another
picture; the checksums of most PNGs are mended. Each is classified, one in eight is read as a page. What is a failure is
in `harness`.
"""

import io
import random
import struct
import sys
import zlib
from typing import Any

import harness
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.image.picture import SHORTER_SIDE, open_picture
from edge_digits_runtime.page.reading import PageReader
from PIL import Image, ImageDraw

_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 65_500, 90_000_000)
_PNG = b"\x89PNG\r\n\x1a\n"


def drawn(mode: str = "L", size: tuple[int, int] = (90, 60)) -> Image.Image:
    """Return a seven."""
    image = Image.new("L", size, 225)
    ImageDraw.Draw(image).line([(30, 12), (60, 12), (42, 50)], 30, 6)
    return image.convert("I;16") if mode == "I;16" else image.convert(mode)


def originals() -> list[harness.Mutant]:
    """Return a picture of each form."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "x" * 40
    forms: list[tuple[str, str, dict[str, Any]]] = [
        *(("png", mode, {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        ("png", "L", {"exif": exif}),
        ("jpg", "L", {"exif": exif}),
        ("jpg", "RGB", {"progressive": True}),
        ("jpg", "CMYK", {}),
        ("gif", "P", {"save_all": True, "append_images": [drawn("P", (40, 30))]}),
        ("bmp", "P", {}),
        ("bmp", "RGBA", {}),
        *(("tif", mode, {"compression": packing}) for mode, packing in (("L", None), ("RGB", "tiff_lzw"))),
        *(("tif", mode, {"compression": packing}) for mode, packing in (("1", "group4"), ("RGB", "tiff_jpeg"))),
        ("tif", "L", {"compression": "tiff_adobe_deflate", "save_all": True, "append_images": [drawn()]}),
        ("webp", "RGB", {}),
        ("webp", "RGBA", {"lossless": True, "exif": exif}),
        ("ppm", "RGB", {}),
        ("pgm", "L", {}),
    ]
    found = []
    for number, (suffix, mode, options) in enumerate(forms):
        buffer = io.BytesIO()
        drawn(mode).save(buffer, Image.registered_extensions()[f".{suffix}"], **options)
        found.append((f"{number}.{suffix}", buffer.getvalue()))
    return found


def damaged(content: bytes, others: list[harness.Mutant], rng: random.Random) -> bytes:
    """Return a picture with one to six changes."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        size = max(len(changed), 1)
        # What matters stands in front.
        at = rng.randrange(min(size, 64)) if rng.random() < 0.4 else rng.randrange(size)
        kind = rng.randrange(9)
        if kind <= 1 and changed:
            changed[at] ^= 1 << rng.randrange(8)
        elif kind <= 4:
            code = rng.choice((">H", "<H", ">I", "<I"))
            width = struct.calcsize(code)
            number = rng.choice(_NUMBERS) if rng.random() < 0.7 else rng.randrange(1 << 32)
            changed[at : at + width] = struct.pack(code, number % (1 << 8 * width))
        elif kind == 5:
            del changed[at : at + rng.choice((1, 2, 4, 16, size))]
        elif kind == 6:
            changed[at:at] = changed[at : at + rng.choice((1, 4, 12, 200))] * rng.choice((1, 2, 50))
        elif kind == 7:
            other = rng.choice(others)[1]
            start = rng.randrange(len(other))
            changed[at : at + 32] = other[start : start + rng.choice((4, 32, 500))]
        else:
            changed[at : at + 8] = rng.randbytes(8)
    return bytes(changed)


def with_checksums(content: bytes) -> bytes:
    """Return a PNG whose chunks have the checksums of their content, as far as there are whole chunks."""
    result, at = bytearray(content[: len(_PNG)]), len(_PNG)
    while at + 12 <= len(content):
        size = struct.unpack_from(">I", content, at)[0]
        if at + 12 + size > len(content):
            break
        body = content[at + 4 : at + 8 + size]
        result += content[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + size
    return bytes(result + content[at:])


class Pictures:
    """Classifies damaged pictures, and reads some as pages."""

    most_mb = 250

    def __init__(self) -> None:
        self._originals = originals()
        self._classifier, self._reader = DigitClassifier(), PageReader()

    def mutant(self, rng: random.Random) -> harness.Mutant:
        """Return a damaged picture."""
        name, original = rng.choice(self._originals)
        content = damaged(original, self._originals, rng)
        if content.startswith(_PNG) and rng.random() < 0.8:
            content = with_checksums(content)
        return ("page-" if rng.random() < 0.125 else "") + name, content

    def run(self, mutant: harness.Mutant) -> str:
        """Answer it."""
        name, content = mutant
        if name.startswith("page-"):
            self._reader.read(open_picture(content, SHORTER_SIDE))
            return "read"
        self._classifier.classify(content)
        return "classified"


if __name__ == "__main__":
    sys.exit(harness.main(Pictures, __doc__))
