#!/usr/bin/env bash
# NiceGUI 3.18.0 with FastAPI 0.165.0, seen on Linux with CPython 3.11:
#
# A ui.upload is not freed after its page was closed, and keeps what its handler refers to, which may
# be the whole page: FastAPI keeps the functions of the last 4,096 routes in caches that tell what
# kind of function each is, and ui.upload adds a route for every page that is opened, whose function
# refers to the element. The route itself is removed. A ui.input and its handler are freed.
#
# Fails when they behave otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet nicegui==3.18.0 fastapi==0.165.0 httpx2==2.16.2
cd "$folder"
venv/bin/python - <<'PYTHON'
import gc
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.testclient import TestClient
from nicegui import Client, ui

app = FastAPI()


@ui.page("/upload")
def upload():
    here = ui.label("nothing yet")
    ui.upload(on_upload=lambda _: here.set_text("a file"))


@ui.page("/input")
def field():
    here = ui.label("nothing yet")
    ui.input(on_change=lambda _: here.set_text("a text"))


def left(kind):
    gc.collect()
    return sum(isinstance(each, kind) for each in gc.get_objects())


ui.run_with(app)
seen = {}
with TestClient(app) as browser:
    before = len(app.routes)
    for path, kind in (("/input", ui.input), ("/upload", ui.upload)):
        for _ in range(50):
            assert browser.get(path).status_code == 200
        Client.prune_instances(client_age_threshold=0)
        seen[path] = (left(kind), left(ui.label))
    print("NiceGUI", version("nicegui"), "FastAPI", version("fastapi"))
    print("after 50 closed pages each; elements left:", seen)
assert seen == {"/input": (0, 0), "/upload": (50, 50)}
PYTHON
