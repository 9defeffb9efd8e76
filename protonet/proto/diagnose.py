"""All mistakes in a text at once: syntax, unknown names, values of the wrong type."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from protonet.errors import nearest
from protonet.proto.braces import Balance, balance
from protonet.proto.lexical import as_python_reads, place_of
from protonet.proto.tree import Entry, Place, Scalar, is_dummy, parse_tree

Finding = tuple[Place, str, str]
"""Place, message, hint."""

_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_FLOATS = {FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE}
_FLOAT_NAMES = {"inf", "infinity", "nan", "-inf", "-infinity", "-nan"}
_BOOLS = re.compile("[Tt]rue|[Ff]alse|t|f|0([xX]0)?0*[01]|[01]")
_LISTED = {("SolverParameter", "device_id")}
"""Fields of one value that a list may give (see ``text``)."""
_MOST = 100
"""Maximum number of mistakes of one kind."""


def diagnose(text: str, descriptor: Descriptor) -> list[Finding]:
    """All mistakes of ``text`` parsed as a message of ``descriptor``, in text order.

    At most the first hundred of each kind (braces, syntax, fields).
    """
    balanced = balance(text)
    findings = _brace_findings(text, balanced)
    syntax = parse_tree(balanced.text)
    findings += syntax.faults
    findings += islice(_check_message(syntax.entries, descriptor), _MOST)
    known = {place for place, _, _ in findings}
    for offset, message, hint in as_python_reads(text).refused[:_MOST]:
        place = place_of(text, offset)
        if place not in known:
            findings.append((place, message, hint))
    return sorted(findings)


def _brace_findings(text: str, balanced: Balance) -> list[Finding]:
    findings: list[Finding] = []
    for brace in balanced.unclosed[:_MOST]:
        of = f" of '{brace.field}'" if brace.field else ""
        findings.append(
            (place_of(text, brace.offset), f"the '{brace.text}'{of} is never closed", "")
        )
    for brace in balanced.stray[:_MOST]:
        findings.append((place_of(text, brace.offset), f"this '{brace.text}' closes nothing", ""))
    return findings


def _check_message(entries: Sequence[Entry], descriptor: Descriptor) -> Iterator[Finding]:
    """The mistakes in the fields of one message."""
    seen: dict[str, Entry] = {}
    for entry in entries:
        field = descriptor.fields_by_name.get(entry.name)
        if field is None:
            near = nearest(entry.name, descriptor.fields_by_name)
            hint = "" if near else _where_known(entry.name, descriptor)
            yield entry.place, f"no field '{entry.name}' in {descriptor.name}{near}", hint
            continue
        if not field.is_repeated:
            if (descriptor.name, entry.name) in _LISTED:
                continue
            if entry.in_list:
                yield entry.place, f"'{entry.name}' takes one value, not a list", ""
            elif entry.name in seen:
                line, column = seen[entry.name].place
                yield (
                    entry.place,
                    f"'{entry.name}' is given twice in {descriptor.name}",
                    f"it may be given once; the first is at line {line}, column {column}",
                )
            seen.setdefault(entry.name, entry)
        yield from _check_entry(entry, field)


def _where_known(name: str, descriptor: Descriptor) -> str:
    """A hint which parameter message has a field that was written outside of it."""
    if name in ("layer", "layers"):
        return "is a '}' missing above?"
    owners = [
        f"{field.name} {{ {name} }}"
        for field in descriptor.fields
        if field.message_type is not None and name in field.message_type.fields_by_name
    ]
    return f"it belongs into {' or '.join(owners[:3])}" if owners else ""


def _check_entry(entry: Entry, field: FieldDescriptor) -> Iterator[Finding]:
    if field.message_type is not None:
        if entry.children is None:
            if entry.value is None or not is_dummy(entry.value):
                yield (
                    entry.value.place if entry.value else entry.place,
                    f"'{field.name}' is a {field.message_type.name}, not a single value",
                    f"write {field.name} {{ ... }}",
                )
            return
        yield from _check_message(entry.children, field.message_type)
        yield from _check_required(entry, field.message_type)
    elif entry.value is None:
        yield entry.place, f"'{field.name}' takes {_kind(field)}, not {{ ... }}", ""
    elif not is_dummy(entry.value):
        message = _check_scalar(entry.value, field)
        if message:
            yield entry.value.place, message, _other_dialect(entry.value, field)


def _other_dialect(value: Scalar, field: FieldDescriptor) -> str:
    """A hint for quoted types in ``layers``, where types are enum names."""
    if field.full_name.endswith("V1LayerParameter.type") and value.text[:1] in "\"'":
        return f"in 'layers' types are names without quotes; type: {value.text} goes with 'layer'"
    return ""


def _check_required(entry: Entry, descriptor: Descriptor) -> Iterator[Finding]:
    present = {child.name for child in entry.children or ()}
    missing = [
        f"'{field.name}'"
        for field in descriptor.fields
        if field.is_required and field.name not in present
    ]
    if missing:
        yield entry.place, f"{descriptor.name} needs {' and '.join(missing)}", ""


def _kind(field: FieldDescriptor) -> str:
    if field.enum_type is not None:
        return "one of " + ", ".join(value.name for value in field.enum_type.values)
    if field.cpp_type in _INTEGERS:
        return "a whole number" + ("" if _INTEGERS[field.cpp_type][0] else " of at least 0")
    if field.cpp_type in _FLOATS:
        return "a number"
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return "true or false"
    return "a text in quotes"


def _check_scalar(value: Scalar, field: FieldDescriptor) -> str:
    """The mistake in a single value of a field; empty if there is none."""
    refusal = f"'{field.name}' takes {_kind(field)}, not {value.text}"
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return "" if value.kind == "STRING" else refusal
    if value.kind == "STRING":
        return refusal
    if field.enum_type is not None:
        if value.kind == "NUMBER":
            known = {str(each.number) for each in field.enum_type.values}
            return "" if value.text in known else refusal
        names = [each.name for each in field.enum_type.values]
        if value.text in names:
            return ""
        near = nearest(value.text, names)
        return (
            f"no value '{value.text}' in {field.enum_type.name}"
            f"{near or '; expected one of ' + ', '.join(names)}"
        )
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return "" if _BOOLS.fullmatch(value.text) else refusal
    if field.cpp_type in _FLOATS:
        fits = value.kind == "NUMBER" or value.text.lower() in _FLOAT_NAMES
        return "" if fits else refusal
    number = _integer(value)
    if number is None:
        return refusal
    low, high = _INTEGERS[field.cpp_type]
    return "" if low <= number <= high else refusal


def _integer(value: Scalar) -> int | None:
    """Parse an integer (decimal, octal or hexadecimal); None for other text."""
    if value.kind != "NUMBER":
        return None
    digits = value.text.removeprefix("-")
    base = 10
    if digits[:2] in ("0x", "0X"):
        base = 16
    elif digits.startswith("0") and digits.isdigit():
        base = 8
    try:
        number = int(digits, base)
    except ValueError:
        return None
    return -number if value.text.startswith("-") else number
