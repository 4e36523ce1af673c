"""Processes of their own, for what is killed or interrupted: forked from one that has loaded fewscan and PyTorch before."""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import Pipe, forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

from fewscan.processes import processes
from tests.forks import LOADED, fork_from


class Program:
    """The program `fewscan` at work in a folder, as a shell starts it: it heeds Ctrl-C, wherever this process was started.

    first: code that it runs before it begins.
    """

    def __init__(self, words: list[str], folder: Path, first: str = "") -> None:
        self._said, told = Pipe(duplex=False)
        context = processes(LOADED)
        address = forkserver._forkserver._forkserver_address  # type: ignore[attr-defined]
        self._process = context.Process(target=_be_fewscan, args=(words, folder, told, address, first))  # type: ignore[attr-defined]
        self._process.start()
        self.pid = int(self._process.pid)
        told.close()

    def is_running(self) -> bool:
        return bool(self._process.is_alive())

    def ended(self) -> tuple[int, str]:
        """Wait until it has ended, with all that has inherited its standard error; return its exit code and what it said."""
        with open(self._said.fileno(), closefd=False, encoding="utf-8") as said:
            text = said.read()
        self._process.join()
        return int(self._process.exitcode), text


class Begun:
    """A `subprocess.Popen` of `python -m fewscan WORDS`, as far as what runs commands in the background asks of one."""

    def __init__(self, line: Sequence[str], *, stderr: IO[bytes], **_: object) -> None:
        assert [*line[:3]] == [sys.executable, "-m", "fewscan"]
        self._program = Program([*line[3:]], Path.cwd())
        self._told = stderr
        self._code: int | None = None
        self._ending = threading.Lock()

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):  # it has ended
            os.kill(self._program.pid, number)

    def wait(self, timeout: float | None = None) -> int:
        # Two threads may wait.
        with self._ending:
            if self._code is None:
                self._code, said = self._program.ended()
                self._told.write(said.encode())
        return self._code


def exit_code_of(code: str, *arguments: object) -> int:
    """Run code as `python -c` does, and return how it ended; negative: by which signal."""
    process = processes(LOADED).Process(target=_run, args=(code, *map(str, arguments)))
    process.start()
    process.join()
    return int(process.exitcode)


def _be_fewscan(words: list[str], folder: Path, told: Connection, address: str, first: str) -> None:
    from fewscan.__main__ import main

    # What has forked this process forks those that it starts, too: another one would load PyTorch again.
    fork_from(address)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(told.fileno(), 2)
    told.close()
    sys.argv = ["fewscan", *words]
    exec(first, {})
    main()


def _run(code: str, *arguments: str) -> None:
    sys.argv = ["-c", *arguments]
    exec(code, {"__name__": "__main__"})
