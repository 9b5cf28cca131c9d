"""Changing an administrator's key or secret: the new one is added everywhere first, the old one is removed later.

Every step can be taken twice, so a run that was killed is simply run again: the file with the new key is made before
any record has it, a value with the same content is not stored twice, a name that has its rights gets none again.
"""

from typing import Any, NamedTuple

from node.asking.node import Node, OwnNode
from node.commands.admin import refuse_last
from node.commands.administrators import beside, free_index, names, without
from node.commands.key_values import (
    KEY_TYPE,
    SECRET_TYPE,
    Credential,
    add_values,
    full_name,
    places_of,
    remove_values,
)
from node.output import CommandError
from protocols.identifier import parse_identifier
from protocols.values.value import Reference


class Done(NamedTuple):
    """What a run has brought about."""

    old: Reference
    new: Reference | None
    """None = the old one was removed."""
    file: str
    places: tuple[str, ...]
    """Records in which names were added or removed."""
    warning: str = ""

    def document(self) -> dict[str, Any]:
        """For programs; never with a secret."""
        facts: dict[str, Any] = {"old": str(self.old), "places": list(self.places)}
        if self.new:
            facts |= {"new": str(self.new), "file": self.file}
        return facts | ({"warning": self.warning} if self.warning else {})

    def lines(self, node: str) -> list[str]:
        """For people."""
        where = ", ".join(self.places) or "no record"
        old = str(self.old)
        if self.new is None:
            lines = [f"{old} is gone, with its rights in {where}"]
        else:
            lines = [
                f"{self.new} has the rights of {old}, in {where}; both are valid",
                f"its private part is in {self.file}",
            ]
        lines += [f"warning: {self.warning}"] if self.warning else []
        if self.new is not None:
            lines.append(
                f"next:  use the new one everywhere, then: biaojie key rotate {old} --finish{node}"
            )
        return lines


def add_successor(
    node: Node, old: Reference, credential: Credential, also: tuple[str, ...]
) -> Done:
    """The new key beside the old one, with the same rights. Raises ``CommandError``."""
    home = parse_identifier(old.handle)
    kept = node.read(home)
    if not any(
        v.index == old.index and v.type.upper() in (KEY_TYPE, SECRET_TYPE) for v in kept.values
    ):
        if credential.is_new:
            credential.path.unlink()
        step = "biaojie admin list PLACE shows who there is"
        raise CommandError(f"{old}: no key and no secret stands there", step)
    stored = next(
        (v for v in kept.values if (v.type, v.data) == (credential.type, credential.data)), None
    )
    if stored is not None and stored.index == old.index:
        reason = f"{credential.path} holds what stands at {old} already"
        raise CommandError(reason, "name a new file")
    index = stored.index if stored else free_index(kept.values, old.index + 1)
    new = Reference(old.handle, index)
    # The key and its rights at home in one change; elsewhere it has rights only once it is there.
    values = [] if stored else [credential.at(index)]
    rights = beside([*kept.values, *values], old, new)
    add_values(node, home, kept, [*values, *rights])
    places = [full_name(home)] if rights else []
    for identifier in places_of(node, also):
        if identifier.folded() == home.folded():
            continue
        record = node.read(identifier)
        more = beside(record.values, old, new)
        add_values(node, identifier, record, more)
        places += [full_name(identifier)] if more else []
    return Done(old, new, str(credential.path), tuple(places), _warning(node, old))


def finish(node: Node, old: Reference, also: tuple[str, ...], *, force: bool) -> Done:
    """Remove the old key's rights, then the key. Raises ``CommandError``."""
    home = parse_identifier(old.handle)
    others = [one for one in places_of(node, also) if one.folded() != home.folded()]
    places = [one for one in (*others, home) if names(node.read(one).values, old)]
    if not force:
        for identifier in places:
            refuse_last(node, identifier, node.read(identifier), old)
    for identifier in places:
        kept = node.read(identifier)
        groups, admins = without(kept.values, old)
        add_values(node, identifier, kept, groups)
        remove_values(node, identifier, admins)
    if any(value.index == old.index for value in node.read(home).values):
        remove_values(node, home, [old.index])
    return Done(old, None, "", tuple(map(full_name, places)), _warning(node, old))


def _warning(node: Node, old: Reference) -> str:
    """What no record says."""
    if isinstance(node, OwnNode) and str(old) in node.config.node.admins:
        return f"node.admins in {node.config.path} names {old}; write the new name there and reload"
    if not isinstance(node, OwnNode):
        return "only the records named with --also were looked at besides its own"
    return ""
