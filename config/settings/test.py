"""Settings of the test suite: the real services, cheap password hashes, no caching between tests by accident."""

import os

# Carriers and voice AIs of the tests are loopback servers; these are their credentials, never anyone's.
os.environ.setdefault("SECRET_KEY", "test-only-" + "x" * 50)
os.environ.setdefault("TWILIO_ACCOUNT_SID", "AC" + "0" * 31 + "1")
os.environ.setdefault("TWILIO_AUTH_TOKEN", "0123456789abcdef0123456789abcdef")
os.environ.setdefault("OPENAI_API_KEY", "sk-test")
os.environ.setdefault("TELNYX_API_KEY", "KEY" + "0" * 40)
os.environ.setdefault("TELNYX_CONNECTION_ID", "1494404757140276705")
os.environ.setdefault("TELNYX_PUBLIC_KEY", "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=")  # of the seed 00 01 … 1f
os.environ.setdefault("TELNYX_WEBHOOK_IPS", "127.0.0.1/32")
# The suite asks more in a minute than anybody may; the test of the limits sets its own.
os.environ.setdefault("API_ANON_PER_MINUTE", "1000000")
os.environ.setdefault("API_USER_PER_MINUTE", "1000000")
os.environ.setdefault("API_LOGIN_PER_MINUTE", "1000000")
# Nor do calls of one test wait for those of another; the tests of the account's pace set their own.
os.environ.setdefault("TWILIO_CALLS_PER_SECOND", "0")
os.environ.setdefault("TELNYX_CALLS_PER_SECOND", "0")
# Each worker of pytest-xdist has a Redis database of its own, as it has a PostgreSQL one: 0 stays with a plain run.
if (worker := os.environ.get("PYTEST_XDIST_WORKER", "")) and "REDIS_URL" in os.environ:
    os.environ["REDIS_URL"] = f"{os.environ['REDIS_URL'].rsplit('/', 1)[0]}/{int(worker.removeprefix('gw')) % 15 + 1}"
if "JWT_SIGNING_KEY" not in os.environ and "JWT_SIGNING_KEY_FILE" not in os.environ:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    os.environ["JWT_SIGNING_KEY"] = (
        Ed25519PrivateKey.generate()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )

from config.settings.base import *

STYLEGUIDE = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
