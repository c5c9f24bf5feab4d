"""``edge-digits keygen``."""

import os
from pathlib import Path

import click
from edge_digits_runtime.errors import OutputError

from edge_digits.options import UserPath
from edge_digits.printing import printable


@click.command()
@click.argument("name", type=UserPath(), metavar="NAME")
def keygen(name: Path) -> None:
    """Make a pair of Ed25519 keys: NAME.key signs, NAME.pub tells what was signed with it.

    Keep NAME.key where nobody else reads it, and not on the device; whoever has it can sign. NAME.pub is no secret, but
    must reach the device in a way that you trust. Both are PEM files as OpenSSL writes them, without a passphrase.

    \b
    Example:
      edge-digits keygen release
      edge-digits convert runs/mine-1 --sign release.key
      edge-digits classify 7.png --model runs/mine-1/mine-int8.tflite --require-signature release.pub
    """
    from edge_digits_runtime.records import files
    from edge_digits_runtime.signature import make_keys

    if not name.name.strip("."):
        raise click.UsageError(f"{name}: is a folder; give the NAME of the keys, such as {name / 'release'}")
    private_file, public_file = (name.with_name(f"{name.name}.{suffix}") for suffix in ("key", "pub"))
    for file in (private_file, public_file):
        if os.path.lexists(file):
            raise OutputError(f"{file}: is there already, and a key is never replaced: give another NAME")
    private, public = make_keys()
    files.make_folder(name.parent)
    try:
        # Replacing a file keeps its mode, so that nobody else can read the key at any moment.
        os.close(os.open(private_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise OutputError(f"{private_file}: cannot be written: {error.strerror}") from error
    try:
        files.write_bytes(public_file, public)
        files.write_bytes(private_file, private)
    except BaseException:
        private_file.unlink(missing_ok=True)
        raise
    click.echo(f"{printable(private_file)}: signs; keep it to yourself")
    click.echo(f"{printable(public_file)}: checks what it signed")
