"""``edge-digits evaluate``."""
