"""Celery tasks that write on somebody's behalf: the actor travels in the message's headers."""

from __future__ import annotations

from typing import Any

from celery import Task

from apps.common.actor import HEADER, Actor, require_actor


class ActorTask(Task):  # type: ignore[misc]
    """``task.send(actor=..., ...)`` instead of delay(); inside the task, ``self.actor``.

    A message without the header is refused when the actor is asked for: before any write.
    """

    abstract = True

    def send(self, *args: Any, actor: Actor, **kwargs: Any) -> Any:
        header = require_actor(actor).to_header()
        return self.apply_async(args=args, kwargs=kwargs, headers={HEADER: header})

    @property
    def actor(self) -> Actor:
        headers = self.request.headers or {}
        # A worker's request carries custom headers beside its own fields.
        return Actor.from_header(headers.get(HEADER) or self.request.get(HEADER))
