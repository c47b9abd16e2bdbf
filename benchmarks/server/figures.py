"""The figures of the server: lists, events of other processes, and many clients on one run.

    python benchmarks/server/figures.py [--small] [--only lists,requests,...] [--out FOLDER]

`lists`    processor time of the server for `GET ...?limit=100` over 10,000 runs, when it is warm.
`requests` processor time of the server for requests on a run of 3,000 artifacts: one that has
           ended, and one that is live in another process.
`events`   the time from an event of another process, as its journal has it, to the client; and
           what arrives when server and client are started again in the middle of the run.
`clients`  a run without followers beside one that 200 clients follow, in turns: duration and
           processor time of the run, processor time of the server.
`streams`  the same with 500 clients.

Raw measurements are written to FOLDER as JSON, one file for each part. The machine should be quiet:
the clients, the server and the run share its processors. `--small` only shows that all of it works.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

WCT = str(Path(sys.executable).with_name("wct"))
STEPS = """
import time

def value(wait=0.0):
    time.sleep(wait)
    return {"value": 1}
"""
SOURCE = 'source: {type: python, properties: {call: "steps.py:value", args: {wait: %s}}}'
STEP = f"{{{SOURCE}}}"
AFTER = f"  a%d: {{after: a%d, {SOURCE}}}"


class Server:
    """A running `wct serve`."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        command = [WCT, "serve", "--port", str(port)]
        self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.host = self.process.stdout.readline().strip().split("/")[2]
        self.port = int(self.host.rpartition(":")[2])

    def get(self, path: str) -> int:
        """Return the size of an answer."""
        connection = HTTPConnection(self.host, timeout=60)
        connection.request("GET", path)
        answer = connection.getresponse()
        size = len(answer.read())
        connection.close()
        assert answer.status == 200, answer.status
        return size

    def stream(self, run: str, after: int = 0) -> HTTPResponse:
        """Return the open stream of the events of a run."""
        connection = HTTPConnection(self.host, timeout=60)
        connection.request(
            "GET", f"/api/v1/runs/{run}/events", headers={"Last-Event-ID": str(after)}
        )
        return connection.getresponse()

    @property
    def cpu_s(self) -> float:
        """The processor time that it has used."""
        words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=30)


@contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[Server]:
    """Serve the store of a folder."""
    server = Server(folder, port)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.end()


def lists(folder: Path, small: bool) -> dict[str, Any]:
    """Measure lists of 100 runs among many."""
    count, requests = (200, 5) if small else (10_000, 50)
    (folder / "one.yaml").write_text(f"artifacts:\n  a: {STEP % 0}\n")
    wct(folder, "run", "-q", "one.yaml", "--run-id", "template")
    copies(folder / ".waivern", count)
    found: dict[str, Any] = {"runs": count, "requests": requests, "cpu_ms": {}, "first_cpu_ms": {}}
    with serving(folder) as server:
        for path in (
            "/api/pipeline/runs?limit=100",
            "/api/pipeline/runs?limit=100&result=success",
            "/api/v1/runs?limit=100",
            "/",
        ):
            before = server.cpu_s
            server.get(path)
            found["first_cpu_ms"][path] = (server.cpu_s - before) * 1000
            before = server.cpu_s
            for _ in range(requests):
                server.get(path)
            found["cpu_ms"][path] = (server.cpu_s - before) * 1000 / requests
    return found


def requests(folder: Path, small: bool) -> dict[str, Any]:
    """Measure requests on one large run, ended and live."""
    count, repeats = (100, 3) if small else (3000, 20)
    (folder / "wide.yaml").write_text(
        "\n".join(["artifacts:", *(f"  a{number}: {STEP % 0}" for number in range(count))]) + "\n"
    )
    wct(folder, "run", "-q", "--no-cache", "wide.yaml", "--run-id", "ended")
    last = f"  last: {{after: [a{count - 1}], {SOURCE % 3600}}}\n"
    with (folder / "wide.yaml").open("a") as file:
        file.write(last)
    found: dict[str, Any] = {"artifacts": count, "requests": repeats}
    with serving(folder) as server:
        found["ended_cpu_ms"] = each_path(server, "ended", repeats)
        run = started(folder, "live", "wide.yaml")
        journal = folder / ".waivern" / "runs" / "live" / "_system" / "events.jsonl"
        while journal.read_bytes().count(b"\n") < 2 * count + 3:
            time.sleep(0.1)
        found["live_cpu_ms"] = each_path(server, "live", repeats)
        run.kill()
        run.wait()
    return found


def each_path(server: Server, run: str, repeats: int) -> dict[str, dict[str, float]]:
    """Return the processor time of the first and of a later request for each path."""
    found = {}
    for path in (
        f"/api/v1/runs/{run}",
        f"/api/v1/runs/{run}/steps?limit=10",
        f"/api/v1/runs/{run}/artifacts/a1",
        f"/runs/{run}/artifacts/a1",
        f"/runs/{run}",
    ):
        before = server.cpu_s
        server.get(path)
        first = server.cpu_s - before
        before = server.cpu_s
        for _ in range(repeats):
            server.get(path)
        later = (server.cpu_s - before) / repeats
        found[path] = {"first": round(first * 1000, 1), "later": round(later * 1000, 2)}
    return found


def copies(store: Path, count: int) -> None:
    """Fill a store with copies of its run."""
    original = store / "runs" / "template"
    (line,) = (store / "runs.jsonl").read_text().splitlines()
    lines = [line]
    for number in range(1, count):
        name = f"run-{number:06}"
        shutil.copytree(original, store / "runs" / name)
        system = store / "runs" / name / "_system"
        for record in ("run.json", "events.jsonl"):
            text = (system / record).read_text()
            (system / record).write_text(text.replace('"template"', f'"{name}"'))
        lines.append(line.replace('"template"', f'"{name}"'))
    (store / "runs.jsonl").write_text("\n".join(lines) + "\n")


