"""Measure `edge-digits serve` beside a minimal FastAPI app and Gradio with the same classifier.

    uv run --with fastapi --with gradio python benchmarks/speed/service.py [--minutes 5]

All run on the loopback with one worker each, and answer the same ten pictures. In each of 15 rounds every server is
asked by 1, 8 and 64 clients in turn, each of which sends the next picture when the last one is answered. Ratios are
medians over the rounds, in which the servers are measured right after each other. Then 64 clients ask `serve` for
--minutes, while its memory is watched. Writes docs/research/service.md.
"""

import argparse
import asyncio
import base64
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.device import facts
from edge_digits_runtime.records import files

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "docs" / "research" / "service.md"
PICTURES = sorted((ROOT / "edge_digits" / "samples").glob("*.png"))
CLIENTS = (1, 8, 64)
ROUNDS, SECONDS = 15, 1.5
WANTED = 0.95
"""Least share of the requests a second of the FastAPI app at 8 clients."""

FASTAPI = """
import sys, uvicorn
from fastapi import FastAPI, Request
from edge_digits_runtime import DigitClassifier

app, classifier = FastAPI(), DigitClassifier()

@app.post("/classify")
async def classify(request: Request):
    said = classifier.classify(await request.body())
    shares = {label: round(share, 5) for label, share in zip(said.labels, said.probabilities)}
    return {"label": said.label, "confidence": said.confidence, "probabilities": shares, "sure": said.sure}

uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
"""
GRADIO = """
import sys, gradio
from edge_digits_runtime import DigitClassifier

classifier = DigitClassifier()

def classify(picture):
    said = classifier.classify(picture)
    return dict(zip(said.labels, said.probabilities))

page = gradio.Interface(classify, gradio.Image(type="pil"), gradio.Label(), api_name="predict")
page.launch(server_port=int(sys.argv[1]), quiet=True)
"""
SERVE = "import sys; from edge_digits.cli import main; main(['serve', '--port', sys.argv[1]])"


@dataclass(frozen=True)
class Load:
    """What the clients of one measurement saw."""

    seconds: float
    latencies: Sequence[float]
    """Seconds of each answer."""
    statuses: Counter[int]
    without_retry_after: int
    """Answers of 503 that do not say when to come back."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Milliseconds in which this share of the answers came."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Connection:
    """A client that keeps its connection."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def ask(self, path: str, body: bytes | None, kind: str) -> tuple[int, dict[str, str], bytes]:
        """Send a request, POST where it has a body, and return status, headers and body of the answer."""
        method = "GET" if body is None else "POST"
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
        self._writer.write(f"{head}Content-Length: {len(body or b'')}\r\n\r\n".encode() + (body or b""))
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        if "content-length" in headers:
            answer = await self._reader.readexactly(int(headers["content-length"]))
        else:
            answer = b""
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                answer += await self._reader.readexactly(size)
                await self._reader.readexactly(2)
            await self._reader.readexactly(2)
        return int(lines[0].split()[1]), headers, answer

    def close(self) -> None:
        """End the connection."""
        self._writer.close()


