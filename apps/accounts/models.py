"""People, the roles they hold, and the keys of programs."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar, Final, NoReturn

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import check_password as check_hash
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.domain.matrix import PEOPLE, ROLES, Grant, may
from apps.common.actor import Actor
from apps.common.errors import UnrecordedWrite
from apps.common.fields import StoredJSONField
from apps.common.history import TrackedHistory
from apps.common.models import GuardedQuerySet, TrackedModel
from apps.common.prepared import Prepared

ROLE_CHOICES = [(role, role.replace("_", " ")) for role in ROLES]


class UserManager(BaseUserManager.from_queryset(GuardedQuerySet)):  # type: ignore[misc]
    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(username=User.normalize_username(username or ""))

    def create_superuser(self, username: str, password: str | None = None, **fields: Any) -> User:
        """For ``manage.py createsuperuser``: a person with the administrator role."""
        from apps.accounts.services import person_create, role_grant

        actor = Actor.command("createsuperuser")
        user = person_create(
            actor=actor,
            username=username,
            password=password,
            reason="first administrator",
            **fields,
        )
        role_grant(actor=actor, user=user, role="administrator", reason="first administrator")
        return user


class User(TrackedModel, AbstractBaseUser):
    """A person. Deactivated, never deleted; the name in old records stays what it was.

    The password's hash is the one column without history: it must not leave in an export. Its
    fingerprint has history, and a hash that does not match its fingerprint lets nobody in.
    """

    record_type = "person"

    username = models.CharField(max_length=150, unique=True)
    name = models.CharField(max_length=200)
    email = models.EmailField(max_length=254, blank=True)
    is_active = models.BooleanField(default=True)
    signs_in = models.BooleanField(
        default=True, help_text="False for reviewers known from imports."
    )
    time_zone = models.CharField(max_length=64, default="UTC")
    credential_fingerprint = models.CharField(max_length=64, default="", blank=True)
    last_login = None  # not tracked: the session list keeps it

    history = TrackedHistory(secret_fields=("password",))
    objects: ClassVar[Any] = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        ordering = ["username"]
        verbose_name = "person"
        verbose_name_plural = "people"

    def __str__(self) -> str:
        return self.name or self.username

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise UnrecordedWrite("a person is deactivated, never deleted: old records name them")

    @classmethod
    def normalize_username(cls, username: str) -> str:
        """One person, one spelling: NFKC, case-folded, no spaces around.

        Normalized again after folding, as folding takes some letters apart (UAX 15, section 5).
        """
        folded = str(super().normalize_username(username)).strip().casefold()
        return str(super().normalize_username(folded)).strip()

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(raw_password)
        self._password = None
        self.credential_fingerprint = self.fingerprint_of(self.password)

    def set_unusable_password(self) -> None:
        super().set_unusable_password()
        self.credential_fingerprint = self.fingerprint_of(self.password)

    def check_password(self, raw_password: str | None) -> bool:
        """False too when the hash was changed behind the trail's back."""
        untouched = self.fingerprint_of(self.password) == self.credential_fingerprint
        return untouched and bool(check_hash(raw_password, self.password))

    @staticmethod
    def fingerprint_of(password_hash: str) -> str:
        return hashlib.sha256(password_hash.encode()).hexdigest()

    @property
    def actor(self) -> Actor:
        return Actor("person", str(self.pk), self.username)

    def grants(self) -> list[Grant]:
        """The roles held now; read once per request."""
        if not hasattr(self, "_grants"):
            held = GRANTS_OF.rows(user=self.pk) if self.is_active else []
            self._grants = [Grant(*pair) for pair in held]
        return self._grants

    def may(self, action: str, use_case: str | None = None) -> bool:
        return self.is_active and may(self.grants(), action, use_case)

    # What Django's admin asks for; the matrix answers.
    @property
    def is_staff(self) -> bool:
        return self.may("admin.site")

    @property
    def is_superuser(self) -> bool:
        return False

    def has_perm(self, perm: str, obj: object = None) -> bool:
        return self.may("admin.site")

    def has_perms(self, perms: Any, obj: object = None) -> bool:
        return self.may("admin.site")

    def has_module_perms(self, app_label: str) -> bool:
        return self.may("admin.site")

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.username


class RoleGrant(TrackedModel):
    """One role held by one person, everywhere or in one use case."""

    record_use_case = "use_case"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="role_grants")
    role = models.CharField(max_length=24, choices=[c for c in ROLE_CHOICES if c[0] in PEOPLE])
    use_case = models.CharField(
        max_length=80, blank=True, default="", help_text="Slug of the use case; empty: all of them."
    )
    history = TrackedHistory()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "role", "use_case"], name="one_grant_each")
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.role}" + (f" in {self.use_case}" if self.use_case else "")


GRANTS_OF: Final = Prepared(
    lambda user: RoleGrant.objects.filter(user=user).values_list("role", "use_case"),
    user=RoleGrant.user,
)


class Qualification(TrackedModel):
    """A skill that a person holds, everywhere or in one use case, until when and from whom."""

    record_use_case = "use_case"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="qualifications"
    )
    skill = models.CharField(max_length=100)
    use_case = models.CharField(
        max_length=80, blank=True, default="", help_text="Slug of the use case; empty: all of them."
    )
    status = models.CharField(
        max_length=7, choices=[(s, s) for s in ("held", "lapsed", "lost", "revoked")]
    )
    granted_by = models.CharField(max_length=64)
    granted_at = models.DateTimeField()
    valid_until = models.DateTimeField(null=True, blank=True)
    evidence = StoredJSONField(
        null=True, blank=True, help_text="The interval, or the pause, that ended it."
    )
    history = TrackedHistory()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "skill", "use_case"], name="one_qualification_each"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.skill} ({self.status})"


class ServiceKey(TrackedModel):
    """A program's key. Only its SHA-256 is kept; the key itself is shown once."""

    record_use_case = "use_case"

    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=12, unique=True)
    key_hash = models.CharField(max_length=64)
    role = models.CharField(max_length=24, choices=ROLE_CHOICES)
    use_case = models.CharField(max_length=80, blank=True, default="")
    issued_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Who holds the key: what it does counts as theirs where two people are needed.",
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    history = TrackedHistory()

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def actor(self) -> Actor:
        return Actor("program", str(self.pk), self.name)

    def grants(self) -> list[Grant]:
        return [Grant(self.role, self.use_case)]

    @property
    def is_usable(self) -> bool:
        expired = self.expires_at is not None and self.expires_at <= timezone.now()
        return self.revoked_at is None and not expired


class ServiceKeyUse(models.Model):
    """When a key was last used, to the minute. Not tracked: it bears on no decision."""

    key = models.OneToOneField(ServiceKey, models.PROTECT, primary_key=True, related_name="use")
    last_used_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.key_id}: {self.last_used_at}"
