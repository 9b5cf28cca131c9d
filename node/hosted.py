"""Hosted: the prefixes this node answers for, as whoever asks may be told of them: to list below, or to search.

One walk over the store's authorities, a page at a time. Whoever goes through the pages may let others have their turn
in between: the next page is read from the newest commit.
"""

from collections.abc import Callable, Iterator

from protocols.identifier import Identifier, prefix_record_of
from protocols.message import Outcome, Principal
from protocols.values.admin import LIST_HANDLES
from registry.stores.store import Authority, Reader

STEP = 1000
"""Prefixes looked at between two looks at other clients: some milliseconds."""

May = Callable[[Principal, Identifier, int], Outcome]
"""``Service.may``, ``Holdings.may``."""
MayList = Callable[[Authority], bool]


def is_hosted(reader: Reader, authority: Authority) -> bool:
    """Whether this node is responsible for the prefix: hosted, its own record not deleted."""
    return authority.is_hosted and reader.has_prefix_record(authority.prefix)


def list_right(may: May, principal: Principal) -> MayList:
    """Whether the principal may list below a prefix."""

    def may_list(authority: Authority) -> bool:
        over = prefix_record_of(authority.spelling)
        return may(principal, over, LIST_HANDLES) is Outcome.SUCCESS

    return may_list


def listable(reader: Reader, may_list: MayList) -> Iterator[list[Authority]]:
    """Of the prefixes hosted here, those below which may be listed, in order of folded prefix; pages may be empty."""
    for page in _pages(reader):
        yield [one for one in page if is_hosted(reader, one) and may_list(one)]


def hidden(reader: Reader, may_list: MayList) -> Iterator[list[Authority]]:
    """Prefixes of which a search tells nothing: not hosted here, or private and not to be listed."""
    for page in _pages(reader):
        yield [one for one in page if not _is_told(reader, one, may_list)]


def _is_told(reader: Reader, authority: Authority, may_list: MayList) -> bool:
    return is_hosted(reader, authority) and (not authority.is_private or may_list(authority))


def _pages(reader: Reader) -> Iterator[list[Authority]]:
    after = b""
    while True:
        page = reader.authorities(after, STEP)
        yield page
        if len(page) < STEP:
            return
        after = page[-1].prefix
        reader.refresh()
