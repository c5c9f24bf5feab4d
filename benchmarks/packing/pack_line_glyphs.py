"""Draw the characters of fonts once, so that making pictures of lines needs no font installed.

    python benchmarks/packing/pack_line_glyphs.py train/edge_digits_train/lines/glyphs.npz.xz

Draws from the TrueType and OpenType fonts that fontconfig lists on this machine; those of Debian are listed in
NOTICE.md with their packages and licences. Needs fontTools. For each face the file has the bitmaps of `CHARACTERS` at
one size, cut to the ink, and where each stands on the baseline. It is an uncompressed ``.npz`` inside LZMA.
"""

import io
import lzma
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from edge_digits_runtime.records import files
from fontTools.ttLib import TTFont, TTLibError
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

DIGITS = "0123456789"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ#&?!"
NEEDED = DIGITS + ".,-+/:=()" + LETTERS
CHARACTERS = DIGITS + ".,-+/:=()×*%€$£" + LETTERS
HEIGHT = 40
"""Height of a digit in pixels; of old-style figures, the median."""
PER_FAMILY = 4
"""Faces of a family at most, upright ones first."""
# Symbols, ornaments, outlines, and letters that are not what they are named.
_UNFIT = re.compile(
    r"BRK|DSEG|Ding|Outline|Shadow|Initials|Math|LED|Caps|Unslanted|Dunhill|Emoji|Symbol|Music|Keyboard|Webdings"
    r"|D050000L|Standard Symbols|Junkyard|Bit|Wingding|Train|Roadgeek.*Arrow|Rashi|Nushu|Sousyo|Zapf|Bullets|Engadget"
    r"|Blankenburg|Because We|Balker|Winks|Penguin ?Attack|Swift|Radar|Sixtyfour|C-64|oraeorae|Inverted"
    r"|YOz.*(90|F|M|X|P|bi|i )|Quotation|Mono Prop|Eco$|YetHangul|Cabin ?Sketch",
    re.IGNORECASE,
)
# GPL or LGPL without an exception for documents, or share-alike: their glyphs do not belong into this package.
_UNFREE = re.compile(r"^(Beteckna|Dustismo|Domestic Manners|El Abogado|IndUni|Summersby|Isabella|StayPuft|femkeklaver)")
_NOTO = re.compile(
    r"Noto(Sans|Serif|Mono|SansMono|SerifDisplay|SansDisplay)-(Regular|Bold|Italic|Light|Condensed|Medium|Thin|Black)\."
)
_UPRIGHT_FIRST = {"Regular": 0, "Book": 0, "Roman": 0, "Medium": 1, "Bold": 2, "Italic": 3, "Light": 4}

Glyph = tuple[NDArray[np.uint8], int, int, int]
"""Bitmap, left bearing, top above the baseline, advance; all in pixels."""


def main() -> None:
    """Write the file that the command line names."""
    names, shapes, pixels = [], [], []
    for name, file in _faces():
        glyphs = _draw(file)
        if glyphs is None:
            print("left out:", name)
            continue
        names.append(name)
        shapes.append([(*bitmap.shape, left, top, advance) for bitmap, left, top, advance in glyphs])
        # 16 levels of grey are enough, and pack well.
        pixels += [bitmap.ravel() >> 4 for bitmap, *_ in glyphs]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        names=np.array(names),
        shapes=np.array(shapes, np.int16),
        pixels=np.concatenate(pixels),
        characters=np.array(CHARACTERS),
    )
    files.write_bytes(sys.argv[1], lzma.compress(buffer.getvalue()))
    print(len(names), "faces")


def _faces() -> list[tuple[str, str]]:
    """Return name and file of the faces to draw."""
    command = ["fc-list", "--format", "%{file}|%{index}|%{family[0]}|%{style[0]}\n"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [row for line in listed if len(row := line.split("|")) == 4]
    rows.sort(key=lambda row: (row[2], _UPRIGHT_FIRST.get(row[3], 5), row[0]))
    found: dict[str, str] = {}
    families: dict[str, int] = {}
    for file, index, family, style in rows:
        name = f"{family} {style}"
        if index != "0" or not file.lower().endswith((".ttf", ".otf")) or name in found:
            continue
        if any(pattern.search(text) for pattern in (_UNFIT, _UNFREE) for text in (family, style)):
            continue
        if ("/noto/" in file and not _NOTO.search(Path(file).name)) or families.get(family, 0) >= PER_FAMILY:
            continue
        if _has(file, NEEDED):
            families[family] = families.get(family, 0) + 1
            found[name] = file
    return list(found.items())


def _has(file: str, characters: str) -> bool:
    try:
        known = TTFont(file, lazy=True).getBestCmap() or {}
    except (TTLibError, OSError):
        return False
    return all(ord(character) in known for character in characters)


def _draw(file: str) -> list[Glyph] | None:
    """Return the glyphs of `CHARACTERS`, empty where the face has none; None if its digits cannot be used."""
    layout = ImageFont.Layout.BASIC
    try:
        font = ImageFont.truetype(file, 100, layout_engine=layout)
        boxes = [font.getbbox(digit, anchor="ls") for digit in DIGITS]
        height = float(np.median([bottom - top for _, top, _, bottom in boxes]))
        if height < 20:
            return None
        font = ImageFont.truetype(file, max(10, round(100 * HEIGHT / height)), layout_engine=layout)
    except OSError:
        return None
    known = TTFont(file, lazy=True).getBestCmap()
    glyphs: list[Glyph] = []
    for character in CHARACTERS:
        left, top, right, bottom = font.getbbox(character, anchor="ls") if ord(character) in known else (0, 0, 0, 0)
        if not (1 <= right - left <= 160 and 1 <= bottom - top <= 120):
            if character in DIGITS:
                return None
            glyphs.append((np.zeros((0, 0), np.uint8), 0, 0, 0))
            continue
        picture = Image.new("L", (int(right - left), int(bottom - top)))
        ImageDraw.Draw(picture).text((-left, -top), character, 255, font, anchor="ls")
        glyphs.append((np.asarray(picture), int(left), int(-top), round(font.getlength(character))))
    # A face that shows the same box for every digit has no digits.
    return glyphs if len({bitmap.tobytes() for bitmap, *_ in glyphs[:10]}) == 10 else None


if __name__ == "__main__":
    main()
