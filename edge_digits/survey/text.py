"""A survey as lines for a terminal."""

from collections.abc import Iterator, Sequence

from edge_digits_runtime.data.duplicates import NEARLY

from edge_digits.formatting import counted, percent
from edge_digits.printing import printable
from edge_digits.survey.survey import SPLITS, Match, Survey

_SHOWN = 5
"""Pairs that are printed of each kind; the JSON has all."""
_GROUPS, _SIZES = 30, 5


def to_text(found: Survey) -> str:
    """Return the survey as text, a few dozen lines."""
    return "\n".join(_lines(found))


def summary(found: Survey) -> Iterator[tuple[str, bool]]:
    """Yield sentences about equal and nearly equal pictures, and whether each says that something is wrong."""
    if found.blank:
        yield f"Blank: {counted(len(found.blank), 'picture')} of one grey, such as {found.blank[0]}.", False
    if found.equal:
        pictures = sum(len(places) for places in found.equal)
        yield f"Equal: {pictures:,} pictures in {counted(len(found.equal), 'set')} of equal ones.", False
    else:
        yield "Equal: no two pictures are.", False
    alike = {place for match in found.alike for place in (match.picture, match.other)}
    yield f"Nearly equal (a correlation of {NEARLY} or more): {len(alike):,} of {found.total:,} pictures.", False
    if found.disagreeing:
        yield f"Labels: {counted(len(found.disagreeing), 'pair')} of such pictures with two different labels.", True
    else:
        yield "Labels: such pictures always have the same one.", False
    test = sum(found.counts["test"])
    if found.across_splits:
        count = len(found.across_splits)
        yield f"Leak: {count:,} of {test:,} test pictures ({percent(count / test, 1)}) are like one for training.", True
    else:
        yield "Leak: no test picture is like one for training.", False
    if found.groups:
        if found.across_groups:
            pairs = counted(len(found.across_groups), "picture")
            yield f"Groups: {pairs} like one of another group: are these groups apart?", True
        else:
            yield "Groups: no picture is like one of another group.", False
    elif alike:
        yield (
            "Groups: none are known, so a draw may part pictures that are like one another. Where several are of one "
            "writer or camera, say so: groups.csv, groups in the .npz, or --group-from.",
            True,
        )


def described(match: Match) -> str:
    """Return both pictures of a match and how alike they are."""
    how = "equal" if match.equal else f"{match.correlation:.4f}"
    return printable(f"{match.picture} ~ {match.other}: {how}")


def _lines(found: Survey) -> Iterator[str]:
    yield printable(
        f"{found.name}: {counted(found.total, 'picture')} of {len(found.classes)} classes, "
        f"read as {found.input.kind} of {found.input} pixels"
    )
    yield ""
    width = max(len("class"), *(len(printable(name)) for name in found.classes))
    yield f"{'class':<{width}}  {'train':>8}  {'test':>8}"
    for name, *counts in zip(found.classes, *(found.counts[split] for split in SPLITS), strict=True):
        yield f"{printable(name):<{width}}  {counts[0]:>8,}  {counts[1]:>8,}"
    yield f"{'all':<{width}}  {sum(found.counts['train']):>8,}  {sum(found.counts['test']):>8,}"
    yield ""
    if found.groups:
        yield from _group_lines(found)
    sizes = ", ".join(f"{width}×{height} ({count:,})" for width, height, count in found.sizes[:_SIZES])
    more = f" and {len(found.sizes) - _SIZES} more" if len(found.sizes) > _SIZES else ""
    yield f"Sizes in pixels, width × height: {sizes}{more}"
    yield from (sentence for sentence, _ in summary(found))
    for title, matches in (
        ("Different labels", found.disagreeing),
        ("Test and training", found.across_splits),
        ("Different groups", found.across_groups),
    ):
        yield from _pair_lines(title, matches)


def _group_lines(found: Survey) -> Iterator[str]:
    shown = found.groups[:_GROUPS]
    width = max(len("group"), *(len(printable(group.name)) for group in shown))
    yield f"{'group':<{width}}  {'train':>8}  {'test':>8}  {'classes':>8}"
    for group in shown:
        classes = sum(1 for count in group.by_class if count)
        yield f"{printable(group.name):<{width}}  {group.train:>8,}  {group.test:>8,}  {classes:>8,}"
    if len(found.groups) > _GROUPS:
        yield f"and {len(found.groups) - _GROUPS:,} more groups"
    yield ""


def _pair_lines(title: str, matches: Sequence[Match]) -> Iterator[str]:
    if not matches:
        return
    yield ""
    yield f"{title}:"
    yield from (f"  {described(match)}" for match in matches[:_SHOWN])
    if len(matches) > _SHOWN:
        yield f"  and {len(matches) - _SHOWN:,} more (--json has all)"
