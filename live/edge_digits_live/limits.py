"""The limits of what a client may ask of the device."""

from dataclasses import dataclass

MOST_RECORDS = 2000
"""Readings of a meter in one answer."""
MOST_HOURS = 200_000
"""Hours that a client may look back; no meter is older."""


@dataclass(frozen=True)
class Limits:
    """Limits of one service; what is above them is refused with one line, and costs no memory."""

    body_bytes: int = 16_000_000
    """Bytes of one request. A photograph of a phone has 2 to 8 million."""
    held_bytes: int = 64_000_000
    """Bytes of all requests together in memory at a time; one that would go above is told to come back."""
    pixels: int = 50_000_000
    """Pixels of one picture."""
    pictures: int = 32
    """Pictures in one request."""
    waiting: int = 128
    """Requests that wait for a worker; one more is told to come back."""
    waiting_s: float = 15.0
    """Seconds that a request waits for a worker before it is told to come back."""
    header_s: float = 10.0
    """Seconds in which a client must send the header of a request, and the next one on the same connection."""
    body_s: float = 20.0
    """Seconds in which a client must send the body of a request."""
    request_s: float = 60.0
    """Seconds from the header of a request to the end of the answer, also of a client that does not take it."""
    connections: int = 256
    """Connections at a time; one more is told to come back."""
    header_bytes: int = 16_384
    """Bytes of the header of a request."""
