"""WSGI entry point."""

import os

from django.core.wsgi import get_wsgi_application

from apps.common.memory import collect_rarely

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_platform.settings")
application = get_wsgi_application()
collect_rarely()
