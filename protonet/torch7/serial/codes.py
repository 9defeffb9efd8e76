"""What stands for the type of a value in a .t7 file (torch7, File.lua)."""

from __future__ import annotations

from protonet.torch7.objects import DTYPES

NIL = 0
NUMBER = 1
STRING = 2
TABLE = 3
TORCH = 4
BOOLEAN = 5
OLD_FUNCTION = 6
"""A function without an index: another reference to it is another function."""
LEGACY_FUNCTION = 7
"""Its upvalues are values, those of ``FUNCTION`` are tables of name and value."""
FUNCTION = 8

FUNCTIONS = (OLD_FUNCTION, LEGACY_FUNCTION, FUNCTION)
INDEXED = (TABLE, TORCH, LEGACY_FUNCTION, FUNCTION)
"""Types whose values have an index: once written, only the index is written again."""

TENSORS = {f"torch.{kind}Tensor": kind for kind in DTYPES}
STORAGES = {f"torch.{kind}Storage": kind for kind in DTYPES}

FORMS_OF_THEIR_OWN = ("torch.", "tds.")
"""Beginnings of the names of classes whose objects, but for tensors, are not tables of fields."""

RAW = ("Byte", "Char", "CudaByte", "CudaChar")
"""Kinds whose elements are bytes in the ascii form, too."""

SAFE_INTEGER = 2**53
"""Whole numbers below it are exact in Lua, whose numbers are doubles."""
