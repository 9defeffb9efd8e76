"""Networks of Torch7: Lua definitions, .t7 files, and their translation into nets."""
