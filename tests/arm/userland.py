"""A Debian userland of another architecture, built from its packages and entered with qemu-user and chroot.

Only the first stage of debootstrap runs. The packages are then unpacked and never configured: nothing foreign is
executed during the build, which takes half a minute instead of several. The one thing that would need configuring,
where Debian's numpy finds its BLAS, is set by `Userland.command`.

Everything is mounted in a mount namespace of the one process that needs it, so the kernel removes the mounts with that
process, however it ends.
"""

import ctypes
import fcntl
import os
import platform
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SITE, WORK = "/opt/site", "/opt/work"
"""Folders inside the userland for Python packages and for the files of a run."""
_CPUINFO = "/opt/cpuinfo"
_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_CORES = 4
_PYTHON = {"bookworm": "3.11", "trixie": "3.13"}
SUITES = tuple(_PYTHON)


class UserlandError(Exception):
    """This machine cannot build or enter a userland; the message is one line."""


@dataclass(frozen=True)
class Cpu:
    """One kind of core, as the kernel of a board would describe it."""

    board: str
    """Boards that have it."""
    part: int
    """Arm's part number, from the main ID register."""
    variant: int
    revision: int
    features: str
    """Features of the core, as in ``/proc/cpuinfo``."""

    def cpuinfo(self, architecture: int) -> str:
        """Return the text of ``/proc/cpuinfo``.

        qemu-user 7.2 shows the host's, and LiteRT chooses its kernels by the part number it reads there.
        """
        core = (
            "processor\t: {}\n"
            "BogoMIPS\t: 38.40\n"
            f"Features\t: {self.features}\n"
            "CPU implementer\t: 0x41\n"
            f"CPU architecture: {architecture}\n"
            f"CPU variant\t: {self.variant:#x}\n"
            f"CPU part\t: {self.part:#x}\n"
            f"CPU revision\t: {self.revision}\n\n"
        )
        return "".join(core.format(number) for number in range(_CORES))


@dataclass(frozen=True)
class Architecture:
    """A Debian architecture and the cores that are emulated for it."""

    name: str
    machine: str
    """Its name in ``uname -m``; qemu's binaries have the same name, except for 32 bits."""
    qemu: str
    """The qemu that runs its executables; empty for those of this machine."""
    triplet: str
    elf: tuple[int, int]
    """``EI_CLASS`` and ``e_machine`` of its executables."""
    version: int
    """Version of the Arm architecture."""
    packages: tuple[str, ...]
    """Debian packages beyond the minimum."""
    cpus: Mapping[str, Cpu]
    """By the name that ``QEMU_CPU`` takes."""
    platform: str
    """Its name for the package client."""
    requirements: tuple[str, ...] = ()
    """Packages to install besides our own, in place of their dependencies."""
    pictures: bool = True
    """Whether a Pillow exists for it that the runtime can use."""


_V8 = "fp asimd evtstrm crc32 cpuid"
_V8_2 = f"{_V8} aes pmull sha1 sha2 atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"
_V7 = "half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm"
ARCHITECTURES = {
    "arm64": Architecture(
        name="arm64",
        machine="aarch64",
        qemu="qemu-aarch64",
        triplet="aarch64-linux-gnu",
        elf=(2, 183),
        version=8,
        packages=("python3",),
        cpus={
            "cortex-a53": Cpu("Pi 3, Pi Zero 2 W", 0xD03, 0, 4, _V8),
            "cortex-a72": Cpu("Pi 4", 0xD08, 0, 3, _V8),
            "cortex-a76": Cpu("Pi 5", 0xD0B, 4, 1, _V8_2),
        },
        platform="aarch64-unknown-linux-gnu",
    ),
    # PyPI has neither numpy nor Pillow for it. Debian has, but a Pillow too old to read pictures with.
    "armhf": Architecture(
        name="armhf",
        machine="armv7l",
        qemu="qemu-arm",
        triplet="arm-linux-gnueabihf",
        elf=(1, 40),
        version=7,
        packages=("python3", "python3-numpy", "python3-pil"),
        cpus={"cortex-a7": Cpu("Pi 2", 0xC07, 0, 5, _V7)},
        platform="manylinux_2_34_armv7l",
        requirements=("tflite-runtime==2.14.*", "click"),
        pictures=False,
    ),
}


