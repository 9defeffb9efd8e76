"""The pages. They use the same services as the JSON API."""

from __future__ import annotations

from fastapi import FastAPI

from protonet.web.page.library_files import CompressedOnce
from protonet.web.site import Site


def add_pages(app: FastAPI, site: Site, secret: str) -> None:
    """Add the pages to an application.

    Args:
        app: the application that has the API.
        site: the workspace that the pages show.
        secret: signs the cookie that stores the choice of light or dark.
    """
    from nicegui import app as nicegui
    from nicegui import ui
    from nicegui.storage import Storage

    from protonet.web.page import file_field, home
    from protonet.web.page.clients import AWAY, look_after_pages
    from protonet.web.page.datasets import pages as datasets
    from protonet.web.page.frame import add_static
    from protonet.web.page.jobs import compare, job, lists
    from protonet.web.page.models import pages as models
    from protonet.web.page.signatures import remember_signatures

    add_static()
    remember_signatures()
    for pages in (home, datasets, models, lists, job, compare):
        pages.add(site)
    Storage.path = site.workspace.folder / "choices"  # of users, else in the working directory
    # The bar on top would have no name, and uploads show their own progress.
    nicegui.config.quasar_config["loadingBar"] = {"skipHijack": True}
    look_after_pages()
    app.include_router(file_field.route())
    ui.run_with(
        app,
        storage_secret=secret,
        dark=None,
        title="protonet",
        language="en-US",
        tailwind=False,  # a browser would compile it for every page; page.css has what pages use
        binding_refresh_interval=None,  # no page binds values
        reconnect_timeout=AWAY,
        gzip_middleware_factory=CompressedOnce,
    )
