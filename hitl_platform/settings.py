"""Settings: all from the environment (see README). With nothing set the platform runs embedded."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Any

from csp.constants import NONCE, SELF

from hitl_platform.env import Env, SettingError, generated_secret, sqlite_database

env = Env()
BASE_DIR = Path(__file__).resolve().parent.parent

# --- Which kind of installation -------------------------------------------------------------
MODE = env.choice("PLATFORM_MODE", "embedded", ("embedded", "production"))
PRODUCTION = MODE == "production"
DATA_DIR = env.path("DATA_DIR", BASE_DIR / "var")
DEBUG = env.boolean("DEBUG", False)

DATABASES: dict[str, Any] = {
    "default": env.database("DATABASE_URL", sqlite_database(DATA_DIR / "platform.sqlite3"))
}
if not PRODUCTION:
    try:
        DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingError(f"DATA_DIR={str(DATA_DIR)!r} cannot be made: {error.strerror}") from None

SECRET_KEY = env.text("SECRET_KEY")
LEDGER_KEY_FILE = env.path("LEDGER_KEY_FILE", DATA_DIR / "ledger.key")
LEDGER_RETIRED_KEYS_DIR = env.path("LEDGER_RETIRED_KEYS_DIR", DATA_DIR / "retired-keys")
LEDGER_ORIGIN = env.text("LEDGER_ORIGIN")
WITNESS_DIR = env.path("WITNESS_DIR", DATA_DIR / "witness")
PSEUDONYM_KEY = env.text("PSEUDONYM_KEY")
ALLOWED_HOSTS = env.words(
    "ALLOWED_HOSTS", [] if PRODUCTION else ["localhost", "127.0.0.1", "[::1]"]
)
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", [])


def require_production_settings() -> None:
    """Production does not start on anything that was made for trying out."""
    faults = []
    if len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 5:
        faults.append("SECRET_KEY must be set, 50 characters or more, random")
    if DEBUG:
        faults.append("DEBUG must not be on")
    if "sqlite" in DATABASES["default"]["ENGINE"]:
        faults.append("DATABASE_URL must name a PostgreSQL database")
    # The one command that makes the file must start without it.
    if not LEDGER_KEY_FILE.is_file() and sys.argv[1:2] != ["create_ledger_key"]:
        faults.append(
            f"LEDGER_KEY_FILE={str(LEDGER_KEY_FILE)!r} is not a file "
            "(make one: manage.py create_ledger_key)"
        )
    if not LEDGER_ORIGIN:
        faults.append(
            "LEDGER_ORIGIN must be set: the name of this ledger, such as example.org/ai-oversight"
        )
    if len(PSEUDONYM_KEY) < 32:
        faults.append("PSEUDONYM_KEY must be set, 32 characters or more, random")
    if not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS:
        faults.append("ALLOWED_HOSTS must name the hosts served")
    if not env.text("CACHE_URL"):
        faults.append("CACHE_URL must name a Redis: rate limits are shared by all web processes")
    if faults:
        raise SettingError("PLATFORM_MODE=production refuses to start:\n- " + "\n- ".join(faults))


if not PRODUCTION:
    SECRET_KEY = SECRET_KEY or generated_secret(DATA_DIR / "secret.key")
    PSEUDONYM_KEY = PSEUDONYM_KEY or generated_secret(DATA_DIR / "pseudonym.key")
    LEDGER_ORIGIN = LEDGER_ORIGIN or generated_secret(
        DATA_DIR / "ledger.origin", lambda: f"embedded.hitl-platform/{secrets.token_hex(4)}"
    )
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS", [])

# --- Parts ----------------------------------------------------------------------------------
INSTALLED_APPS = [
    "apps.web",  # before admin and allauth: its templates win
    "apps.accounts",  # before auth: its changepassword wins
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "simple_history",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "django_htmx",
    "apps.common",
    "apps.notifications",
    "apps.audit",
    "apps.registry",
    "apps.policies",
    "apps.decisions",
    "apps.reviews",
    "apps.supervision",
    "apps.outcomes",
    "apps.metrics",
    "apps.workflow",
    "apps.learning",
    "apps.exports",
    "apps.api",
    "dashboards",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.web.session_activity.SessionActivityMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "apps.web.middleware.RefusalMiddleware",
]
ROOT_URLCONF = "hitl_platform.urls"
WSGI_APPLICATION = "hitl_platform.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.web.context.frame",
            ]
        },
    }
]

# --- People ---------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", **options}
    for name, options in (
        ("UserAttributeSimilarityValidator", {}),
        ("MinimumLengthValidator", {"OPTIONS": {"min_length": 12}}),
        ("CommonPasswordValidator", {}),
        ("NumericPasswordValidator", {}),
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "apps.web.sign_in.AccountAdapter"
MFA_ADAPTER = "apps.web.sign_in.MFAAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_CHANGE_EMAIL = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key", "login": "30/m/ip"}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Human oversight"
USERSESSIONS_TRACK_ACTIVITY = True
SESSION_COOKIE_AGE = env.integer("SESSION_HOURS", 12, 1, 24 * 14) * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

# --- HTTP safety ----------------------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = PRODUCTION
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION
if env.boolean("BEHIND_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    MIDDLEWARE.insert(0, "apps.web.proxy.TrustedProxyMiddleware")
DATA_UPLOAD_MAX_MEMORY_SIZE = (
    70 * 1024 * 1024
)  # a batch may hold 64 MiB; each view has its own limit
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}
PERMISSIONS_POLICY: dict[str, list[str]] = {
    name: [] for name in ("camera", "geolocation", "microphone", "payment", "usb")
}

# --- Storage, cache, files ------------------------------------------------------------------
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# SQLite leaves out what an index carries along, and says so at each start: it is slower there alone.
SILENCED_SYSTEM_CHECKS = ["models.W040"]
CACHE_URL = env.text("CACHE_URL")
# Embedded runs one web process; several processes share their rate limits through Redis.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": CACHE_URL}
    if CACHE_URL
    else {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not PRODUCTION
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
USE_I18N = False

# --- Trail ----------------------------------------------------------------------------------
SIMPLE_HISTORY_ENABLED = True
SIMPLE_HISTORY_DATE_INDEX = False
WITNESSES = ["apps.audit.witnesses.file.FileWitness"]
VERIFY_EVERY_MINUTES = env.integer("VERIFY_EVERY_MINUTES", 60, 1, 10_080)

# --- API ------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.api.authentication.ServiceKeyAuthentication",
        "apps.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["apps.api.permissions.MayDoAction"],
    "DEFAULT_THROTTLE_CLASSES": ["apps.api.throttles.CallerThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "caller": env.text("API_RATE", "6000/min"),
        "anonymous": "60/min",
    },
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.api.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "apps.api.pagination.CursorPagination",
    "EXCEPTION_HANDLER": "apps.api.problems.problem_response",
    "DEFAULT_SCHEMA_CLASS": "apps.api.schema.ProblemSchema",
    "UNAUTHENTICATED_USER": None,
    "PAGE_SIZE": 50,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Human oversight platform",
    "DESCRIPTION": "The gate, the review desk, the audit trail and the figures, for programs.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    # The hook that is there by default moves enums out under names of its own making.
    "POSTPROCESSING_HOOKS": [],
}

# Waiters that a web process holds at a time: each takes one of its threads.
WAIT_SLOTS = env.integer("WAIT_SLOTS", 2, 0, 1000)

# --- Tasks ----------------------------------------------------------------------------------
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", "filesystem://localhost")
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {}
if CELERY_BROKER_URL.startswith("filesystem:"):
    _broker = DATA_DIR / "broker"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_broker / "queue"),
        "data_folder_out": str(_broker / "queue"),
        "processed_folder": str(_broker / "processed"),
        "control_folder": str(_broker / "control"),
        "store_processed": False,
        "polling_interval": 0.05,
    }
elif CELERY_BROKER_URL.startswith("redis"):
    # Longer than the longest task; lost workers' messages come back within seconds of it.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 7200,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
        "socket_timeout": 30,
    }
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 3600
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    "seal": {"task": "apps.audit.tasks.seal_pending", "schedule": 3.0},
    "witness": {"task": "apps.audit.tasks.deliver_checkpoints", "schedule": 5.0},
    "refusals": {"task": "apps.audit.tasks.flush_repeated_events", "schedule": 30.0},
    "verify": {"task": "apps.audit.tasks.verify_ledger", "schedule": 60.0 * VERIFY_EVERY_MINUTES},
    # A nudge that no worker took in time is as good as the next one.
    "publish": {
        "task": "apps.notifications.tasks.publish_events",
        "schedule": 1.0,
        "options": {"expires": 10},
    },
    "policies": {"task": "apps.policies.tasks.activate_due_policies", "schedule": 30.0},
    "seeds": {"task": "apps.policies.tasks.disclose_ended_seeds", "schedule": 86_400.0},
    "reroutes": {"task": "apps.workflow.tasks.finish_reroutes", "schedule": 60.0},
    "leases": {
        "task": "apps.reviews.tasks.lapse_leases",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "qualifications": {"task": "apps.reviews.tasks.lapse_qualifications", "schedule": 3600.0},
    "verdicts": {
        "task": "apps.workflow.tasks.submit_due_drafts",
        "schedule": 2.0,
        "options": {"expires": 10},
    },
    "desk": {
        "task": "apps.workflow.tasks.sweep_desk",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "known-answers": {"task": "apps.workflow.tasks.draw_known_answers", "schedule": 3600.0},
    "reliability": {"task": "apps.workflow.tasks.refresh_reliabilities", "schedule": 86_400.0},
    "cells": {
        "task": "apps.metrics.tasks.sweep_cells",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "cells-check": {"task": "apps.metrics.tasks.check_cells", "schedule": 86_400.0},
    "report-jobs": {
        "task": "apps.metrics.tasks.run_report_jobs",
        "schedule": 5.0,
        "options": {"expires": 10},
    },
    "reports": {"task": "apps.metrics.tasks.run_due_reports", "schedule": 300.0},
    "exports": {
        "task": "apps.exports.tasks.run_export_jobs",
        "schedule": 3.0,
        "options": {"expires": 5},
    },
    "exports-tidy": {"task": "apps.exports.tasks.tidy_exports", "schedule": 3600.0},
    "alerts": {"task": "apps.metrics.tasks.evaluate_alerts", "schedule": 900.0},
    "heartbeat": {
        "task": "apps.web.tasks.note_heartbeat",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "answers": {"task": "apps.api.tasks.sweep_stored_answers", "schedule": 3600.0},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {
        "handlers": ["stderr"],
        "level": env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
    },
}

# Which settings the environment gives; never their values, which may be secrets.
SETTINGS_GIVEN = {name: bool(env.values.get(name, "").strip()) for name in sorted(set(env.names))}

if PRODUCTION:
    require_production_settings()