@dataclass(frozen=True)
class Userland:
    """A built userland."""

    root: Path
    suite: str
    architecture: Architecture

    @property
    def python(self) -> str:
        """Version of its Python, such as ``3.11``."""
        return _PYTHON[self.suite]

    def command(self, cpu: str, site: Path, work: Path, arguments: Sequence[str]) -> list[str]:
        """Return the command line that runs ``arguments`` inside, as ``cpu``, in ``work``, using ``site``."""
        script = (
            "set -e; root=$1 site=$2 work=$3 cpu=$4; shift 4; "
            f'mount --bind "$site" "$root{SITE}"; mount --bind "$work" "$root{WORK}"; '
            f'mount -t proc proc "$root/proc"; mount --bind "$root{_CPUINFO}/$cpu" "$root/proc/cpuinfo"; '
            f'mount --rbind /dev "$root/dev"; QEMU_CPU=$cpu exec chroot "$root" /usr/bin/env --chdir {WORK} "$@"'
        )
        libraries = f"/usr/lib/{self.architecture.triplet}"
        environment = {
            "PATH": f"{SITE}/bin:/usr/bin:/bin",
            "HOME": WORK,
            "LANG": "C.UTF-8",
            "PYTHONPATH": SITE,
            "QEMU_CPU": cpu,
            "LD_LIBRARY_PATH": f"{libraries}/blas:{libraries}/lapack",
        }
        return [
            *("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"),
            *map(str, (self.root, site, work)),
            *(cpu, "--ignore-environment", *(f"{name}={value}" for name, value in environment.items())),
            *arguments,
        ]


def require_tools(architecture: Architecture) -> None:
    """Install what is missing with apt-get, as root on Debian and its kin.

    Raises:
        UserlandError: something is missing and cannot be installed, or this is not root.
    """
    if platform.machine() != "x86_64":
        raise UserlandError(f"this machine is {platform.machine()}; the comparison is made from x86_64")
    if os.geteuid() != 0:
        raise UserlandError("chroot and mount need root; run this as root, in a container or under sudo")
    needed = {"debootstrap": "debootstrap", "dpkg-deb": "dpkg"}
    if architecture.qemu:
        needed[f"{architecture.qemu}-static"] = "qemu-user-static"
    packages = [package for tool, package in needed.items() if shutil.which(tool) is None]
    if packages:
        if shutil.which("apt-get") is None:
            raise UserlandError(f"{', '.join(packages)}: not here, and no apt-get to install them with")
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update", "-qq"], env=environment)
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], env=environment)
    if shutil.which("uv") is None:
        raise UserlandError("uv: not here; install it with 'python3 -m pip install uv'")


