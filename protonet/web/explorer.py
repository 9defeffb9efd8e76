"""The explorer of the API, from bundled files."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

_FILES = "/docs-files"
_STYLE = """<style>
.swagger-ui .opblock.opblock-get .opblock-summary-method { background: #1a639f; }
.swagger-ui .opblock.opblock-post .opblock-summary-method { background: #1e7d4b; }
.swagger-ui .opblock.opblock-patch .opblock-summary-method { background: #8a6500; }
.swagger-ui .opblock.opblock-delete .opblock-summary-method { background: #c0392b; }
.swagger-ui .info .title small,
.swagger-ui .info .title small.version-stamp { background: #3b4151; }
.swagger-ui .info .link .url { color: #1a639f; }
.swagger-ui .model-box, .swagger-ui .model-box-control, .swagger-ui .model-title {
  max-width: 100%; white-space: normal; overflow-wrap: anywhere; text-align: left; }
.swagger-ui .opblock-body, .swagger-ui .model-container { overflow-x: auto; }
.swagger-ui .opblock .opblock-summary { flex-wrap: wrap; }
</style>"""
"""Colors that can be read, as the bundled ones have too little contrast, and words that break where
a screen is narrow.
"""


def add_explorer(app: FastAPI) -> None:
    """Add ``/docs`` to an application, if the files are installed."""
    try:
        from swagger_ui_bundle import swagger_ui_path
    except ImportError:
        return
    app.mount(_FILES, StaticFiles(directory=swagger_ui_path), name="docs-files")
    page = get_swagger_ui_html(
        openapi_url="/api/openapi.json",
        title="protonet: API",
        swagger_js_url=f"{_FILES}/swagger-ui-bundle.js",
        swagger_css_url=f"{_FILES}/swagger-ui.css",
        swagger_favicon_url=f"{_FILES}/favicon-32x32.png",
        swagger_ui_parameters={"deepLinking": False},  # it puts links into buttons
    )
    text = bytes(page.body).decode()
    text = text.replace("<html>", '<html lang="en">').replace("</head>", _STYLE + "</head>")

    @app.get("/docs", include_in_schema=False)
    def explore() -> HTMLResponse:
        return HTMLResponse(text)
