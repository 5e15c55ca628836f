"""WSGI entry point."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_platform.settings")
application = get_wsgi_application()

# A batch makes a hundred thousand objects that live until it is answered. By default the collector
# walks through them, and through all that was loaded before, after every 700 new ones.
gc.freeze()
gc.set_threshold(50_000, 20, 20)
