"""A store on disk in which one record is damaged."""

from contextlib import contextmanager

import lmdb

from protocols.identifier import parse_identifier
from registry.stores.keys import store_key
from registry.stores.lmdb import create_store, open_writer
from tests.registry.desk import HOST, LOG_ID, Desk, command, url
from tests.registry.stores.settings import SMALL


@contextmanager
def damaged_store(directory, damaged, *texts):
    """A desk over a store with ``texts`` (bare prefixes are hosted), one bit of ``damaged`` flipped."""
    create_store(directory, LOG_ID, SMALL)
    desk = Desk(open_writer(directory, SMALL))
    for text in texts:
        receipt = desk.put(text, url()) if "/" in text else desk.submit(command(HOST, text))
        assert receipt.was_created
    identifier = parse_identifier(damaged)
    authority = desk.store.authority(identifier.prefix)
    desk.store.close()
    _flip_last_bit(directory, store_key(authority.id, identifier.suffix.upper()))
    store = open_writer(directory, SMALL)
    try:
        yield Desk(store)
    finally:
        store.close()


def _flip_last_bit(directory, key):
    with lmdb.open(str(directory), max_dbs=8) as env:
        records = env.open_db(b"rec")
        with env.begin(records, write=True) as txn:
            row = bytearray(txn.get(key))
            row[-1] ^= 1
            txn.put(key, bytes(row))
