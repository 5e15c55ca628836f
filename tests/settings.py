"""Settings of the suite: the product's own, on a folder and a database of the suite's own.

TEST_DATABASE says which database: ``sqlite`` (default) or a postgresql:// URL of a server.
"""

import atexit
import os
import shutil
import tempfile

_folder = tempfile.mkdtemp(prefix="hitl-suite-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ["DATA_DIR"] = _folder
for _name in ("DATABASE_URL", "PLATFORM_MODE", "CELERY_BROKER_URL", "CACHE_URL", "SECRET_KEY"):
    os.environ.pop(_name, None)
_database = os.environ.get("TEST_DATABASE", "sqlite")
if _database != "sqlite":
    os.environ["DATABASE_URL"] = _database

from hitl_platform.settings import *  # noqa: E402, F403
from hitl_platform.settings import DATABASES  # noqa: E402

_run = os.environ.get("PYTEST_XDIST_TESTRUNUID", "")[:8] or str(os.getpid())
DATABASES["default"]["CONN_MAX_AGE"] = 0
DATABASES["default"]["TEST"] = (
    {"NAME": f"{_folder}/suite.sqlite3"}
    if _database == "sqlite"
    else {"NAME": f"hitl_suite_{_run}"}
)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
WHITENOISE_AUTOREFRESH = True
LOGGING = {"version": 1, "disable_existing_loggers": False}
