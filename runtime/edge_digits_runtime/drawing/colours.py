"""The colours of sure and unsure answers, as red, green and blue."""

SURE = (0, 130, 60)
"""Green."""
UNSURE = (215, 70, 0)
"""Orange."""
