"""How the tests of the API send decisions in."""

from __future__ import annotations

import json
from typing import Any

from apps.accounts.services import service_key_create
from tests.api.conftest import ROOT, ApiClient
from tests.services.gates import LEAD

FEATURES = [{"name": "income", "type": "number"}, {"name": "region", "type": "category"}]


def text(sent: Any) -> Any:
    return sent if isinstance(sent, bytes) else json.dumps(sent).encode()


def post(client: ApiClient, sent: Any, path: str = "decisions/", **headers: str) -> Any:
    return client.client.post(
        ROOT + path, data=text(sent), content_type="application/json", headers=headers
    )


def key_for(role: str, use_case: str = "") -> str:
    _, key = service_key_create(actor=LEAD, name=f"{role} key", role=role, use_case=use_case)
    return key
