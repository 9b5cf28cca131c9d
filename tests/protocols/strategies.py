"""Hypothesis strategies for the vocabulary: what a well-formed value, record or predefined type can look like."""

from hypothesis import strategies as st

from protocols.values.admin import Admin
from protocols.values.keys import PEM_TYPES, DhKey, DsaKey, JwkKey, PemKey, RsaKey
from protocols.values.site import Attribute, Interface, Server, Site
from protocols.values.value import Reference, Value

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFF_FFFF)
stored_index = st.integers(1, 0x7FFF_FFFF)

short_bytes = st.binary(max_size=60)
texts = st.text(max_size=40)
"""Any characters that UTF-8 can carry, control characters and NUL included."""
handles = st.builds("{}/{}".format, st.from_regex(r"[0-9A-Za-z.]{1,12}", fullmatch=True), texts)

references = st.builds(Reference, handles, u32)

admins = st.builds(
    Admin, handle=texts, index=u32, permissions=u16, spare=st.sampled_from([b"", b"\0\0"])
)
vlists = st.lists(references, max_size=6).map(tuple)

ipv4 = st.ip_addresses(v=4).map(str).filter(lambda address: address != "0.0.0.1")
ipv6 = st.ip_addresses(v=6).filter(lambda a: int(a) >> 32 or int(a) == 1).map(str)
"""IPv6 text whose 16 bytes cannot be taken for IPv4."""
interfaces = st.builds(Interface, protocol=u8, port=u32, type=st.integers(0, 3))
attributes = st.builds(Attribute, texts, texts)

numbers = st.integers(0, 2**600)
spares = st.integers(0, 4).map(bytes)
rsa_keys = st.builds(RsaKey, numbers, numbers, spares)
dsa_keys = st.builds(DsaKey, numbers, numbers, numbers, numbers, spares)
dh_keys = st.builds(DhKey, numbers, numbers, numbers, spares)
bare_pem_keys = texts.map(lambda text: PemKey(f"-----BEGIN PUBLIC KEY-----\n{text}"))
pem_keys = bare_pem_keys | st.builds(PemKey, texts, st.sampled_from(PEM_TYPES), spares)
jwk_keys = texts.map(lambda text: JwkKey("{" + text))
keys = rsa_keys | dsa_keys | dh_keys | pem_keys | jwk_keys


def servers(public_keys=short_bytes):
    return st.builds(
        Server, u32, ipv4 | ipv6, st.lists(interfaces, max_size=4).map(tuple), public_keys
    )


def sites(flags=u8, public_keys=short_bytes):
    return st.builds(
        Site,
        st.lists(servers(public_keys), max_size=3).map(tuple),
        serial=u16,
        flags=flags,
        hash_option=st.integers(0, 2),
        attributes=st.lists(attributes, max_size=3).map(tuple),
        major=u8,
        minor=u8,
        hash_filter=st.binary(max_size=20),
    )


free_types = st.sampled_from(["URL", "url", "NAME", "EMAIL", "2000", "HS_SECKEY", "产品"])
type_names = free_types | st.sampled_from(
    ["HS_ADMIN", "HS_VLIST", "HS_SITE", "HS_PUBKEY", "hs_admin", "HS_SITE.6"]
)


def values(types=type_names, data=short_bytes, indexes=stored_index):
    """Values as a store keeps them; a structured type often holds data that is not what it promises."""
    return st.builds(
        Value,
        index=indexes,
        type=types,
        data=data | texts.map(str.encode),
        ttl=u32,
        ttl_type=st.sampled_from([0, 1]),
        permissions=st.integers(0, 15),
        timestamp=st.just(0) | u32,
        references=st.just(()) | st.lists(references, max_size=2).map(tuple),
    )


value_lists = st.lists(values(), max_size=6).map(tuple)
