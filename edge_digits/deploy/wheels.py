"""Pack the installed packages of edge-digits as wheels, so that a device can install exactly what runs here.

A wheel is a ZIP of the package and of a ``.dist-info`` folder that describes it (PEP 427). Every installed pure-Python
package has both, whether it came from an index or is editable, so packing needs no build tool, no network and no source
tree.
"""

import base64
import hashlib
import importlib.metadata
import io
import re
import zipfile
from importlib.util import find_spec
from pathlib import Path

from edge_digits_runtime.errors import UsageError
from edge_digits_runtime.installation import build, package_files

SUMS = "SHA256SUMS"
"""Name of a file of checksums, for ``sha256sum -c``."""
_TIME = (1980, 1, 1, 0, 0, 0)
"""Time of every file: the oldest that a ZIP can hold, so that the same files give the same bytes."""
_WHEEL = "Wheel-Version: 1.0\nGenerator: edge-digits\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def pack(name: str) -> tuple[str, bytes]:
    """Pack the installed distribution ``name``, whose import package is its name with underscores.

    The version is that of `edge_digits_runtime.installation.build`: pip keeps what is installed where the version is
    the same, so changed code has another version.

    Returns:
        File name and content of the wheel; the same package gives the same bytes.

    Raises:
        UsageError: ``name`` is not installed.
    """
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise UsageError(f"{name} is not installed here and cannot be packed: use --no-runtime") from error
    package = name.replace("-", "_")
    version = build(name)
    stem = f"{package}-{version}"
    content = package_files(package) | _info_files(distribution, package, version)
    record = f"{stem}.dist-info/RECORD"
    content[record] = "".join(f"{path},{_digest(data)},{len(data)}\n" for path, data in content.items()).encode()
    content[record] += f"{record},,\n".encode()
    return f"{stem}-py3-none-any.whl", zipped(content, zipfile.ZIP_DEFLATED)


def zipped(content: dict[str, bytes], compression: int) -> bytes:
    """Return a ZIP of ``content`` (path to bytes) in the order given, without times and owners of this machine."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in content.items():
            entry = zipfile.ZipInfo(path, _TIME)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, compression)
    return buffer.getvalue()


def folder_with_checksums(folder: str, content: dict[str, bytes]) -> bytes:
    """Return a ZIP of one folder with ``content`` and, last, `SUMS` of it.

    Nothing is compressed: large files are compressed already, and the output of zlib depends on its version.
    """
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in content.items())
    whole = content | {SUMS: sums.encode()}
    return zipped({f"{folder}/{name}": data for name, data in whole.items()}, zipfile.ZIP_STORED)


def _package_folder(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _info_files(distribution: importlib.metadata.Distribution, package: str, version: str) -> dict[str, bytes]:
    """Return the files that describe the package, without those about this installation (``RECORD``, ``INSTALLER``)."""
    folder = f"{package}-{version}.dist-info"
    content = {f"{folder}/WHEEL": _WHEEL.encode()}
    for name in ("METADATA", "entry_points.txt"):
        text = distribution.read_text(name)
        if text is not None:
            if name == "METADATA":
                text = re.sub(r"^Version: .*$", f"Version: {version}", text, count=1, flags=re.MULTILINE)
            content[f"{folder}/{name}"] = text.encode()
    for name in distribution.metadata.get_all("License-File") or ():
        text = distribution.read_text(f"licenses/{name}")
        if text is None:
            # An editable installation leaves the licence where it is: beside the package.
            text = (_package_folder(package).parent / name).read_text(encoding="utf-8")
        content[f"{folder}/licenses/{name}"] = text.encode()
    return content


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
