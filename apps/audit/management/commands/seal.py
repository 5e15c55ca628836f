"""``manage.py seal``: seal what is pending and deliver the checkpoints."""

from __future__ import annotations

from typing import Any

from apps.audit import delivery, events, ledger, sealing
from apps.common.commands import PlatformCommand


class Command(PlatformCommand):
    help = (
        "Seal all pending records into the ledger, sign a checkpoint, deliver it to the witnesses."
    )

    def run(self, **options: Any) -> dict[str, Any]:
        events.flush_repeated()
        sealed = sealing.seal_all()
        delivered = delivery.deliver_all()
        head = ledger.head()
        size, root = (head.tree_size, head.root_hash.hex()) if head else (0, "")
        self.say(f"sealed {sealed} records; the ledger has {size} leaves, root {root[:16]}…")
        return {"sealed": sealed, "tree_size": size, "root": root, "delivered": delivered}
