"""Words and paths as the units of systemd have them."""


def path(text: str) -> str:
    """Return the path of a setting, in which ``%`` has a meaning; it takes no quotes."""
    return text.replace("%", "%%")


def quoted(word: str) -> str:
    r"""Return a word of a command line in quotes, see systemd.service(5), "Command lines".

    Example:
        >>> quoted('50 % of "all"')
        '"50 %% of \\"all\\""'
    """
    escaped = path(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"'
