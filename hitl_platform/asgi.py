"""ASGI entry point."""

import os

from django.core.asgi import get_asgi_application

from apps.common.memory import collect_rarely

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_platform.settings")
application = get_asgi_application()
collect_rarely()
