"""Settings of `make run`: a person's own machine, plain http on loopback."""

from config.settings.base import *  # noqa: F403
from config.env import env_bool

DEBUG = env_bool("DEBUG", False)
STYLEGUIDE = True
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
