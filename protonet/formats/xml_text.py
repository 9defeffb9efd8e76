"""XML from untrusted files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

_DEEPEST = 64
"""Elements within each other."""


@dataclass
class Element:
    """An element: its name, the line that it begins on, its own text, its children."""

    name: str
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Element]:
        """The children of a name."""
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> Element | None:
        """The first child of a name."""
        return next(self.all(name), None)


def parse_xml(data: bytes) -> Element:
    """The root element of a document without declarations of types: these could define entities,
    which may name other files or grow without bounds.

    Raises:
        ValueError: for invalid XML, a document type, or elements that nest too deep; the message
            begins with the line.
    """
    parser = expat.ParserCreate()
    opened = [Element("", 0)]

    def begin(name: str, _: object) -> None:
        if len(opened) > _DEEPEST:
            raise ValueError(f"{parser.CurrentLineNumber}: elements nest too deep")
        element = Element(name, parser.CurrentLineNumber)
        opened[-1].children.append(element)
        opened.append(element)

    def end(_: str) -> None:
        element = opened.pop()
        element.text = element.text.strip()

    def text(found: str) -> None:
        opened[-1].text += found

    def doctype(*_: object) -> None:
        raise ValueError(f"{parser.CurrentLineNumber}: a document type is not read")

    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, doctype
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ValueError(f"{error.lineno}: {expat.ErrorString(error.code)}") from None
    except LookupError as error:  # Python's, for an encoding that neither knows
        raise ValueError(f"{parser.CurrentLineNumber}: {error}") from None
    return opened[0].children[0]
