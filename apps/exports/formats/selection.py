"""What a format is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from apps.audit.domain.checkpoint import NamedKey
from apps.audit.ledger import Head
from apps.exports.spool import Spool


@dataclass(frozen=True)
class Selection:
    """The records, the filter that chose them, the checkpoint and the key that prove them."""

    spool: Spool
    filters: Mapping[str, Any]
    head: Head
    key: NamedKey

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Every key that a record here has, in an order that the records alone determine."""
        return tuple(self.spool.columns())
