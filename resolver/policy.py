"""Policy of reading: an ordered list of stages, each of which may refuse a question before anything is looked up.

Who may see which values is not a stage that could be left out: ``policies/visibility.py`` is part of the spine.
"""

from collections.abc import Sequence
from typing import Protocol

from protocols.message import Answer, Query
from resolver.source import Now, Peer


class Stage(Protocol):
    """One line of the policy. Synchronous and local: it runs on the event loop."""

    @property
    def name(self) -> str:
        """For verdicts, logs and metric labels."""

    def before(self, query: Query, peer: Peer, now: Now) -> Answer | None:
        """A refusal, or None to let the question pass."""


def first_refusal(stages: Sequence[Stage], query: Query, peer: Peer, now: Now) -> Answer | None:
    """The verdict of the first stage that refuses, its name added to the reason."""
    for stage in stages:
        answer = stage.before(query, peer, now)
        if answer is not None:
            return answer._replace(reason=f"{answer.reason} (stage: {stage.name})")
    return None
