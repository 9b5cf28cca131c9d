"""Verifications: ``/api/verifications/{index:handle}``: is a proof right by an HS_SECKEY held here? (Handle.Net manual)

For other nodes, which a client logs in to with a secret that only this node has. The proof is over ``nonce`` ‖
``cnonce``; ``signature``, ``alg``, ``salt``, ``iterations`` and ``length`` are those of ``Authorization: Handle``. The
index may be in the path or be ``?index=``. Guessing is slowed as it is for logins: by asking address and by account.
"""

from node.http.api import Api
from node.http.asked import read_indexes
from node.http.basic_auth import read_user
from node.http.errors import failure
from node.http.handle_auth import MAX_CNONCE_BYTES, Fields, read_base64, read_signed_response
from node.http.reply import Reply, json_reply
from node.http.request import Request
from node.http.target import decode_path
from protocols.errors import Malformed, TooLarge
from protocols.handle.proof import challenge_content
from protocols.identifier import read_identifier
from protocols.message import Outcome
from protocols.values.value import Reference

_NEEDED = ("nonce", "cnonce", "alg", "signature")
_DIGITS = 10


async def verify_proof(api: Api, request: Request) -> Reply:
    """``isValid``; 400 when this node does not hold the key's record, 503 when it cannot be checked now."""
    if request.method == "POST" and not request.payload.at_eof():
        await request.read_form()
    user = _read_account(request)
    first = request.parameters.first
    for name in _NEEDED:
        if not first(name):
            raise Malformed(f"{name}: missing", field=name)
    fields = Fields(
        type="HS_SECKEY",
        alg=first("alg") or "",
        signature=first("signature") or "",
        salt=first("salt") or "",
        iterations=first("iterations") or "",
        length=first("length") or "",
    )
    content = challenge_content(
        _read_chance("nonce", first("nonce") or ""), _read_chance("cnonce", first("cnonce") or "")
    )
    proof = read_signed_response(fields)
    said = await api.service.verify(user.handle, user.index, content, proof, request.peer)
    if isinstance(said, Outcome):
        words = f"the proof of {user} cannot be checked here"
        return failure(said, request.method, handle=user.handle, message=words)
    shown = {"responseCode": 1, "handle": user.handle, "isValid": said}
    return json_reply(200, shown, (("Cache-Control", "no-store"),), is_pretty=request.is_pretty)


def _read_account(request: Request) -> Reference:
    """``index:handle`` of the path, or the handle there and the index as parameter. Raises ``ProtocolError``."""
    indexes = read_indexes(request)
    index, colon, _ = request.suffix.replace(b"%3A", b":").replace(b"%3a", b":").partition(b":")
    is_named = bool(colon) and index.isdigit() and len(index) <= _DIGITS
    if len(indexes) + is_named != 1:
        raise Malformed(
            "index: one is needed, in the path (index:handle) or as ?index=", field="index"
        )
    if is_named:
        return read_user(request.suffix, "path")
    return Reference(read_identifier(decode_path(request.suffix)).text, indexes[0])


def _read_chance(name: str, text: str) -> bytes:
    chance = read_base64(name, text)
    if len(chance) > MAX_CNONCE_BYTES:
        raise TooLarge(
            f"{name}: {len(chance)} bytes, at most {MAX_CNONCE_BYTES} allowed", field=name
        )
    return chance
