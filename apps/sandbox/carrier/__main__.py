"""`python -m apps.sandbox.carrier --port N`."""

from __future__ import annotations

import logging
import sys

from aiohttp import web

from apps.sandbox.carrier.config import ConfigError, load_config
from apps.sandbox.carrier.server import make_app

log = logging.getLogger("apps.sandbox.carrier")


def main() -> int:
    """Serve until interrupted; 2 if a setting is missing."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        config = load_config(sys.argv[1:])
    except ConfigError as error:
        sys.stderr.write(f"sandbox carrier: {error}\n")
        return 2
    log.info("listening on http://%s:%s, speed %g, %g calls/s", config.host, config.port, config.speed, config.cps)
    if config.telnyx is None:
        log.info("no Telnyx: TELNYX_API_KEY and SANDBOX_TELNYX_SIGNING_KEY (or their _FILE) are not both set")
    try:
        web.run_app(
            make_app(config), host=config.host, port=config.port, access_log=None, print=None, shutdown_timeout=1
        )
    except OSError as error:
        sys.stderr.write(f"sandbox carrier: cannot listen on {config.host}:{config.port}: {error.strerror}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
