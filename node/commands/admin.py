"""``biaojie admin grant|revoke|list``: who administers a prefix or a record, with which rights."""

from pathlib import Path

import click

from node.asking.node import Kept, Node, Refused
from node.commands.administrators import (
    Entry,
    entries_of,
    granted,
    is_group,
    joined,
    permission_words,
    same_name,
    without,
)
from node.commands.key_values import (
    DEFAULT_INDEX,
    KEY_TYPE,
    SECRET_TYPE,
    Credential,
    add_values,
    full_name,
    how_to_make,
    lacks_key,
    need_record,
    new_credential,
    read_place,
    refuse_taken,
    remove_values,
)
from node.commands.options import json_option, node_options, read_name, same_node
from node.output import EXIT_USAGE, CommandError, print_json, print_table, say
from protocols.identifier import Identifier, parse_identifier, prefix_record_of
from protocols.values.admin import ALL_PERMISSIONS, PERMISSION_NAMES, format_permissions
from protocols.values.value import Reference, Value

GOVERNING = PERMISSION_NAMES["add_admin"] | PERMISSION_NAMES["modify_admin"]
"""With one of these rights an administrator can make another."""
SETS = {
    "all": ALL_PERMISSIONS,
    "register": sum(
        PERMISSION_NAMES[word]
        for word in ("add_handle", "delete_handle", "modify_value", "remove_value", "add_value", "list_handles")
    ),
    "read": PERMISSION_NAMES["authorized_read"],
}  # fmt: skip
"""Rights that belong together, by a word."""


@click.group(name="admin")
def command() -> None:
    """Say who may change what: grant rights over a prefix or a record, revoke them, list them."""


@command.command(name="list", short_help="who may do what")
@click.argument("place")
@node_options
@json_option
def list_(*, place: str, node: Node, as_json: bool) -> None:
    """Show who administers PLACE, a prefix (88.118.7) or an identifier (88.118.7/SN-1), and with which rights.

    An identifier is administered by those of its prefix, too. Groups (HS_VLIST) are opened: "via" says through which.
    """
    entries = _entries(node, read_place(place))
    if as_json:
        print_json(
            {"place": full_name(read_place(place)), "administrators": [_facts(e) for e in entries]}
        )
        return
    rows = [
        (
            f"{entry.place} {entry.index}",
            str(entry.name),
            " → ".join(map(str, entry.groups)),
            shown_rights(entry.permissions),
            format_permissions(entry.permissions),
        )
        for entry in entries
    ]
    print_table("", ("HS_ADMIN at", "administrator", "via", "rights", "bits"), rows)
    if not rows:
        say(
            f"nobody but the operator; biaojie admin grant {place} INDEX:HANDLE --new-secret FILE{same_node()}"
        )


@command.command(name="grant", short_help="give somebody rights")
@click.argument("place")
@click.argument("who", metavar="INDEX:HANDLE")
@click.option("--rights", default="all", show_default=True, metavar="LIST",
              help="Words with commas between: all, register, read, or those that `admin list` shows.")  # fmt: skip
@click.option("--group", "group", type=int, metavar="INDEX",
              help="Make WHO a member of the HS_VLIST that stands at this index of PLACE instead.")  # fmt: skip
