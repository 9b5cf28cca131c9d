"""Batch files as PYHANDLE writes them, with hardly a blank line between the records, are imported as they are."""

from pathlib import Path

from pyhandle.client.batchhandleclient import BatchHandleClient

from protocols.identifier import parse_identifier
from protocols.message import Command, Operation
from protocols.values.admin import Admin, decode_admin, encode_admin
from protocols.values.value import SECRET_PERMISSIONS, Value
from tests.node.importing.order_bench import OrderBench


def test_what_pyhandle_writes_is_done_as_its_administrator(tmp_path):
    path = tmp_path / "handles.batch"
    client = BatchHandleClient(batch_file_path=str(path))
    client.create_batch_file()
    client.authenticate_seckey("300:0.NA/88.118", "s3cret")
    for n in range(3):
        client.register_handle_batch(
            f"88.118/{n}", f"https://a.cn/{n}", 300, "0.NA/88.118", "110011111110"
        )
    client.add_handle_value("88.118/0", index=2, type="EMAIL", data="a@b.cn")
    client.modify_handle_value("88.118/0", index=1, type="URL", data="https://b.cn/0")
    client.add_handle_value("88.118/1", index=3, type="DESC", data="two words")
    client.delete_handle_value("88.118/1", [1, 3])
    client.delete_handle("88.118/2")

    bench = OrderBench(tmp_path / "data")
    rights = Value(100, "HS_ADMIN", encode_admin(Admin("0.NA/88.118", 300)))
    secret = Value(300, "HS_SECKEY", b"s3cret", permissions=SECRET_PERMISSIONS)
    prefix = Command(Operation.PUT, parse_identifier("0.NA/88.118"), (rights, secret))
    assert bench.submit(prefix).outcome.value == "success"
    run = bench.take(Path(path), as_admin=True)
    records = bench.records()
    bench.close()

    assert run.shown == []
    assert (run.tally.registered, run.tally.updated, run.tally.deleted) == (3, 8, 1)
    assert sorted(records) == ["88.118/0", "88.118/1"]
    url, email, admin = records["88.118/0"]
    assert (url.data, email.data) == (b"https://b.cn/0", b"a@b.cn")
    assert decode_admin(admin.data) == Admin("0.NA/88.118", 300, 0x7F3)
    assert [value.index for value in records["88.118/1"]] == [100]
