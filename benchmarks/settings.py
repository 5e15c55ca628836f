"""The platform's settings, with the tables that it is measured against."""

from hitl_platform.settings import *  # noqa: F403
from hitl_platform.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks.peer"]