@click.option("--new-secret", "secret_path", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Make a secret for WHO, into this file (mode 0600) and the record.")  # fmt: skip
@click.option("--new-key", "key_path", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Make an RSA key for WHO; the record gets its public half.")  # fmt: skip
@node_options
@json_option
def grant(  # noqa: PLR0913  one parameter for each option
    *,
    place: str,
    who: str,
    rights: str,
    group: int | None,
    secret_path: Path | None,
    key_path: Path | None,
    node: Node,
    as_json: bool,
) -> None:
    """Give INDEX:HANDLE rights over PLACE; what it has already, it keeps.

    \b
    A workshop that registers below 88.118.7, with a secret of its own:
      biaojie admin grant 88.118.7 301:0.NA/88.118.7 --rights register --new-secret workshop.secret
    An auditor who reads what is not public, with a key that exists:
      biaojie admin grant 88.118.7 300:88.118/AUDIT --rights read
    """
    identifier, name, permissions = read_place(place), read_name(who), read_rights(rights)
    kept = need_record(node, identifier)
    credential = new_credential(key_path, secret_path)
    values = [] if credential is None else _placed(node, identifier, kept, name, credential)
    if group is None:
        change = granted([*kept.values, *values], name, permissions)
    else:
        change = joined(_group(kept, identifier, group), name)
    add_values(node, identifier, kept, [*values, *([change] if change else [])])
    facts = {"file": str(credential.path)} if credential else {}
    facts |= _warning(node, name)
    if as_json:
        print_json(
            {
                "place": full_name(identifier),
                "administrator": str(name),
                "changed": bool(change or values),
                **facts,
            }
        )
        return
    what = (
        f"a member of the group at index {group}"
        if group is not None
        else shown_rights(permissions)
    )
    say(f"{full_name(identifier)}: {name}: {what if change else 'had these rights already'}")
    if credential:
        say(f"its {'secret' if secret_path else 'private key'} is in {credential.path}")
    if "warning" in facts:
        say(f"warning: {facts['warning']}")
    say(f"next:  {facts.get('next') or f'biaojie admin list {place}{same_node()}'}")


@command.command(name="revoke", short_help="take somebody's rights")
@click.argument("place")
@click.argument("who", metavar="INDEX:HANDLE")
@click.option("--remove-key", is_flag=True, help="Remove WHO's key or secret from its record, too.")
@click.option("--force", is_flag=True, help="Even if nobody is left who could make administrators.")
@node_options
@json_option
def revoke(
    *, place: str, who: str, remove_key: bool, force: bool, node: Node, as_json: bool
) -> None:
    """Take INDEX:HANDLE out of the HS_ADMIN values and groups of PLACE: it has no rights there any more.

    Refuses to leave PLACE without an administrator who could make others; then only the node's operator can.
    """
    identifier, name = read_place(place), read_name(who)
    kept = need_record(node, identifier)
    groups, admins = without(kept.values, name)
    is_named = bool(groups or admins)
    if is_named or not (remove_key and _has_only_a_key(node, identifier, name)):
        _refuse_elsewhere(node, identifier, name, is_named=is_named)
    if is_named and not force:
        refuse_last(node, identifier, kept, name)
    add_values(node, identifier, kept, groups)
    remove_values(node, identifier, admins)
    if remove_key:
        remove_values(node, parse_identifier(name.handle), [name.index])
    if as_json:
        facts = {"groups": [value.index for value in groups], "admins": admins}
        print_json({"place": full_name(identifier), "administrator": str(name), "removed": facts})
        return
    say(f"{full_name(identifier)}: {name} has no rights any more")
    if not remove_key and _has_key(node, name):
        say(
            "its key stays in its record; to remove it as well: "
            f"biaojie admin revoke {place} {name} --remove-key{same_node()}"
        )


def refuse_last(node: Node, identifier: Identifier, kept: Kept, name: Reference) -> None:
    """Raises ``CommandError`` when without the name nobody could make administrators of the place."""
    groups, admins = without(kept.values, name)
    changed = {value.index: value for value in groups}
    left = [changed.get(v.index, v) for v in kept.values if v.index not in admins]
    entries = _entries(node, identifier, Kept(tuple(left), kept.version))
    if any(e.permissions & GOVERNING and not _is_unopened(node, e, left) for e in entries):
        return
    reason = f"{name} is the last administrator of {full_name(identifier)} who could make others"
    step = f"name another one first, or add --force: biaojie admin grant {full_name(identifier)} …{same_node()}"
    raise CommandError(reason, step)


def shown_rights(permissions: int) -> str:
    """``all``, or words."""
    if permissions & ALL_PERMISSIONS == ALL_PERMISSIONS:
        return "all"
    return ", ".join(permission_words(permissions)) or "none"


def read_rights(text: str) -> int:
    """Words and sets with commas between. Raises ``CommandError``."""
    permissions = 0
    for word in filter(None, (part.strip().lower().replace("-", "_") for part in text.split(","))):
        bits = SETS.get(word, PERMISSION_NAMES.get(word))
        if bits is None:
            known = ", ".join([*SETS, *PERMISSION_NAMES])
            raise CommandError(
                f"--rights: there is no right {word!r}", f"one or more of {known}", EXIT_USAGE
            )
        permissions |= bits
    if not permissions:
        raise CommandError(
            "--rights: no right is named", "for example --rights register", EXIT_USAGE
        )
    return permissions


def _entries(node: Node, identifier: Identifier, instead: Kept | None = None) -> list[Entry]:
    """Of the record and of its prefix's; ``instead``: what the record shall be taken to be."""
    records = [identifier]
    if not identifier.is_prefix_record:
        records.append(prefix_record_of(identifier.prefix))
    known: dict[str, Kept] = {}

    def read(handle: str) -> Kept:
        if handle not in known:
            known[handle] = node.read(parse_identifier(handle))
        return known[handle]

    found: list[Entry] = []
    for record in records:
        kept = instead if instead and record is identifier else node.read(record)
        found += entries_of(full_name(record), kept.values, read)
    return found


def _is_unopened(node: Node, entry: Entry, values: list[Value]) -> bool:
    """Whether what an entry names is a group all the same: one too deep to be looked into grants nothing."""
    here = read_place(entry.place).folded() == parse_identifier(entry.name.handle).folded()
    record = values if here else node.read(parse_identifier(entry.name.handle)).values
    return any(value.index == entry.name.index and is_group(value) for value in record)


def _placed(
    node: Node, identifier: Identifier, kept: Kept, name: Reference, credential: Credential
) -> list[Value]:
    """The key's value for this record; when it belongs into another one, it is stored there, and none is left."""
    home = parse_identifier(name.handle)
    is_here = home.folded() == identifier.folded()
    record = kept if is_here else need_record(node, home)
    value = credential.at(name.index or DEFAULT_INDEX)
    taken = next((one for one in record.values if one.index == value.index), None)
    if taken is not None:
        if (taken.type, taken.data) == (value.type, value.data):
            return []  # from an attempt before
        if credential.is_new:
            credential.path.unlink()
        step = "name another index, or leave out --new-secret and --new-key"
        refuse_taken(home, record, value.index, step)
    if is_here:
        return [value]
    add_values(node, home, record, [value])
    return []


def _warning(node: Node, name: Reference) -> dict[str, str]:
    """``warning`` and ``next`` when rights were given to a name that nobody can log in by; else nothing."""
    if not lacks_key(node, name):
        return {}
    place = name if name.index else name._replace(index=DEFAULT_INDEX)
    home = parse_identifier(name.handle)
    make = "" if node.read(home).values else f"{how_to_make(home)}; then "
    return {
        "warning": f"no {KEY_TYPE} and no {SECRET_TYPE} stands at {name}: nobody can log in by that name yet",
        "next": f"{make}biaojie key new FILE --store {place}{same_node()}",
    }


def _group(kept: Kept, identifier: Identifier, index: int) -> Value:
    for value in kept.values:
        if value.index == index and is_group(value):
            return value
    step = f"biaojie get {full_name(identifier)}{same_node()} shows what there is; how to make one: docs/keys.md"
    raise CommandError(f"{full_name(identifier)}: no HS_VLIST at index {index}", step)


def _refuse_elsewhere(
    node: Node, identifier: Identifier, name: Reference, *, is_named: bool
) -> None:
    """Raises ``CommandError`` when the name has no rights here, or has them by a group of another record."""
    if is_named:
        return
    for entry in _entries(node, identifier):
        if same_name(entry.name, name):
            group = entry.groups[-1] if entry.groups else None
            where = group.handle if group else entry.place
            reason = f"{name} has its rights by {group or entry.place}"
            raise CommandError(reason, f"biaojie admin revoke {where} {name}{same_node()}")
    reason = f"{name} does not administer {full_name(identifier)}"
    raise CommandError(reason, f"biaojie admin list {full_name(identifier)}{same_node()}")


def _has_only_a_key(node: Node, identifier: Identifier, name: Reference) -> bool:
    """Whether the name has no rights over the place, nor by its prefix, but its key or secret still stands."""
    if any(same_name(entry.name, name) for entry in _entries(node, identifier)):
        return False
    return _has_key(node, name)


def _has_key(node: Node, name: Reference) -> bool:
    """Whether a key or secret stands at the name, as far as this node and who asks it can see."""
    try:
        stored = node.read(parse_identifier(name.handle)).values
    except Refused:
        return False
    return any(v.index == name.index and v.type.upper() in (KEY_TYPE, SECRET_TYPE) for v in stored)


def _facts(entry: Entry) -> dict[str, object]:
    return {
        "record": entry.place,
        "index": entry.index,
        "administrator": str(entry.name),
        "via": [str(group) for group in entry.groups],
        "rights": permission_words(entry.permissions),
        "bits": format_permissions(entry.permissions),
    }
