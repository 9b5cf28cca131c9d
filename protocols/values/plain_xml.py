"""XML as values hold it (10320/loc, HS_NAMESPACE): elements, attributes and text, and nothing that could be expanded.

The text was registered by somebody else. None of these documents needs a document type or an entity, so one that
declares any is refused whole: nothing is ever expanded or fetched. Size, depth and counts are bounded.
"""

from collections.abc import Mapping
from xml.parsers import expat

from protocols.errors import Malformed, TooLarge

MAX_XML_BYTES = 65_536
"""As much as one value holds."""
MAX_DEPTH = 16
"""Locations need two levels, templates of a namespace a few more."""
MAX_ELEMENTS = 2_000
"""More than anybody registers; a document is read for every redirect."""
MAX_ATTRIBUTES = 64
"""Of one element."""


class Element:
    """One element; names of elements and attributes in lower case, values as registered."""

    __slots__ = ("attributes", "children", "name", "text")

    def __init__(self, name: str, attributes: Mapping[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Element] = []
        self.text = ""
        """Of the element itself, without that of its children."""

    def child(self, name: str) -> "Element | None":
        """The first child of that name."""
        return next((child for child in self.children if child.name == name), None)


def read_xml(data: bytes, what: str) -> Element:
    """The outermost element. ``what`` names the document in errors.

    Raises ``Malformed`` (no XML, not UTF-8, a document type or an entity declared) or ``TooLarge``.
    """
    if len(data) > MAX_XML_BYTES:
        raise TooLarge(f"{what}: {len(data)} bytes, at most {MAX_XML_BYTES} allowed")
    tree = _Tree(what)
    parser = expat.ParserCreate("utf-8")  # whatever the document declares
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartDoctypeDeclHandler = tree.refuse_declaration
    parser.EntityDeclHandler = tree.refuse_declaration
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.add_text
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed(f"{what}: not UTF-8", error.start) from None
    try:
        parser.Parse(text, True)  # noqa: FBT003  (expat's signature)
    except expat.ExpatError as error:
        words = expat.ErrorString(error.code)
        raise Malformed(f"{what}: line {error.lineno}: {words}") from None
    assert tree.root is not None, "without an element it is no XML"
    return tree.root


class _Tree:
    """What was read so far."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._open: list[Element] = []
        self._count = 0
        self.root: Element | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) == MAX_DEPTH:
            raise TooLarge(f"{self._what}: elements more than {MAX_DEPTH} deep")
        if self._count > MAX_ELEMENTS:
            raise TooLarge(f"{self._what}: more than {MAX_ELEMENTS} elements")
        if len(attributes) > MAX_ATTRIBUTES:
            raise TooLarge(f"{self._what}: more than {MAX_ATTRIBUTES} attributes of one element")
        folded = {key.lower(): value for key, value in attributes.items()}
        element = Element(name.lower(), folded)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _name: str) -> None:
        self._open.pop()

    def add_text(self, text: str) -> None:
        self._open[-1].text += text

    def refuse_declaration(self, *_: object) -> None:
        raise Malformed(
            f"{self._what}: a document type or an entity is declared, which is not read"
        )
