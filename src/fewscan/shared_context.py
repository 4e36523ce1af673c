"""What is so for a whole process while any of its threads asks for it."""

import threading
from collections.abc import Callable
from contextlib import ExitStack


class SharedContext:
    """A context for what belongs to the process: the first thread to enter begins it, the last one to leave ends it.

    begin: puts into the stack that it is given what is to be undone then.
    """

    def __init__(self, begin: Callable[[ExitStack], None]) -> None:
        self._begin = begin
        self._lock = threading.Lock()
        self._inside = 0
        self._begun = ExitStack()

    def __enter__(self) -> None:
        """Begin it, unless somebody is inside; raises what `begin` does."""
        with self._lock:
            if self._inside == 0:
                with ExitStack() as stack:
                    self._begin(stack)
                    self._begun = stack.pop_all()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        """End it, unless somebody is inside still."""
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._begun.close()
