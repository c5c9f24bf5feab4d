"""``edge-digits doctor``."""
