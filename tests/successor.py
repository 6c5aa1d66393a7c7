"""``python -m tests.successor PLACE uvicorn config.asgi_media:application …``: ready to take over, and waiting for it.

It loads what it will need, says so by a file ``PLACE.ready``, and becomes the process of that command line once there
is a file ``PLACE.go``: the port is free then. A start takes seconds, on a busy machine many; this takes none.
"""

import importlib
import sys
import time
from pathlib import Path

from uvicorn.main import main

if __name__ == "__main__":
    place, program, application, *options = sys.argv[1:]
    assert program == "uvicorn", program
    importlib.import_module(application.partition(":")[0])
    Path(f"{place}.ready").touch()
    while not Path(f"{place}.go").exists():
        time.sleep(0.02)
    main([application, *options])