class Plain:
    """A server that takes a picture as the body of one request."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def classify(self, client: Connection, picture: bytes) -> tuple[int, dict[str, str], str | None]:
        """Return status, headers and label of an answer."""
        status, headers, body = await client.ask(self._path, picture, "image/png")
        return status, headers, json.loads(body).get("label")


class Gradio:
    """Gradio takes a request, and gives the answer to another one."""

    async def classify(self, client: Connection, picture: bytes) -> tuple[int, dict[str, str], str | None]:
        """Return status, headers and label of an answer."""
        url = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
        body = json.dumps({"data": [{"url": url, "meta": {"_type": "gradio.FileData"}}]}).encode()
        status, headers, answer = await client.ask("/gradio_api/call/predict", body, "application/json")
        if status != 200:
            return status, headers, None
        event = json.loads(answer)["event_id"]
        status, headers, answer = await client.ask(f"/gradio_api/call/predict/{event}", None, "application/json")
        match = re.search(r'"label": ?"(\d)"', answer.decode())
        return status, headers, match[1] if match else None


async def load(port: int, server: Plain | Gradio, clients: int, seconds: float, pictures: Sequence[bytes]) -> Load:
    """Let ``clients`` ask one after the other for ``seconds``."""
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    without = 0
    end = time.perf_counter() + seconds

    async def ask(number: int) -> None:
        nonlocal without
        client = Connection(port)
        await client.open()
        while (begin := time.perf_counter()) < end:
            which = (number + len(latencies)) % len(pictures)
            status, headers, label = await server.classify(client, pictures[which])
            latencies.append(time.perf_counter() - begin)
            statuses[status] += 1
            without += status == 503 and "retry-after" not in headers
            if status == 200:
                assert label == PICTURES[which].stem, (label, PICTURES[which])
            if headers.get("connection") == "close":
                client.close()
                await client.open()
            if status == 503:
                await asyncio.sleep(float(headers.get("retry-after", 1)))
        client.close()

    begin = time.perf_counter()
    await asyncio.gather(*(ask(number) for number in range(clients)))
    return Load(time.perf_counter() - begin, latencies, statuses, without)


@contextmanager
def served(code: str, port: int) -> Iterator[int]:
    """Run a server and yield its process id when it answers."""
    process = subprocess.Popen([sys.executable, "-c", code, str(port)], stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                asyncio.run(_probe(port))
                break
            except OSError:
                time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


async def _probe(port: int) -> None:
    client = Connection(port)
    await client.open()
    client.close()


def resident(pid: int) -> float:
    """Return the megabytes of memory that a process has now."""
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert match
    return int(match[1]) * 1024 / 1e6


def in_process(pictures: Sequence[bytes], seconds: float) -> float:
    """Return pictures a second of the classifier without a server."""
    classifier, count, begin = DigitClassifier(), 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        classifier.classify(pictures[count % len(pictures)])
        count += 1
    return count / (time.perf_counter() - begin)


async def _endure(port: int, pid: int, minutes: float, pictures: Sequence[bytes]) -> tuple[Load, list[float]]:
    asking = asyncio.create_task(load(port, SERVERS["edge-digits serve"][0], 64, 60 * minutes, pictures))
    memory = []
    while not asking.done():
        memory.append(resident(pid))
        await asyncio.sleep(1)
    return await asking, memory


SERVERS: dict[str, tuple[Plain | Gradio, str]] = {
    "edge-digits serve": (Plain("/api/classify"), SERVE),
    "FastAPI": (Plain("/classify"), FASTAPI),
    "Gradio": (Gradio(), GRADIO),
}


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="how long 64 clients ask (default 5)")
    minutes = parser.parse_args().minutes
    pictures = [path.read_bytes() for path in PICTURES]
    ports = {name: 18100 + k for k, name in enumerate(SERVERS)}
    loads: dict[tuple[str, int], list[Load]] = {(name, clients): [] for name in SERVERS for clients in CLIENTS}
    alone: list[float] = []
    busy = os.getloadavg()[0]
    with ExitStack() as stack:
        pids = {name: stack.enter_context(served(code, ports[name])) for name, (_, code) in SERVERS.items()}
        before = resident(pids["edge-digits serve"])
        first = {}
        for name, (server, _) in SERVERS.items():
            asyncio.run(load(ports[name], server, 1, 0.01, pictures))
            first[name] = resident(pids[name])
        for number in range(ROUNDS):
            alone.append(in_process(pictures, SECONDS))
            for clients in CLIENTS:
                # Each is the first of a round as often as the others: what else the machine does changes slowly.
                names = list(SERVERS)
                for name in names[number % len(names) :] + names[: number % len(names)]:
                    server = SERVERS[name][0]
                    loads[name, clients].append(asyncio.run(load(ports[name], server, clients, SECONDS, pictures)))
            print(f"round {number + 1} of {ROUNDS}", file=sys.stderr)
    with served(SERVE, 18110) as pid:
        endured, memory = asyncio.run(_endure(18110, pid, minutes, pictures))
    text = _page(loads, alone, before, first, endured, memory, minutes, (busy, os.getloadavg()[0]))
    files.write_bytes(TARGET, text.encode())
    print(TARGET)


def _page(
    loads: dict[tuple[str, int], list[Load]],
    alone: Sequence[float],
    before: float,
    first: dict[str, float],
    endured: Load,
    memory: Sequence[float],
    minutes: float,
    busy: tuple[float, float],
) -> str:
    rows = []
    for (name, clients), found in loads.items():
        base = loads["FastAPI", clients]
        ratios = [a.rate / b.rate for a, b in zip(found, base, strict=True)]
        low, ratio, high = statistics.quantiles(ratios, n=4)
        rate, p50, p99 = (
            statistics.median(values)
            for values in (
                [each.rate for each in found],
                [each.percentile(0.5) for each in found],
                [each.percentile(0.99) for each in found],
            )
        )
        wrong = sum(sum(each.statuses.values()) - each.statuses[200] for each in found)
        share = f"{ratio:.2f} ({low:.2f}-{high:.2f})"
        rows.append(f"| {name} | {clients} | {rate:,.0f} | {share} | {p50:,.1f} ms | {p99:,.1f} ms | {wrong} |")
    ours = [each.rate for each in loads["edge-digits serve", 8]]
    theirs = [each.rate for each in loads["FastAPI", 8]]
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    later = memory[60:] or memory
    share = endured.statuses[200] / sum(endured.statuses.values())
    others = set(endured.statuses) - {200, 503}
    checks = [
        (f"{ratio:.2f} × the requests a second of FastAPI at 8 clients, wanted {WANTED}", ratio >= WANTED),
        (
            f"64 clients for {minutes:g} minutes: {dict(endured.statuses)} answers by status, {100 * share:.1f} % "
            "of them 200, wanted 95 % and else only 503 with Retry-After",
            share >= 0.95 and not others and not endured.without_retry_after,
        ),
        (
            f"memory after the first minute: {min(later):.1f} to {max(later):.1f} MB, wanted within ± 5 MB",
            max(later) - min(later) <= 10,
        ),
        (
            f"{before:.0f} MB resident before and {first['edge-digits serve']:.0f} MB after the first answer, wanted "
            f"80 (FastAPI {first['FastAPI']:.0f} MB, Gradio {first['Gradio']:.0f} MB)",
            first["edge-digits serve"] <= 80,
        ),
    ]
    packages = ", ".join(f"{name} {version(name)}" for name in ("starlette", "uvicorn", "fastapi", "gradio"))
    lines = [
        "# The service under load",
        "",
        "Written by",
        "",
        "    uv run --with fastapi --with gradio python benchmarks/speed/service.py",
        "",
        f"on {facts.device_facts()['name']}, {os.cpu_count()} cores, Python {platform.python_version()}, {packages}. "
        f"The clients run on the same cores as the server that they ask. Medians of {ROUNDS} rounds; the ratio is the "
        "median of those of the rounds, with the middle half of them in brackets: how far apart those are says how "
        f"quiet the machine was. Its load average was {busy[0]:.1f} before and {busy[1]:.1f} at the end, of which the "
        "measurement itself makes one to two. Without any server, "
        f"{statistics.median(alone):,.0f} of the same pictures are classified a second.",
        "",
        "| server | clients | requests a second | against FastAPI | p50 | p99 | not 200 |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        "| wanted | reached |",
        "|---|---|",
        *(f"| {what} | {'yes' if good else 'no'} |" for what, good in checks),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
