"""``edge-digits profile``."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_digits.options import OutputPath, UserPath, backend_option
from edge_digits.printing import printable
from edge_digits.progress import say

if TYPE_CHECKING:
    from edge_digits_runtime.meter.proposal import Proposal
    from PIL import Image

FURTHEST = 0.1
"""How far a patch is looked for, as a share of the longer side of the picture."""


class BoxType(click.ParamType):  # type: ignore[type-arg]
    """``x,y,width,height`` in pixels."""

    name = "box"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return the four numbers.

        Raises:
            click.BadParameter: it is something else.
        """
        match = re.fullmatch(r"(\d{1,5}),(\d{1,5}),(\d{1,5}),(\d{1,5})", str(value))
        if match is None or int(match[3]) < 1 or int(match[4]) < 1:
            self.fail(f"{value!r:.40}; allowed is x,y,width,height in pixels, such as 120,180,360,70", param, ctx)
        return tuple(map(int, match.groups()))


@click.command()
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE [OTHERS]...", type=UserPath())
@click.option(
    "-o",
    "--out",
    type=OutputPath(dir_okay=False),
    default=Path("meter.toml"),
    show_default=True,
    metavar="FILE",
    help="The profile to write. The reference picture and the annotated one are written beside it.",
)
@click.option("--name", default=None, help="What the meter is called.  [default: the name of the profile]")
@click.option("--unit", default="", help="Unit of the value, such as m³ or kWh.")
@click.option(
    "--digits", type=click.IntRange(1, 16), help="How many digits the meter has.  [default: as many as are found]"
)
@click.option(
    "--decimals", type=click.IntRange(0, 16), help="How many of them are behind the point.  [default: the red ones]"
)
@click.option(
    "--kind",
    type=click.Choice(["wheel", "digit"]),
    default="wheel",
    show_default=True,
    help="wheel: each takes the one to its left along from 9 to 0. digit: a display.",
)
@click.option(
    "--row",
    type=BoxType(),
    metavar="X,Y,W,H",
    help="Where the row of windows is in the picture; with --digits, where it is not found by itself.",
)
@click.option(
    "--rotation",
    type=click.FloatRange(-180, 180),
    help="Degrees by which the picture is turned clockwise first.  [default: as is found]",
)
@click.option(
    "--highest-per-hour", type=click.FloatRange(0, 1e12), metavar="X", help="Largest change that is believed."
)
@click.option("--may-fall", is_flag=True, help="The value may become smaller.")
@click.option("--model", default=None, metavar="MODEL", help="What reads the slots.  [default: meter-m]")
@click.option("--force", is_flag=True, help="Replace a profile that is there.")
@backend_option
def profile(
    pictures: tuple[Path, ...],
    out: Path,
    name: str | None,
    unit: str,
    digits: int | None,
    decimals: int | None,
    kind: str,
    row: tuple[int, int, int, int] | None,
    rotation: float | None,
    highest_per_hour: float | None,
    may_fall: bool,
    model: str | None,
    force: bool,
    backend: str | None,
) -> int:
    """Propose a profile of a meter or display: where its digits are, and what to align later pictures by.

    PICTURE shows the meter as the camera will see it. OTHERS are further pictures of the same camera, from another
    time: what changes between them, such as a needle, is not used for alignment.

    Writes the profile, which you correct in an editor, the reference picture, and FILE.png with what was found drawn on
    it. Boxes that are wrong are best corrected by --row and --digits, or by hand.

    \b
    Example:
      edge-digits profile meter.jpg -o meter.toml --unit m³
      edge-digits profile meter.jpg later.jpg -o meter.toml --digits 8 --decimals 3 --highest-per-hour 2.5
      edge-digits profile display.jpg --kind digit --row 120,180,360,70 --digits 6
    """
    from edge_digits_runtime.drawing.annotate_meter import annotate_meter
    from edge_digits_runtime.errors import OutputError, UsageError
    from edge_digits_runtime.image.picture import open_picture
    from edge_digits_runtime.meter.profile import DEFAULT_MODEL, Alignment, Change, Profile, Slot
    from edge_digits_runtime.meter.profile_text import profile_text
    from edge_digits_runtime.meter.reading import SHORTER_SIDE, MeterReader
    from edge_digits_runtime.model.classifier import DigitClassifier
    from edge_digits_runtime.records import files

    if out.exists() and not force:
        raise OutputError(f"{out}: is there already; --force replaces it, -o names another file")
    if row is not None and digits is None:
        raise click.UsageError("--row says where the digits are: say with --digits how many there are")
    images = [open_picture(path, SHORTER_SIDE) for path in pictures]
    used = model or DEFAULT_MODEL
    classifier = DigitClassifier(used, backend=backend)
    found = _propose(images[0], classifier, backend, row, rotation, digits)
    patches = _patches(found, images)
    if len(patches) < 2:
        say("Too little print to align by: the profile has no [alignment], so camera and meter must never move")
    reference = out.with_suffix(".reference.png")
    try:
        made = Profile(
            size=found.picture.size,
            slots=tuple(Slot(box, kind) for box in found.boxes),  # type: ignore[arg-type]
            name=name or out.stem,
            model=used,
            unit=unit,
            decimals=found.decimals if decimals is None else decimals,
            rotation=round(found.rotation, 3),
            alignment=Alignment(reference.name, tuple(patches), FURTHEST) if len(patches) >= 2 else None,
            change=Change(highest_per_hour, may_fall=may_fall),
        )
    except UsageError as error:
        raise click.UsageError(f"{error}; give --row, --digits or --decimals") from error
    with files.replacing(reference) as temporary:
        found.picture.convert("L").save(temporary)
    files.write_bytes(out, profile_text(made).encode())
    reading = MeterReader(made, out.parent, classifiers={used: classifier}).read(images[0])
    drawn = out.with_suffix(".png")
    with files.replacing(drawn) as temporary:
        annotate_meter(images[0], made, reading).save(temporary)
    click.echo(
        f"{printable(out)}: {len(made.slots)} slots, {made.decimals} behind the point, {len(patches)} patches; "
        f"the picture reads {reading.written}{f' {unit}' if unit else ''}"
    )
    say(f"Look at {printable(drawn)}: are all digits in their boxes? Correct them in {printable(out)}")
    if highest_per_hour is None:
        say("Set highest_per_hour in it, so that 'watch' believes nothing that is too fast")
    return 0


