"""What the device profile takes on disk, against its dependencies alone: ``python benchmarks/size.py``.

Both are installed by uv into empty folders; a byte counts as a byte, whatever the block size of the disk.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DEPENDENCIES = ("numpy", "pillow", "ai-edge-litert")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        alone = install(Path(folder) / "alone", *DEPENDENCIES)
        profile = install(Path(folder) / "profile", str(ROOT), str(ROOT / "runtime"))
    print("| installed | MB | ratio |\n|---|---|---|")
    print(f"| {', '.join(DEPENDENCIES)} | {alone / 1e6:.1f} | 1.000 |")
    print(f"| edge-digits with all that it needs on a device | {profile / 1e6:.1f} | {profile / alone:.3f} |")


def install(target: Path, *packages: str) -> int:
    """Install into ``target`` and return the bytes of all files there."""
    command = ["uv", "pip", "install", "--quiet", "--python", sys.executable, "--target", str(target), *packages]
    subprocess.run(command, cwd=ROOT, check=True)
    return sum(file.stat().st_size for file in target.rglob("*") if file.is_file())


if __name__ == "__main__":
    main()
