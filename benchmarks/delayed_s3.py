"""A local S3 server that answers each request late: `python benchmarks/delayed_s3.py PORT SECONDS`.

It needs `pip install 'moto[server]'`, in an environment of its own.
"""

import importlib
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any


def main() -> None:
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    moto, serving = importlib.import_module("moto.server"), importlib.import_module("werkzeug.serving")
    served = moto.DomainDispatcherApplication(moto.create_backend_app)

    def late(environment: dict[str, Any], answer: Callable[..., Any]) -> Iterable[bytes]:
        time.sleep(seconds)
        content: Iterable[bytes] = served(environment, answer)
        return content

    serving.run_simple("127.0.0.1", port, late, threaded=True)


if __name__ == "__main__":
    main()
