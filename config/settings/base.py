"""Settings shared by every environment; local, test and production only override.

Every value an operator may set is read here, and docs/settings.md lists them.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
import django_stubs_ext
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from apps.core.logging import configure_structlog, logging_config
from config.env import env_int, env_list, env_secret, env_str

django_stubs_ext.monkeypatch()  # Django's generic classes take their type at run time too: ModelForm[Campaign]

BASE_DIR = Path(__file__).resolve().parents[2]

# ── Where we are ────────────────────────────────────────────────────────────────────────────────────────────
SECRET_KEY = env_secret("SECRET_KEY")
DEBUG = False
PORT = env_int("PORT", 8000)
MEDIA_PORT = env_int("MEDIA_PORT", 8001)

# What carriers and browsers are told; never taken from a Host header.
PUBLIC_ORIGIN = env_str("PUBLIC_ORIGIN", f"http://127.0.0.1:{PORT}").rstrip("/")
_public = urlsplit(PUBLIC_ORIGIN)
if _public.scheme not in {"http", "https"} or not _public.netloc or _public.path:
    raise ImproperlyConfigured(f"PUBLIC_ORIGIN must look like https://voice.example.com, not {PUBLIC_ORIGIN!r}.")
# The media process usually stands behind the same host; where it has its own, say so.
PUBLIC_MEDIA_ORIGIN = env_str("PUBLIC_MEDIA_ORIGIN", PUBLIC_ORIGIN.replace("http", "ws", 1)).rstrip("/")

ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", f"{_public.hostname},127.0.0.1,localhost")
CSRF_TRUSTED_ORIGINS = [PUBLIC_ORIGIN]
# How many proxies of ours stand in front: what they wrote into X-Forwarded-For is believed, nothing before it.
TRUSTED_PROXIES = env_int("TRUSTED_PROXIES", 0)
# And from where they write it; none: from anywhere, which is right where nobody else can reach us.
TRUSTED_PROXY_IPS = env_list("TRUSTED_PROXY_IPS")

# ── Applications ────────────────────────────────────────────────────────────────────────────────────────────
INSTALLED_APPS = [
    "daphne",
    "modeltranslation",
    "apps.core.admin_site.CallCentreAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "rest_framework",
    "rest_framework_simplejwt",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "import_export",
    "axes",
    "csp",
    "django_prometheus",
    "apps.core",
    "apps.accounts",
    "apps.contacts",
    "apps.calls",
    "apps.messaging",
    "apps.campaigns",
    "apps.cockpit",
]

MIDDLEWARE = [
    "apps.core.middleware.ProbeMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "apps.core.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.accounts.middleware.UserLanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.cockpit.context_processors.navigation",
            ],
        },
    },
]

# ── Database: a real pool, sized per process class ──────────────────────────────────────────────────────────
# 10 kept open and 20 more under load; a worker or beat process sets smaller numbers in its environment.
DB_POOL_SIZE = env_int("DB_POOL_SIZE", 10)
DB_POOL_OVERFLOW = env_int("DB_POOL_OVERFLOW", 20)
DATABASES: dict[str, Any] = {"default": dj_database_url.parse(env_str("DATABASE_URL"))}
DATABASES["default"]["ENGINE"] = "django_prometheus.db.backends.postgresql"
DATABASES["default"]["CONN_MAX_AGE"] = 0  # the pool keeps connections, not the thread
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True  # pre-ping: a restarted server is not a failed request
DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {
    "min_size": min(DB_POOL_SIZE, env_int("DB_POOL_MIN", 1)),
    "max_size": DB_POOL_SIZE + DB_POOL_OVERFLOW,
    "timeout": 10,
    "max_idle": 60,
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ── Redis: cache, sessions, token deny-list, Celery, channel layer ──────────────────────────────────────────
REDIS_URL = env_str("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "cc",
        "OPTIONS": {
            "CLIENT_CLASS": "django_redis.client.DefaultClient",
            "SOCKET_CONNECT_TIMEOUT": 3,
            "SOCKET_TIMEOUT": 5,
        },
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "cc-layer"},
    }
}

CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 600, "global_keyprefix": "cc-celery-"}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True  # results are rows
CELERY_TASK_ACKS_LATE = False  # a lost task is found again by its row; a repeated one would be work for nothing
CELERY_WORKER_PREFETCH_MULTIPLIER = 4
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TIMEZONE = "UTC"
# How often we look for what a crash or a lost message left behind.
RECONCILE_EVERY_S = env_int("RECONCILE_EVERY_S", 10)
# Periodic work belongs to the app that does it: see CELERY_BEAT_SCHEDULE below.
CELERY_BEAT_SCHEDULE: dict[str, Any] = {
    "campaigns.run_dial_cycles": {
        "task": "campaigns.run_dial_cycles",
        "schedule": timedelta(seconds=1),
        "options": {"expires": 5},
    },
    "campaigns.settle_overdue_attempts": {
        "task": "campaigns.settle_overdue_attempts",
        "schedule": timedelta(seconds=RECONCILE_EVERY_S),
        "options": {"expires": 3 * RECONCILE_EVERY_S},
    },
    "calls.reconcile_stale_legs": {
        "task": "calls.reconcile_stale_legs",
        "schedule": timedelta(seconds=RECONCILE_EVERY_S),
        "options": {"expires": 3 * RECONCILE_EVERY_S},
    },
    "messaging.reconcile_messages": {
        "task": "messaging.reconcile_messages",
        "schedule": timedelta(seconds=RECONCILE_EVERY_S),
        "options": {"expires": 3 * RECONCILE_EVERY_S},
    },
    "contacts.resume_stale_imports": {
        "task": "contacts.resume_stale_imports",
        "schedule": timedelta(seconds=30),
        "options": {"expires": 30},
    },
    "accounts.purge_expired": {
        "task": "accounts.purge_expired",
        "schedule": timedelta(hours=1),
        "options": {"expires": 3600},
    },
    "calls.hand_out_reviews": {
        "task": "calls.hand_out_reviews",
        "schedule": timedelta(seconds=5),
        "options": {"expires": 5},
    },
    "calls.finish_recordings": {
        "task": "calls.finish_recordings",
        "schedule": timedelta(seconds=60),
        "options": {"expires": 60},
    },
    "calls.erase_old_recordings": {
        "task": "calls.erase_old_recordings",
        "schedule": crontab(hour=3, minute=17),
        "options": {"expires": 12 * 3600},
    },
    "core.beat_heartbeat": {
        "task": "core.beat_heartbeat",
        "schedule": timedelta(seconds=5),
        "options": {"expires": 5},
    },
}

# ── Who may come in ─────────────────────────────────────────────────────────────────────────────────────────
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "apps.accounts.backends.RoleBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "accounts:login"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
AXES_FAILURE_LIMIT = env_int("LOGIN_FAILURE_LIMIT", 5)
AXES_COOLOFF_TIME = timedelta(minutes=env_int("LOGIN_LOCKOUT_MINUTES", 15))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # the time we tell people holds
AXES_LOCKOUT_CALLABLE = "apps.accounts.lockout.locked_out"
AXES_CLIENT_IP_CALLABLE = "apps.core.client.client_ip"
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False  # its lists stand in our own back office
# Names and passwords offered on the sign-in page; `make run` sets it, production never reads it.
DEMO_LOGINS_FILE = env_str("DEMO_LOGINS_FILE", "")

# ── API ─────────────────────────────────────────────────────────────────────────────────────────────────────
# Ed25519 key pair that signs API tokens, PEM (PKCS 8). Older public keys stay valid while tokens of theirs live.
JWT_SIGNING_KEY = env_secret("JWT_SIGNING_KEY")
JWT_PREVIOUS_KEYS = env_str("JWT_PREVIOUS_KEYS", "")
JWT_ACCESS_MINUTES = env_int("JWT_ACCESS_MINUTES", 10)
JWT_REFRESH_DAYS = env_int("JWT_REFRESH_DAYS", 7)
SIMPLE_JWT = {
    "ALGORITHM": "EdDSA",
    "SIGNING_KEY": JWT_SIGNING_KEY,
    "AUTH_TOKEN_CLASSES": ("apps.accounts.tokens.AccessToken",),
    "USER_ID_CLAIM": "sub",
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=JWT_ACCESS_MINUTES),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=JWT_REFRESH_DAYS),
    "ROTATE_REFRESH_TOKENS": True,
    "ISSUER": PUBLIC_ORIGIN,
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["apps.accounts.permissions.RolePermission"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "apps.core.api.Pagination",
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
        "rest_framework.filters.SearchFilter",
        "rest_framework.filters.OrderingFilter",
    ],
    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.NamespaceVersioning",
    "DEFAULT_VERSION": "v1",
    "ALLOWED_VERSIONS": ["v1"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "apps.core.api.exception_handler",
    "DEFAULT_THROTTLE_CLASSES": [
        "rest_framework.throttling.AnonRateThrottle",
        "rest_framework.throttling.UserRateThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "anon": f"{env_int('API_ANON_PER_MINUTE', 60)}/min",
        "user": f"{env_int('API_USER_PER_MINUTE', 1200)}/min",
        "login": f"{env_int('API_LOGIN_PER_MINUTE', 20)}/min",
    },
    "NUM_PROXIES": TRUSTED_PROXIES,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Call centre API",
    "DESCRIPTION": "Contacts, campaigns, calls and their transcripts.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v[0-9]",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_COERCE_PATH_PK_SUFFIX": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False, "displayRequestDuration": True},
    "ENUM_NAME_OVERRIDES": {
        "Channel": "apps.contacts.models.Channel",
        "ImportState": "apps.contacts.models.ImportState",
        "CampaignState": "apps.campaigns.states.CampaignState",
        "ContactState": "apps.campaigns.states.ContactState",
        "LegState": "apps.calls.states.LegState",
        "Outcome": "apps.calls.states.Outcome",
        "MessageState": "apps.messaging.states.MessageState",
        "Language": "apps.accounts.models.Language",
    },
    "PREPROCESSING_HOOKS": ["apps.core.schema.only_the_api"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.core.schema.describe_errors",
    ],
}

# ── Languages ───────────────────────────────────────────────────────────────────────────────────────────────
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("es", "Español"), ("cs", "Čeština")]
LOCALE_PATHS = [BASE_DIR / "locale"]
MODELTRANSLATION_DEFAULT_LANGUAGE = "en"
MODELTRANSLATION_FALLBACK_LANGUAGES = ("en",)
USE_I18N = True
USE_TZ = True
TIME_ZONE = env_str("TIME_ZONE", "UTC")
# The country whose numbering plan reads phone numbers written without a leading +.
DEFAULT_COUNTRY = env_str("DEFAULT_COUNTRY", "US")

# ── Files ───────────────────────────────────────────────────────────────────────────────────────────────────
VAR_DIR = Path(env_str("VAR_DIR", str(BASE_DIR / "var"))).resolve()
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
_NODE = BASE_DIR / "node_modules"
STATICFILES_DIRS: list[Any] = [
    BASE_DIR / "static",
    ("vendor/tabler/css", _NODE / "@tabler/core/dist/css"),  # not dist/libs: megabytes that no page loads
    ("vendor/tabler/img", _NODE / "@tabler/core/dist/img"),
    ("vendor/htmx", _NODE / "htmx.org/dist"),
    ("vendor/chart.js", _NODE / "chart.js/dist"),
    ("vendor/inter", _NODE / "@fontsource-variable/inter"),
]
MEDIA_ROOT = VAR_DIR / "uploads"
MEDIA_URL = "uploads/"
# Recordings are sound of people: in a storage of their own, and never under an address that anyone may guess.
RECORDING_STORAGE = env_str("RECORDING_STORAGE", "file")
_RECORDING_STORAGES: dict[str, dict[str, Any]] = {
    "file": {
        "BACKEND": "apps.calls.recording_files.RecordingFiles",
        "OPTIONS": {
            "location": str(MEDIA_ROOT / "recordings"),
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
    "s3": {
        "BACKEND": "apps.calls.recording_s3.RecordingS3",
        "OPTIONS": {
            "bucket_name": env_str("RECORDING_S3_BUCKET", ""),
            "location": env_str("RECORDING_S3_PREFIX", "recordings"),
            "region_name": env_str("RECORDING_S3_REGION", "") or None,
            "endpoint_url": env_str("RECORDING_S3_ENDPOINT", "") or None,
            "addressing_style": "path" if env_str("RECORDING_S3_ENDPOINT", "") else None,
            # Empty: whatever the machine's role, profile or AWS_… variables give.
            "access_key": env_str("RECORDING_S3_ACCESS_KEY", "") or None,
            "secret_key": env_str("RECORDING_S3_SECRET_KEY", "") or None,
            "object_parameters": {"ServerSideEncryption": env_str("RECORDING_S3_ENCRYPTION", "AES256")},
        },
    },
}
if RECORDING_STORAGE not in _RECORDING_STORAGES:
    raise ImproperlyConfigured(f"RECORDING_STORAGE must be file or s3, not {RECORDING_STORAGE!r}.")
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "recordings": _RECORDING_STORAGES[RECORDING_STORAGE],
}
# Where a media process writes while calls last; what a crash leaves there is finished later.
RECORDING_SPOOL_DIR = Path(env_str("RECORDING_SPOOL_DIR", str(VAR_DIR / "recording-spool")))
RECORDING_KEEP_DAYS = env_int("RECORDING_KEEP_DAYS", 90)
# A prefix under which nginx serves the recordings' folder to itself (X-Accel-Redirect); "" has us send the sound.
RECORDING_X_ACCEL = env_str("RECORDING_X_ACCEL", "")
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
IMPORT_MAX_BYTES = env_int("IMPORT_MAX_BYTES", 300_000_000)

# ── Browser safety ──────────────────────────────────────────────────────────────────────────────────────────
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "media-src": [SELF, "blob:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "apps.core.error_pages.csrf_failure"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"

# ── Carriers and voice AI ───────────────────────────────────────────────────────────────────────────────────
# An outside service without its credential is simply not offered; a half-set one is a system check (calls.E…).
TWILIO_API_BASE = env_str("TWILIO_API_BASE", "https://api.twilio.com").rstrip("/")
TWILIO_ACCOUNT_SID = env_str("TWILIO_ACCOUNT_SID", "")
TWILIO_AUTH_TOKEN = env_str("TWILIO_AUTH_TOKEN", "")
# Still accepted on webhooks while a new token takes over; empty otherwise.
TWILIO_AUTH_TOKEN_PREVIOUS = env_str("TWILIO_AUTH_TOKEN_PREVIOUS", "")
TELNYX_API_BASE = env_str("TELNYX_API_BASE", "https://api.telnyx.com/v2").rstrip("/")
TELNYX_API_KEY = env_str("TELNYX_API_KEY", "")
TELNYX_PUBLIC_KEY = env_str("TELNYX_PUBLIC_KEY", "")
# Still accepted on webhooks while a new key takes over; empty otherwise.
TELNYX_PUBLIC_KEY_PREVIOUS = env_str("TELNYX_PUBLIC_KEY_PREVIOUS", "")
# The id of the Voice API application (Call Control) that calls are placed through.
TELNYX_CONNECTION_ID = env_str("TELNYX_CONNECTION_ID", "")
# The networks webhooks may come from, CIDR; empty: any. Telnyx's are the union of what its pages publish; Twilio
# publishes none.
TELNYX_WEBHOOK_IPS = env_list(
    "TELNYX_WEBHOOK_IPS", "192.76.120.128/26,192.76.120.192/27,185.246.41.0/26,103.115.244.0/26,64.16.239.0/24"
)
TWILIO_WEBHOOK_IPS = env_list("TWILIO_WEBHOOK_IPS")
OPENAI_API_KEY = env_str("OPENAI_API_KEY", "")
OPENAI_BASE_URL = env_str("OPENAI_BASE_URL", "https://api.openai.com/v1").rstrip("/")
OPENAI_REALTIME_BASE = env_str("OPENAI_REALTIME_BASE", "wss://api.openai.com/v1").rstrip("/")
GEMINI_API_KEY = env_str("GEMINI_API_KEY", "")
GEMINI_API_BASE = env_str("GEMINI_API_BASE", "https://generativelanguage.googleapis.com").rstrip("/")
GEMINI_API_VERSION = env_str("GEMINI_API_VERSION", "v1beta")
# A bundle of certificates to trust besides the usual ones: companies whose proxies look into TLS have their own.
GEMINI_CA_FILE = env_str("GEMINI_CA_FILE", "")
DEEPGRAM_API_KEY = env_str("DEEPGRAM_API_KEY", "")
DEEPGRAM_API_BASE = env_str("DEEPGRAM_API_BASE", "https://api.deepgram.com").rstrip("/")

CARRIER_TIMEOUT_S = env_int("CARRIER_TIMEOUT_S", 10)
# What each carrier's account is granted, whatever the campaigns ask for: calls placed per second, and live at once.
# 0: as many as there are. One per second is what an account has before its owner asks for more.
TWILIO_CALLS_PER_SECOND = env_int("TWILIO_CALLS_PER_SECOND", 1)
TWILIO_MAX_CONCURRENT = env_int("TWILIO_MAX_CONCURRENT", 0)
TELNYX_CALLS_PER_SECOND = env_int("TELNYX_CALLS_PER_SECOND", 1)
TELNYX_MAX_CONCURRENT = env_int("TELNYX_MAX_CONCURRENT", 0)
# A call that could not be given to the carrier is tried again after so long, then after twice as long, and so on.
DIAL_AGAIN_S = env_int("DIAL_AGAIN_S", 15)
# A call of which nothing was heard for so long is asked for at the carrier.
LEG_QUIET_S = env_int("LEG_QUIET_S", 45)
# A call whose placing was not confirmed, and which the carrier does not know by then, never got there.
LEG_UNKNOWN_S = env_int("LEG_UNKNOWN_S", 60)
WEBHOOK_MAX_BYTES = env_int("WEBHOOK_MAX_BYTES", 65_536)
WEBHOOK_MAX_AGE_HOURS = env_int("WEBHOOK_MAX_AGE_HOURS", 6)
# Webhooks per second that one address, and one carrier account in all, may send, as a mean over ten seconds.
WEBHOOK_SOURCE_PER_S = env_int("WEBHOOK_SOURCE_PER_S", 200)
WEBHOOK_ACCOUNT_PER_S = env_int("WEBHOOK_ACCOUNT_PER_S", 500)
MEDIA_MAX_CALLS = env_int("MEDIA_MAX_CALLS", 100)
# After SIGTERM a media process takes no new call and waits this long for those it has; what is left then is
# taken over by another one.
MEDIA_DRAIN_S = env_int("MEDIA_DRAIN_S", 900)
# A line that sends more sound than real time plus this is cut off. A rehearsal faster than real time needs more.
MEDIA_BURST_S = env_int("MEDIA_BURST_S", 10)
CALL_MAX_MINUTES = env_int("CALL_MAX_MINUTES", 30)
# Nobody says a word: the AI asks whether anyone is there (0: never; else 5 to 30 s), then it says goodbye.
CALL_IDLE_PROMPT_S = env_int("CALL_IDLE_PROMPT_S", 10)
CALL_SILENCE_S = env_int("CALL_SILENCE_S", 45)
# Recordings that replace those of apps/calls/bridge/phrases, file by file (see `manage.py render_phrases`).
CALL_PHRASES_DIR = Path(env_str("CALL_PHRASES_DIR", "")) if env_str("CALL_PHRASES_DIR", "") else None
# Nobody could talk to the person to the end, because every voice AI failed: they are called back after so long.
CALL_BACK_AFTER_FAILURE_MINUTES = env_int("CALL_BACK_AFTER_FAILURE_MINUTES", 30)
# A lost voice AI is tried at most so often, after 1, 2, 4, 8 and 16 s, before the next one of the virtual agent's list
# takes over; and no longer than so many seconds while that one is known to answer, since the caller waits meanwhile:
# 7 s are three tries. The last one of a list is always tried five times.
VOICE_AI_TRIES_BEFORE_FAILOVER = env_int("VOICE_AI_TRIES_BEFORE_FAILOVER", 5)
VOICE_AI_FAILOVER_AFTER_S = env_int("VOICE_AI_FAILOVER_AFTER_S", 7)
# How long a language model may take to sum a call up.
REVIEW_TIMEOUT_S = env_int("REVIEW_TIMEOUT_S", 60)
VOICE_AI_OPEN_TIMEOUT_S = env_int("VOICE_AI_OPEN_TIMEOUT_S", 8)
# Hosts that custom HTTP tools may reach although they are private ones of yours, by name or address, and by plain http.
HTTP_TOOL_ALLOWED_HOSTS = env_list("HTTP_TOOL_ALLOWED_HOSTS")
# A text whose sending was not confirmed, and which the carrier does not know by then, has not been sent.
MESSAGE_UNKNOWN_S = env_int("MESSAGE_UNKNOWN_S", 600)

# ── Logs and metrics ────────────────────────────────────────────────────────────────────────────────────────
LOG_LEVEL = env_str("LOG_LEVEL", "INFO")
LOGGING = logging_config(level=LOG_LEVEL)
LOGGING_CONFIG = "logging.config.dictConfig"
configure_structlog()
PROMETHEUS_EXPORT_MIGRATIONS = False
# Who may read /metrics without logging in: whoever sends this as a bearer token. "" leaves it to loopback and admins.
METRICS_TOKEN = env_str("METRICS_TOKEN", "")
IMPORT_EXPORT_IMPORT_PERMISSION_CODE = "add"
IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "view"
IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT = True
IMPORT_EXPORT_TMP_STORAGE_CLASS = "import_export.tmp_storages.CacheStorage"
IMPORT_EXPORT_SKIP_ADMIN_EXPORT_UI = True
