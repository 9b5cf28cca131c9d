"""Query, Command, Answer, Receipt, Outcome: what is asked, told and answered, whatever the wire format.

A wire format turns bytes into a ``Query`` or a ``Command``, and an ``Answer`` or a ``Receipt`` back into bytes;
the resolver and the registry know only these.
"""

from enum import Enum
from typing import NamedTuple

from protocols.identifier import Identifier
from protocols.trail import Trail, Verdict
from protocols.values.value import Value


class Outcome(Enum):
    """How a question or command ended. Wire formats map it to their codes by table."""

    SUCCESS = "success"
    NOT_FOUND = "not-found"
    ALREADY_EXISTS = "already-exists"
    INVALID_IDENTIFIER = "invalid-identifier"
    VALUES_NOT_FOUND = "values-not-found"
    VALUE_EXISTS = "value-exists"
    INVALID_VALUE = "invalid-value"
    NOT_RESPONSIBLE = "not-responsible"
    REFERRAL = "referral"
    VERSION_CONFLICT = "version-conflict"
    """The record is not at the version the command expects (HTTP 412)."""
    KEY_REUSED = "key-reused"
    """The same request id came with another content (HTTP 422)."""
    AUTHENTICATION_NEEDED = "authentication-needed"
    AUTHENTICATION_FAILED = "authentication-failed"
    NOT_ADMINISTRATOR = "not-administrator"
    PERMISSION_DENIED = "permission-denied"
    NOT_SUPPORTED = "not-supported"
    PROTOCOL_ERROR = "protocol-error"
    HOP_LIMIT = "hop-limit"
    READ_ONLY = "read-only"
    """Writes are stopped (free disk below the limit, draining, mirror); reads go on."""
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    """No server that is responsible answered in time (HTTP 504)."""
    UNTRUSTED = "untrusted"
    """A server answered, but its answer or its key could not be proved (HTTP 502)."""
    ERROR = "error"


class Operation(Enum):
    """What a command does to one record."""

    PUT = "put"
    """Create, or replace the whole record when ``overwrite``."""
    ADD = "add"
    """Add values; existing indexes only when ``overwrite``."""
    MODIFY = "modify"
    """Replace the values at existing indexes."""
    REMOVE = "remove"
    """Remove the values at ``indexes``."""
    DELETE = "delete"
    """Delete the record."""
    HOST = "host"
    """Take responsibility for a prefix: create its authority and its ``0.NA/`` record in one transaction. Without
    values, a record that is there already stays as it is."""
    DELEGATE = "delegate"
    """Give responsibility for a prefix to the servers in its ``0.NA/`` record's HS_SITE, in one transaction: records
    below it that are kept here are not answered from any more, until HOST takes responsibility back."""
    UNHOST = "unhost"
    """Give up responsibility for a prefix without saying to whom: its ``0.NA/`` record stays, what is kept below it is
    out of sight, and questions get NOT_RESPONSIBLE, until HOST takes responsibility back."""
    HIDE = "hide"
    """Make a prefix private: whoever may not read gets the same answer for what is absent and what he may not see."""
    SHOW = "show"
    """Make a private prefix an ordinary one again."""


class Principal(NamedTuple):
    """Who is asking. ``index`` 0 and an empty handle = nobody (anonymous)."""

    handle: str = ""
    index: int = 0  # type: ignore[assignment]  # the field's own word; tuple.index is not wanted here
    is_operator: bool = False
    """The node's operator: the local 0600 socket, or a handle in ``server_admins``; may do everything."""

    @property
    def name(self) -> str:
        """How changes and logs name the actor: ``300:0.NA/88.118``, ``operator`` or ``anonymous``."""
        if self.handle:
            return f"{self.index}:{self.handle}"
        return "operator" if self.is_operator else "anonymous"


ANONYMOUS = Principal()
OPERATOR = Principal(is_operator=True)


class Query(NamedTuple):
    """One question. Selection: values whose index or type is listed; both empty = all."""

    identifier: Identifier
    indexes: tuple[int, ...] = ()
    types: tuple[str, ...] = ()
    public_only: bool = True
    authoritative: bool = False
    may_recurse: bool = False
    may_refer: bool = True
    hop_count: int = 0
    """How often the question was forwarded before it came here."""
    principal: Principal = ANONYMOUS
    via: tuple[str, ...] = ()
    """Ids of the nodes that forwarded it, as far as they said so; one's own among them is a loop."""
    wants_trail: bool = False

    @property
    def was_forwarded(self) -> bool:
        """Whether another node sent it on, as far as it says so."""
        return bool(self.hop_count or self.via)


class Answer(NamedTuple):
    """What a question got. ``values`` sorted by index; ``version`` of the record, 0 when there is none."""

    outcome: Outcome
    values: tuple[Value, ...] = ()
    version: int = 0
    modified_s: int = 0
    reason: str = ""
    """For people: what, where and why, when the outcome is not success."""
    is_authoritative: bool = True
    """From the records of the responsible node, which this node then is; False = it was asked or remembered."""
    verdict: Verdict = Verdict.LOCAL
    trail: Trail | None = None
    """When the question wanted one."""


class Command(NamedTuple):
    """One intended change of one record."""

    operation: Operation
    identifier: Identifier
    values: tuple[Value, ...] = ()
    indexes: tuple[int, ...] = ()
    overwrite: bool = True
    expect_version: int | None = None
    """None = any; 0 = must not exist; n = must be at version n (HTTP If-Match)."""
    request_id: str = ""
    """Client's idempotency key: the same id and content again gets the first receipt and changes nothing."""
    case_sensitive: bool = False
    """HOST only: whether suffixes below the prefix keep their case; fixed for ever."""
    request_lasts_s: int = 0
    """For how many seconds after its receipt ``request_id`` counts as the same request; after that it is a new one.
    0 = as long as the feed keeps the change."""


class Receipt(NamedTuple):
    """What became of a command. Durable when ``outcome`` is SUCCESS."""

    outcome: Outcome
    version: int = 0
    seq: int = 0
    """Number of the change; 0 when nothing changed."""
    was_created: bool = False
    is_unchanged: bool = False
    """The record already was as commanded: success, but no change was made."""
    reason: str = ""
    field: str = ""
    """Where in the command the trouble is, e.g. ``values[2].data``; "" when it is the whole."""
