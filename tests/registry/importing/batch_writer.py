"""A writer of GenericBatch files, as Handle.Net's tools write them: the other side of the importer under test."""

from protocols.message import Command, Operation
from protocols.values.admin import decode_admin
from protocols.values.value import Value
from protocols.values.vlist import decode_vlist

WORDS = {
    Operation.PUT: "CREATE", Operation.ADD: "ADD", Operation.MODIFY: "MODIFY", Operation.DELETE: "DELETE",
    Operation.HOST: "HOME", Operation.UNHOST: "UNHOME",
}  # fmt: skip


def write_value(value: Value) -> str:
    head = f"{value.index} {value.type} {value.ttl} {value.permissions:04b}"
    if value.type == "HS_ADMIN":
        admin = decode_admin(value.data)
        digits = f"{admin.permissions:012b}"[::-1]  # least significant bit first
        return f"{head} ADMIN {admin.index}:{digits}:{admin.handle}"
    if value.type == "HS_VLIST":
        members = "".join(f"{one.index}:{one.handle};" for one in decode_vlist(value.data))
        return f"{head} LIST {members}"
    return f"{head} UTF8 {value.data.decode()}"


def write_command(command: Command) -> list[str]:
    name = command.identifier.text
    if command.operation is Operation.REMOVE:
        return [f"REMOVE {','.join(map(str, command.indexes))}:{name}", ""]
    return [f"{WORDS[command.operation]} {name}", *map(write_value, command.values), ""]


def write_batch(commands, end: str = "\n") -> str:
    return end.join(line for command in commands for line in write_command(command)) + end
