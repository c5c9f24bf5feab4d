"""Ten scanned digits of one writer, 0.png to 9.png, to try the command on (CC0, see NOTICE.md)."""

from pathlib import Path

SAMPLES = tuple(Path(__file__).with_name(f"{digit}.png") for digit in range(10))
"""The files, by the digit that is in them."""
