"""Write a profile as TOML, with the explanations that a person needs to correct it."""

import json

from edge_digits_runtime.meter.profile import Profile


def profile_text(profile: Profile) -> str:
    """Return the TOML that `edge_digits_runtime.meter.profile.parse_profile` reads as ``profile``.

    Example:
        >>> from edge_digits_runtime.meter.profile import Slot
        >>> print(profile_text(Profile((80, 40), (Slot((8, 4, 20, 32)),))).splitlines()[-1])
        box = [8, 4, 20, 32]
    """
    change = profile.change
    highest = (
        "# highest_per_hour = 2.5"
        if change.highest_per_hour is None
        else f"highest_per_hour = {change.highest_per_hour!r}"
    )
    lines = [
        "# What edge-digits reads on this meter: docs/reference/meter.md says what each line means.",
        "# A box is x, y, width, height in pixels of the reference picture, after it was turned by rotation.",
        f"name = {_text(profile.name)}",
        f"unit = {_text(profile.unit)}",
        f"decimals = {profile.decimals}  # characters behind the decimal point",
        f"model = {_text(profile.model)}",
        f"rotation = {float(profile.rotation)!r}  # degrees clockwise",
        f"size = {list(profile.size)}  # of the reference picture",
        f"min_confidence = {profile.min_confidence!r}  # less is not sure",
        "",
        "[change]  # of the value, in its unit",
        f"lowest_per_hour = {change.lowest_per_hour!r}",
        f"{highest}  # nothing above is believed",
        f"may_fall = {_truth(change.may_fall)}",
    ]
    if profile.alignment is not None:
        alignment = profile.alignment
        lines += [
            "",
            "[alignment]  # what is printed on the meter and never changes",
            f"picture = {_text(alignment.picture)}",
            f"furthest = {alignment.furthest!r}  # how far it may move, as a share of the longer side",
            "patches = [",
            *(f"    {list(patch)}," for patch in alignment.patches),
            "]",
        ]
    for index, slot in enumerate(profile.slots):
        note = "  # from left to right; kind is wheel, which turns, or digit" if index == 0 else ""
        lines += ["", f"[[slots]]{note}", f"kind = {_text(slot.kind)}", f"box = {list(slot.box)}"]
        if slot.model is not None:
            lines.append(f"model = {_text(slot.model)}")
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    # A JSON string is a TOML string as well.
    return json.dumps(value, ensure_ascii=False)


def _truth(value: bool) -> str:
    return "true" if value else "false"