def events(folder: Path, small: bool) -> dict[str, Any]:
    """Measure how long events take to arrive, and start server and client again in the middle."""
    count = 30 if small else 150
    chain(folder / "chain.yaml", count, wait=0.2)
    lags: list[float] = []
    seqs: list[int] = []
    with serving(folder) as server:
        run = started(folder, "live")
        receive(server.stream("live"), lags, seqs, until=count)
    with serving(folder, server.port) as server:
        receive(server.stream("live", seqs[-1]), lags, seqs, until=None)
    run.wait()
    return {
        "events": len(seqs),
        "lost": sorted(set(range(1, max(seqs) + 1)) - set(seqs)),
        "twice": len(seqs) - len(set(seqs)),
        "median_ms": round(statistics.median(lags) * 1000, 1),
        "worst_ms": round(max(lags) * 1000, 1),
        "lag_ms": [round(lag * 1000, 1) for lag in lags],
    }


def started(folder: Path, run_id: str, book: str = "chain.yaml") -> subprocess.Popen[bytes]:
    """Return the process of a run that has begun."""
    command = [WCT, "run", "-q", "--no-cache", book, "--run-id", run_id]
    run = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    while not (folder / ".waivern" / "runs" / run_id).exists():
        time.sleep(0.01)
    return run


def receive(stream: HTTPResponse, lags: list[float], seqs: list[int], until: int | None) -> None:
    """Record the number of each event, and how late it is if it happened while this listened."""
    connected, seq = time.time(), None
    for raw in stream:
        now, line = time.time(), raw.decode().rstrip("\n")
        if line.startswith("id: "):
            seq = int(line[4:])
        elif line.startswith("data: ") and seq is not None:
            at = datetime.fromisoformat(json.loads(line[6:])["at"]).timestamp()
            seqs.append(seq)
            if at >= connected:
                lags.append(now - at)
            seq = None
            if until is not None and len(seqs) >= until:
                break
    stream.close()


def chain(path: Path, count: int, wait: float) -> None:
    """Write a runbook of artifacts that are produced one after the other."""
    lines = ["artifacts:", f"  a0: {STEP % wait}"]
    lines += [AFTER % (number, number - 1, wait) for number in range(1, count)]
    path.write_text("\n".join(lines) + "\n")


def clients(folder: Path, small: bool) -> dict[str, Any]:
    """Measure a run that is followed by 200 clients beside one that is not."""
    return beside(folder, *((1, 10, 20) if small else (7, 100, 200)))


def streams(folder: Path, small: bool) -> dict[str, Any]:
    """Measure the same with 500 clients."""
    return beside(folder, *((1, 10, 50) if small else (3, 50, 500)))


def beside(folder: Path, rounds: int, count: int, followers: int) -> dict[str, Any]:
    """Return measurements of runs with and without followers, in turns."""
    chain(folder / "chain.yaml", count, wait=0.05)
    found: dict[str, Any] = {"clients": followers, "alone": [], "followed": []}
    with serving(folder) as server:
        for number in range(rounds):
            found["alone"].append(measured(folder, server, f"alone-{number}", 0))
            found["followed"].append(measured(folder, server, f"followed-{number}", followers))
    for key in ("seconds", "cpu_s"):
        pairs = zip(found["followed"], found["alone"], strict=True)
        ratios = [with_[key] / without[key] for with_, without in pairs]
        found[f"ratio_{key}"] = round(statistics.median(ratios), 3)
    return found


def measured(folder: Path, server: Server, run_id: str, followers: int) -> dict[str, Any]:
    """Return what a run took, and what the server needed meanwhile."""
    begun, cpu = time.monotonic(), server.cpu_s
    run = started(folder, run_id)
    readers = [Reader(server, run_id) for _ in range(followers)]
    _, _, usage = os.wait4(run.pid, 0)
    took = time.monotonic() - begun
    for reader in readers:
        reader.join()
    return {
        "seconds": took,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "server_cpu_s": server.cpu_s - cpu,
        "received": sorted({reader.count for reader in readers}),
    }


class Reader(threading.Thread):
    """A client that reads a stream to its end and counts the bytes."""

    def __init__(self, server: Server, run_id: str) -> None:
        super().__init__()
        self.count = 0
        self._sock = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        request = f"GET /api/v1/runs/{run_id}/events HTTP/1.1\r\nHost: {server.host}\r\n"
        self._sock.sendall(f"{request}Connection: close\r\n\r\n".encode())
        self.start()

    def run(self) -> None:
        with self._sock:
            while piece := self._sock.recv(65536):
                self.count += piece.count(b"\nevent: ")


def wct(folder: Path, *words: str) -> None:
    subprocess.run([WCT, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)


PARTS: dict[str, Callable[[Path, bool], dict[str, Any]]] = {
    "lists": lists,
    "requests": requests,
    "events": events,
    "clients": clients,
    "streams": streams,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.only.split(","):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "steps.py").write_text(STEPS)
            found = PARTS[name](Path(folder), args.small)
        found["python"], found["processors"] = platform.python_version(), os.cpu_count()
        found["load"] = os.getloadavg()
        file = args.out / f"{name}{'-small' if args.small else ''}.json"
        file.write_text(json.dumps(found, indent=2) + "\n")
        shown = {key: value for key, value in found.items() if key != "lag_ms"}
        print(name, json.dumps(shown, indent=2), flush=True)


if __name__ == "__main__":
    main()
