"""Settings of `make run`: a person's own machine, plain http on loopback."""

from config.env import env_bool, env_int
from config.settings.base import *

DEBUG = env_bool("DEBUG", False)
STYLEGUIDE = True
MEDIA_DRAIN_S = env_int("MEDIA_DRAIN_S", 0)  # Ctrl-C means now
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
