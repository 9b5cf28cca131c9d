"""The store battery over every engine."""

import pytest

from registry.stores.lmdb import create_store, open_writer
from registry.stores.memory import MemoryStore
from tests.batteries.scribe import LOG_ID
from tests.batteries.store_battery import StoreBattery
from tests.registry.stores.settings import SMALL


class TestMemory(StoreBattery):
    @pytest.fixture
    def store(self):
        return MemoryStore(LOG_ID)

    @pytest.fixture
    def reopened(self, store):
        return lambda: store


class TestLmdb(StoreBattery):
    @pytest.fixture
    def stores(self, tmp_path):
        create_store(tmp_path / "data", LOG_ID, SMALL)
        opened = [open_writer(tmp_path / "data", SMALL)]
        yield opened
        opened[-1].close()

    @pytest.fixture
    def store(self, stores):
        return stores[0]

    @pytest.fixture
    def reopened(self, stores, tmp_path):
        def reopen():
            stores[-1].close()
            stores.append(open_writer(tmp_path / "data", SMALL))
            return stores[-1]

        return reopen