def build(root: Path, suite: str, architecture: Architecture) -> Userland:
    """Return the userland in ``root``, after building it if needed. An interrupted build leaves nothing there.

    Raises:
        UserlandError: the packages cannot be downloaded or unpacked.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    # One build at a time; the lock also tells that building folders found beside it were left by a killed one.
    with (root.parent / f".{root.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        prefix = f".{root.name}-building-"
        for left in root.parent.glob(f"{prefix}*"):
            shutil.rmtree(left)
        if not root.is_dir():
            building = Path(tempfile.mkdtemp(prefix=prefix, dir=root.parent))
            try:
                _fill(building, suite, architecture)
                building.chmod(0o755)
                building.rename(root)
            except BaseException:
                # What a dying child process still writes is removed by the next build, above.
                shutil.rmtree(building, ignore_errors=True)
                raise
    return Userland(root, suite, architecture)


def _fill(root: Path, suite: str, architecture: Architecture) -> None:
    packages = ",".join(architecture.packages)
    options = [f"--arch={architecture.name}", "--variant=minbase", "--foreign", f"--include={packages}"]
    run(["debootstrap", *options, suite, str(root)])
    archives = root / "var/cache/apt/archives"
    for archive in sorted(archives.glob("*.deb")):
        run(["dpkg-deb", "-x", str(archive), str(root)])
        archive.unlink()
    for folder in (SITE, WORK, _CPUINFO):
        (root / folder[1:]).mkdir(parents=True)
    for name, cpu in architecture.cpus.items():
        (root / _CPUINFO[1:] / name).write_text(cpu.cpuinfo(architecture.version))
    # LiteRT counts the cores here. Without these files it takes the CPU for unknown and computes with other kernels
    # than on a board.
    cpus = root / "sys/devices/system/cpu"
    cpus.mkdir(parents=True)
    for name in ("possible", "present", "online"):
        (cpus / name).write_text(f"0-{_CORES - 1}\n")


def private_mounts() -> None:
    """Give this process a mount namespace of its own: no other process sees its mounts, and they end with it.

    Raises:
        UserlandError: not root, or forbidden here.
    """
    clone_newns = 0x00020000
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(clone_newns):
        raise UserlandError(
            f"a mount namespace: {os.strerror(ctypes.get_errno())}; run as root, in a privileged container"
        )
    run(["mount", "--make-rprivate", "/"])


@contextmanager
def executable(architecture: Architecture) -> Iterator[None]:
    """Let the kernel start executables of ``architecture`` through qemu, by a rule that is removed at the end.

    Call `private_mounts` before. A kernel of 6.7 or later forgets the rule with our mount, others when it is removed.

    Raises:
        UserlandError: the kernel has no binfmt_misc, or it may not be mounted here.
    """
    name = f"edge-digits-{architecture.name}-{os.getpid()}"
    interpreter = shutil.which(f"{architecture.qemu}-static")
    assert interpreter is not None
    if not (_BINFMT / "register").exists():
        run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(_BINFMT)])
    (_BINFMT / "register").write_bytes(_rule(name, architecture, interpreter))
    try:
        yield
    finally:
        (_BINFMT / name).write_bytes(b"-1")


def _rule(name: str, architecture: Architecture, interpreter: str) -> bytes:
    """Return a binfmt_misc rule for the first 20 bytes of the ELF header, with any OS ABI and e_type 2 or 3.

    Flag F opens qemu at once, so that it also works inside a chroot that does not have it.
    """
    elf_class, machine = architecture.elf
    magic = b"\x7fELF" + bytes((elf_class, 1, 1, 0)) + bytes(8) + bytes((2, 0, machine, 0))
    mask = b"\xff" * 7 + b"\x00" + b"\xff" * 8 + b"\xfe\xff\xff\xff"
    escaped = ("".join(f"\\x{byte:02x}" for byte in part) for part in (magic, mask))
    return f":{name}:M::{':'.join(escaped)}:{interpreter}:F".encode()


def install(userland: Userland, site: Path, what: Sequence[str], constraints: Path) -> None:
    """Put ``what`` (names or wheels) and its dependencies into ``site``, as the file ``constraints`` allows.

    Raises:
        UserlandError: a package has no wheel for that architecture.
    """
    architecture = userland.architecture
    if architecture.requirements:
        # uv knows no 32-bit Arm. pip takes any platform but reads markers as of this machine: hence --no-deps.
        client = ["uv", "tool", "run", "pip", "install", "--platform", architecture.platform, "--no-deps"]
    else:
        client = ["uv", "pip", "install", "--python-platform", architecture.platform, "--constraint", str(constraints)]
    options = ["--quiet", "--python-version", userland.python, "--only-binary", ":all:", "--target", str(site)]
    # Not in the repository, where uv would add the constraints of its pyproject.toml.
    run([*client, *options, *architecture.requirements, *what], cwd=site.parent)


def run(command: Sequence[str], **options: Any) -> None:
    """Run to the end; ``options`` are those of `subprocess.Popen`.

    Raises:
        UserlandError: it failed; the message ends with its last line of output.
    """
    done = completed(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode:
        raise UserlandError(f"{' '.join(command[:3])} … failed: {last_line(done.stdout)}")


def completed(command: Sequence[str], **options: Any) -> "subprocess.CompletedProcess[bytes]":
    """Run a command as `subprocess.run` does, but end its children too when interrupted: debootstrap has many."""
    with subprocess.Popen(command, start_new_session=True, **options) as process:
        try:
            output, errors = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def last_line(output: bytes) -> str:
    """Return the last line that is not blank."""
    lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it printed nothing"
