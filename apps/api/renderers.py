"""Plain text, lines of JSON, bundles: so that ``Accept`` may name them; the views write them themselves."""

from __future__ import annotations

from typing import Any

from rest_framework.renderers import BaseRenderer

TEXT = "text/plain"
LINES = "application/x-ndjson"
ZIP = "application/zip"


class TextRenderer(BaseRenderer):
    media_type = TEXT
    format = "txt"
    charset = "utf-8"

    def render(self, data: Any, media_type: Any = None, context: Any = None) -> bytes:
        return str(data).encode()


class LinesRenderer(BaseRenderer):
    media_type = LINES
    format = "ndjson"
    charset = "utf-8"

    def render(self, data: Any, media_type: Any = None, context: Any = None) -> bytes:
        return str(data).encode()


class ZipRenderer(BaseRenderer):
    media_type = ZIP
    format = "zip"
    charset = None
    render_style = "binary"

    def render(self, data: Any, media_type: Any = None, context: Any = None) -> bytes:
        return bytes(data or b"")
