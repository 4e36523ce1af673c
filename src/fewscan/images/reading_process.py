"""The process that reads files which a library might never be done with, or take all memory for: `guarded` starts and ends it.

It is asked over a connection, a function and its arguments at a time, and answers with what that returns. Both ends are this
package; no file is ever unpickled.
"""

import os
import resource
import sys
import traceback
from multiprocessing.connection import Connection
from typing import NamedTuple

from fewscan.images.formats.image import TOO_LITTLE_MEMORY, UnreadableImage
from fewscan.images.formats.recognition import silenced
from fewscan.memory import is_too_little

# What one file may take.
MAX_CPU_SECONDS = 20
MAX_MEMORY_BYTES = 2 * 2**30


class Fault(NamedTuple):
    """What went wrong in this package itself, as Python tells it."""

    told: str


def serve(descriptor: int) -> None:
    """Answer what is asked over the connection `descriptor` until its other end is closed, also by a kill."""
    # What libraries in C print of a file may quote it.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    with Connection(descriptor) as asked, silenced():
        while True:
            try:
                function, arguments = asked.recv()
            except EOFError:
                return
            _limit()
            try:
                answer = function(*arguments)
            except UnreadableImage as unreadable:
                answer = unreadable
            except Exception as error:
                # What was read is whole, perhaps, and has no room beside its pixels.
                answer = UnreadableImage(TOO_LITTLE_MEMORY) if is_too_little(error) else Fault(traceback.format_exc())
            asked.send(answer)


def _limit() -> None:
    """Let the next file take so much and no more: beyond it the system ends this process, or gives it no memory."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + MAX_CPU_SECONDS, most))
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY_BYTES, most))


if __name__ == "__main__":
    # By its name, since what it answers is looked up by that at the other end.
    from fewscan.images import reading_process

    reading_process.serve(int(sys.argv[1]))
