"""Order logins: whether the secret or key a batch file carries is really that of the administrator it names."""

from pathlib import Path

from node.keys import KeyTrouble
from node.trust.key_files import public_data, read_key
from protocols.errors import ProtocolError
from protocols.identifier import parse_identifier
from protocols.message import Principal
from protocols.trust.algorithms import public_key_of
from protocols.values.key_objects import load_key
from protocols.values.keys import decode_public_key
from protocols.values.secret import secret_matches
from protocols.values.value import Value
from registry.errors import DamagedRecord
from registry.holdings import Holdings
from registry.importing.orders import Login
from registry.stores.store import Reader

_TYPES = {"SECKEY": "HS_SECKEY", "PUBKEY": "HS_PUBKEY"}
_KEEP = "or leave --as-admin out: then the operator of this node does what the file says"


class WrongLogin(Exception):
    """The import ends: nobody knows whose orders those behind it are. Never shows a secret."""

    def __init__(self, login: Login, why: str, next_step: str) -> None:
        super().__init__(f"line {login.line}: AUTHENTICATE {login.kind}:{login.name}: {why}")
        self.next_step = f"{next_step}, {_KEEP}"


class Logins:
    """Looks keys up on this node only; ``folder``: where the batch file lies."""

    def __init__(self, reader: Reader, holdings: Holdings, folder: Path) -> None:
        self._reader, self._holdings, self._folder = reader, holdings, folder

    def log_in(self, login: Login) -> Principal:
        """The administrator. Raises ``WrongLogin``."""
        value = self._key_of(login)
        is_right = self._has_secret if login.kind == "SECKEY" else self._has_key
        if not is_right(login, value):
            what = "secret" if login.kind == "SECKEY" else "key"
            raise WrongLogin(
                login, f"the {what} is not the one registered there", f"write the right {what}"
            )
        principal = Principal(login.handle, login.index)
        return principal._replace(is_operator=self._holdings.is_operator(principal))

    def _key_of(self, login: Login) -> Value:
        self._reader.refresh()
        try:
            values = self._holdings.values_of(parse_identifier(login.handle)) or ()
        except (ProtocolError, DamagedRecord) as error:
            raise WrongLogin(login, str(error), "repair it") from None
        finally:
            self._reader.release()
        for value in values:
            if value.index == login.index and value.type.upper() == _TYPES[login.kind]:
                return value
        why = f"this node has no {_TYPES[login.kind]} at {login.name}"
        raise WrongLogin(login, why, "register it first")

    def _has_secret(self, login: Login, value: Value) -> bool:
        try:
            return secret_matches(value.data, login.secret.encode())
        except ProtocolError:
            return False

    def _has_key(self, login: Login, value: Value) -> bool:
        path = self._folder / login.secret
        try:
            key = public_key_of(read_key(path, login.passphrase.encode() or None))
            return public_data(key) == public_data(load_key(decode_public_key(value.data)))
        except KeyTrouble as trouble:
            raise WrongLogin(login, str(trouble), "name its file") from None
        except ProtocolError as error:
            raise WrongLogin(login, str(error), "register the key anew") from None