def _propose(
    image: "Image.Image",
    classifier: Any,
    backend: str | None,
    row: tuple[int, int, int, int] | None,
    rotation: float | None,
    digits: int | None,
) -> "Proposal":
    """Return the slots: on the row that the user gave, or that is found."""
    import dataclasses

    from edge_digits_runtime.meter import proposal
    from edge_digits_runtime.meter.reading import turned_by

    first = image if rotation is None else turned_by(image, rotation)
    if row is not None:
        assert digits is not None
        return proposal.even(first, rotation or 0.0, row, digits)
    from edge_digits_runtime.page.reading import PageReader

    found = proposal.propose(first, classifier, PageReader(backend=backend), digits)
    if rotation is None:
        return found
    # Turned twice: by what the user said, and by what was found on top of it.
    total = rotation + found.rotation
    return dataclasses.replace(found, rotation=(total + 180) % 360 - 180)


def _patches(found: "Proposal", images: "list[Image.Image]") -> list[tuple[int, int, int, int]]:
    """Return the patches that later pictures can be aligned by."""
    from edge_digits_runtime.errors import PictureError
    from edge_digits_runtime.meter.patches import lasting, propose_patches
    from edge_digits_runtime.meter.reading import turned_by

    furthest = FURTHEST * max(found.picture.size)
    others = [turned_by(image, found.rotation) for image in images[1:]]
    for other in others:
        if other.size != found.picture.size:
            raise PictureError(
                f"{other.width}×{other.height} pixels, the first picture has {found.picture.width}×"
                f"{found.picture.height}: give pictures of one camera, as it takes them"
            )
    patches = propose_patches(found.picture, found.boxes, furthest)
    return lasting(found.picture, patches, furthest, others)
