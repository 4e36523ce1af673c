"""How much a training step slows down beside other work: alone, and beside processes that keep the CPU busy.

Threads wait for each other after every part of a step. Each way of waiting is a process of its own, since OpenMP reads it as
it is loaded; they make steps by turns. Beside N busy processes each of T threads on C cores can have C / (T + N) of a core: a
step that takes so many times longer than alone, with what OpenMP does by itself, has its fair share.

    python -m benchmarks.neighbor --out docs/results/neighbor.json

On a machine that has other work to do, let it come before that: as root `echo -20 > /proc/self/autogroup` and `nice -n -20`.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import date
from multiprocessing import Process
from pathlib import Path
from typing import Any

from fewscan.__main__ import WAITING
from fewscan.atomic import write_json

# What OpenMP does by itself, what the program `fewscan` has it do, and threads that go to sleep at once.
WAYS = {"openmp": {"GOMP_SPINCOUNT": "300000"}, "fewscan": WAITING, "passive": {"OMP_WAIT_POLICY": "PASSIVE"}}
CORES = len(os.sched_getaffinity(0))


def make_steps(method: str) -> None:
    """Make training steps on request: how many seconds comes in as a line, what a step took goes out as one."""
    import lightning_fabric
    import torch

    from fewscan.learning.policies import build_views, view_settings
    from fewscan.learning.registry import method_type
    from fewscan.learning.views import random_views
    from fewscan.models.encoders import encoder_settings
    from fewscan.models.heads import HeadSettings
    from fewscan.models.network import Network
    from fewscan.seeds import stream
    from fewscan.training.allocator import keep_freed_memory
    from fewscan.training.chunks import add_gradients
    from fewscan.training.ranks import Ranks

    keep_freed_memory()
    torch.manual_seed(0)
    kind = method_type(method)
    settings: Any = kind.settings_type
    heads = HeadSettings.parse(kind.heads)
    network = Network(encoder_settings(), heads, channels=1, image_size_px=64, classes=4)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing from torch's annotations
    learner = kind(settings(), network.encoder.feature_dim, heads.projection_units[-1], torch.full((4,), 0.25))
    fabric = lightning_fabric.Fabric(accelerator="cpu", devices=1)
    trained, stepper = fabric.setup(network, torch.optim.AdamW(network.parameters()))
    images, labels = torch.randint(256, (64, 1, 64, 64), dtype=torch.uint8), torch.randint(4, (64,))
    views = build_views(view_settings())
    for line in sys.stdin:
        end, cpu = time.perf_counter() + float(line), time.process_time()
        times: list[float] = []
        while time.perf_counter() < end or len(times) < 3:
            began = time.perf_counter()
            seen = random_views(views, images, 2 if kind.two_views else 1, stream(len(times), "views"))
            stepper.zero_grad()
            add_gradients(Ranks(fabric), trained, learner, seen, labels, None)
            stepper.step()
            times.append(time.perf_counter() - began)
        took = {"step_ms": 1000 * statistics.median(times), "cpu_ms": 1000 * (time.process_time() - cpu) / len(times)}
        print(json.dumps(took), flush=True)


class Worker:
    """A process that makes steps."""

    def __init__(self, way: dict[str, str], threads: int, method: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.neighbor", "--steps", method],
            env=kept | way | {"OMP_NUM_THREADS": str(threads)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def make(self, seconds: float) -> dict[str, float]:
        """Make steps for so many seconds, and return the median of what one took."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))


def be_busy() -> None:
    while True:
        sum(range(1000))


def measured(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row for each way and number of threads."""
    workers = {(way, threads): Worker(WAYS[way], threads, arguments.method) for threads in (1, 2) for way in WAYS}
    took: dict[tuple[str, int, int], list[dict[str, float]]] = {}
    for worker in workers.values():
        worker.make(0.1)
    for _ in range(arguments.rounds):
        for neighbors in (0, arguments.neighbors):
            busy = [Process(target=be_busy, daemon=True) for _ in range(neighbors)]
            for process in busy:
                process.start()
            for (way, threads), worker in workers.items():
                took.setdefault((way, threads, neighbors), []).append(worker.make(arguments.seconds))
            for process in busy:
                process.kill()
                process.join()
    for worker in workers.values():
        worker.process.kill()
    return [row(took, way, threads, arguments.neighbors) for way, threads in workers]


def row(took: dict[tuple[str, int, int], list[dict[str, float]]], way: str, threads: int, neighbors: int) -> dict[str, Any]:
    """Return the medians over all rounds, and the slowdown as a multiple of the fair share's."""
    alone, beside = ({name: statistics.median(one[name] for one in took[way, threads, count]) for name in ("step_ms", "cpu_ms")}
                     for count in (0, neighbors))  # fmt: skip
    fair = max(1.0, (threads + neighbors) / CORES)
    by_itself = statistics.median(one["step_ms"] for one in took["openmp", threads, 0])
    slowdown = beside["step_ms"] / by_itself
    figures = {"alone_ms": alone["step_ms"], "alone_cpu_ms": alone["cpu_ms"]}
    figures |= {"beside_ms": beside["step_ms"], "beside_cpu_ms": beside["cpu_ms"], "slowdown": slowdown, "fair_slowdown": fair}
    figures["of_fair_share"] = slowdown / fair
    return {"way": way, "threads": threads} | {name: round(value, 3) for name, value in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="simclr")
    parser.add_argument("--neighbors", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of steps at a time")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--steps", metavar="METHOD", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.steps:
        make_steps(arguments.steps)
        return
    load = os.getloadavg()
    machine: dict[str, Any] = {
        "date": f"{date.today()}",
        "nice": os.nice(0),
        "cores": CORES,
        "platform": platform.platform(),
        "load_before": [round(one, 1) for one in load],
    }
    machine |= {name: getattr(arguments, name) for name in ("method", "neighbors", "rounds", "seconds")}
    rows = measured(arguments)
    for one in rows:
        print(json.dumps(one))
    if arguments.out is not None:
        write_json(arguments.out, {"machine": machine, "rows": rows})


if __name__ == "__main__":
    main()
