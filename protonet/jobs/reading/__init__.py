"""Networks from what users give: prototxt, Lua texts, .t7 files."""
