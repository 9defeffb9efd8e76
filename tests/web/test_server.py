"""The server as a process: killed and started again, twenty jobs at once, a hundred attacks."""

from __future__ import annotations

import http.client
import io
import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from protonet.web.process import is_alive
from tests.web.browser import answers, end, free_port, served, wait_for
from tests.web.conftest import NET, Served
from tests.web.test_submission import png
from tests.web.test_uploads import bomb


def test_killed_during_a_training_and_started_again(tmp_path: Path) -> None:
    """The training goes on without a server; the next one finds it, and stops and resumes it."""
    folder, port = tmp_path / "work", free_port()
    with served(folder, port=port) as (address, process):
        first = Served(address.rstrip("/"), folder)
        data = first.call("/api/datasets/gradients", {"width": 10, "height": 8, "count": 20})["id"]
        first.wait(data)
        form = {"name": "long", "network": NET, "dataset": data, "epochs": 300_000}
        job = first.call("/api/models", form)[0]["id"]
        progress = f"/api/jobs/{job}"
        wait_for(lambda: first.call(progress)["progress"]["iteration"] > 5, "its iterations")
        before = first.call(progress)["progress"]["iteration"]
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert is_alive(folder / "jobs" / job)
    with served(folder, port=port) as (address, _):
        again = Served(address.rstrip("/"), folder)
        told = again.call(progress)
        assert told["status"] == "run"
        wait_for(lambda: again.call(progress)["progress"]["iteration"] > before + 5, "its going on")
        again.call(f"{progress}/stop", {})
        stopped = again.wait(job, "abort")["progress"]["iteration"]
        again.call(f"{progress}/resume", {})
        wait_for(lambda: again.call(progress)["progress"]["iteration"] > stopped, "more of it")
        again.call(f"{progress}/stop", {})
        again.wait(job, "abort")
    assert not is_alive(folder / "jobs" / job)


def test_a_second_server_on_a_workspace_ends_at_once(tmp_path: Path) -> None:
    """It names the first, which is not disturbed; the lock of a killed server holds up nobody."""
    folder, port = tmp_path / "work", free_port()
    with served(folder, port=port) as (address, first):
        for other in (port, free_port()):
            second = subprocess.run(
                [sys.executable, "-m", "protonet", "serve", str(folder), "--port", str(other)],
                capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            assert second.returncode == 2
            assert second.stdout == ""
            assert f"(process {first.pid}, {address})" in second.stderr
            assert "or serve another folder: protonet serve DIR" in second.stderr
            assert "Traceback" not in second.stderr
        assert answers(f"{address}api/jobs")
        first.send_signal(signal.SIGKILL)
        first.wait(10)
    with served(folder, port=port) as (again, third):
        assert (again, third.poll()) == (address, None)


def test_a_training_that_is_killed_is_told_of_and_resumed(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    with served(folder) as (address, _):
        site = Served(address.rstrip("/"), folder)
        data = site.call("/api/datasets/gradients", {"width": 10, "height": 8, "count": 20})["id"]
        site.wait(data)
        form = {"name": "long", "network": NET, "dataset": data, "epochs": 300_000}
        job = site.call("/api/models", form)[0]["id"]
        path = f"/api/jobs/{job}"
        wait_for(lambda: site.call(path)["progress"]["snapshots"], "a snapshot")
        pid = int((folder / "jobs" / job / "lock").read_text())
        import os

        os.kill(pid, signal.SIGKILL)
        told = site.wait(job, "error")
        assert "killed" in told["error"]
        site.call(f"{path}/resume", {})
        site.wait(job, "run")
        wait_for(
            lambda: site.call(path)["progress"]["iteration"] > told["progress"]["iteration"],
            "its going on",
        )
        site.call(f"{path}/stop", {})
        site.wait(job, "abort")


@pytest.mark.long
def test_twenty_jobs_at_once_end_in_their_order(server: Served) -> None:
    form = {"name": "many", "network": NET, "dataset": server.dataset, "epochs": 1,
            "lrs": [0.001 * n for n in range(1, 11)], "batch_sizes": [8, 16]}  # fmt: skip
    jobs = [job["id"] for job in server.call("/api/models", form)]
    assert len(jobs) == 20
    for job in jobs:
        server.wait(job)
    told = [server.call(f"/api/jobs/{job}") for job in jobs]
    starts = [each["started"] for each in told]
    assert starts == sorted(starts)
    for before, after in pairwise(told):
        assert before["ended"] <= after["started"]


def raw(server: Served, head: bytes) -> int:
    """The status that a request gets which no library would send."""
    place = urllib.parse.urlsplit(server.address)
    with socket.create_connection((place.hostname, place.port), 10) as line:
        line.sendall(head)
        answer = line.recv(64)
    return int(answer.split()[1])


def multipart(fields: dict[str, str], files: list[tuple[str, str, bytes]]) -> tuple[bytes, str]:
    """A form with files as a browser sends it, whatever the names."""
    edge, body = "edge", io.BytesIO()
    for name, value in fields.items():
        body.write(f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode())
        body.write(value.encode() + b"\r\n")
    for name, filename, data in files:
        body.write(f'--{edge}\r\nContent-Disposition: form-data; name="{name}"; '
                   f'filename="{filename}"\r\n\r\n'.encode() + data + b"\r\n")  # fmt: skip
    body.write(f"--{edge}--\r\n".encode())
    return body.getvalue(), f"multipart/form-data; boundary={edge}"


def attacks(dataset: str, training: str) -> Iterator[tuple[str, str, bytes | None, dict[str, str]]]:
    """A hundred requests (method, path, body, headers) that nobody means well with."""
    plain = {"content-type": "application/json"}

    def posted(path: str, body: Any, **headers: str) -> tuple[str, str, bytes, dict[str, str]]:
        return "POST", path, json.dumps(body).encode(), {**plain, **headers}

    climbs = ["../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/x",
              "....//....//etc/passwd", "%c0%ae%c0%ae/x", "//etc/passwd", "%00",
              "..\\..\\x", "a" * 3000]  # fmt: skip
    for climb in climbs:
        for place in ("/api/jobs/", "/api/datasets/", "/docs-files/"):
            yield "GET", place + climb, None, {}
        yield "GET", f"/_nicegui/{climb}", None, {}
    names = ["/etc/passwd", "../../x", "~root/x", "/proc/self/environ", "jobs/../../../etc", "\0"]
    for name in names:
        yield posted("/api/datasets/databases", {"name": "x", "train_images": name})
        yield posted("/api/datasets/folders", {"name": "x", "folder": name})
        yield posted(f"/api/jobs/{training}/tests", {"path": name})
        body, kind = multipart({"path": name}, [])
        yield "POST", f"/api/jobs/{training}/test", body, {"content-type": kind}
    uploads = [("../x.png", png()), ("/etc/x.png", png()), ("x.png", bomb()), ("x.png", b"text"),
               ("x.svg", b"<svg onload=alert(1)/>"), ("x.png", b"")]  # fmt: skip
    for name, data in uploads:
        files = [("table", "labels.csv", b"x.png,1\n"), ("images", name, data)]
        body, kind = multipart({"form": '{"name": "x"}'}, files)
        yield "POST", "/api/datasets/vectors", body, {"content-type": kind}
    for data in (bomb(), b"text", b"GIF89a"):
        body, kind = multipart({}, [("image", "x.png", data)])
        yield "POST", f"/api/jobs/{training}/test", body, {"content-type": kind}
    nets = [
        "layer {" * 20_000,
        "x" * 2_000_000,
        NET.replace("num_output: 2", "num_output: 2000000000"),
        'layer { name: "p" type: "Python" bottom: "data" top: "p" '
        'python_param { module: "os" layer: "system" } }' + NET,
        'layer { name: "i" type: "ImageData" top: "i" '
        'image_data_param { source: "/etc/passwd" batch_size: 1 } }' + NET,
        'layer { name: "d" type: "DummyData" top: "d" dummy_data_param { '
        "shape { dim: 100000 dim: 100000 dim: 1000 } } }" + NET,
        "\0",
        "",
    ]
    for net in nets:
        yield posted("/api/models", {"name": "x", "network": net, "dataset": dataset})
    wrong: list[Any] = [[], 3, None, {"name": ["x"]}, {"network": NET}, {"name": "x" * 10_000}]
    for body_of in wrong:
        yield posted("/api/models", body_of)
        yield posted("/api/datasets/gradients", body_of)
    for odd in (b"{", b"\xff\xfe", b'{"name": ' + b"[" * 100_000, b'{"lr": 1e999}'):
        yield "POST", "/api/models/policy", odd, plain
    for foreign in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        yield posted("/api/datasets/gradients", {"name": "stolen"}, **foreign)
        yield "DELETE", f"/api/jobs/{training}", None, foreign
    yield "GET", "/", None, {"host": "evil.example"}
    yield "GET", "/api/jobs", None, {"host": "169.254.169.254"}
    yield "DELETE", f"/api/jobs/{dataset}", None, {}
    yield "TRACE", "/api/jobs", None, {}
    yield "PUT", "/api/models", b"{}", plain


def test_a_hundred_hostile_requests(server: Served) -> None:
    place = urllib.parse.urlsplit(server.address)
    before = {job["id"] for job in server.call("/api/jobs")}
    requests = list(attacks(server.dataset, server.training))
    assert len(requests) >= 100
    for method, path, body, headers in requests:
        line = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        try:
            line.request(method, path.replace("\0", "%00"), body, headers)
            answer = line.getresponse()
            text = answer.read().decode(errors="replace")
        finally:
            line.close()
        told = f"{method} {path[:80]} {str(body)[:120]} {headers}: {answer.status} {text[:300]}"
        assert 400 <= answer.status < 500, told
        assert "Traceback" not in text, told
        assert "root:" not in text, told
        if path.startswith("/api"):
            assert '"error":' in text, told
    assert raw(server, b"GET / HTTP/1.1\r\n\r\n") in (400, 403)
    assert raw(server, b"\x16\x03\x01\x00\x00") == 400
    huge = b"POST /api/models HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"
    assert raw(server, huge) == 413
    assert {job["id"] for job in server.call("/api/jobs")} == before
    assert server.call(f"/api/jobs/{server.training}")["status"] == "done"


def test_events_come_as_they_happen(server: Served) -> None:
    with urllib.request.urlopen(f"{server.address}/api/jobs/events", timeout=30) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = (line.decode() for line in stream)
        told = next(line for line in lines if server.training in line)
        assert json.loads(told.removeprefix("data: "))["status"] == "done"
        path = f"/api/jobs/{server.dataset}"
        name = server.call(path)["name"]
        server.call(path, {"name": "renamed"}, "PATCH")
        try:
            assert any('"name": "renamed"' in line for line in islice(lines, 200))
        finally:
            server.call(path, {"name": name}, "PATCH")


def test_other_machines_need_the_token(tmp_path: Path) -> None:
    with served(tmp_path / "work", "--host", "0.0.0.0") as (address, _):
        port = urllib.parse.urlsplit(address).port
        token = urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)["token"][0]
        assert len(token) >= 32
        assert (tmp_path / "work" / "token").stat().st_mode & 0o077 == 0
        local = f"http://127.0.0.1:{port}"
        for path in ("/", "/api/jobs", "/docs", "/_nicegui/x"):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(local + path, timeout=10)
            with caught.value as refusal:
                assert refusal.code == 401
        request = urllib.request.Request(f"{local}/api/jobs")
        request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.read() == b"[]"
        jar = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with jar.open(f"{local}/?token={token}", timeout=10) as page:
            assert page.status == 200
            assert "token" not in page.url
        with jar.open(f"{local}/api/jobs", timeout=10) as answer:
            assert answer.read() == b"[]"


def test_the_token_is_not_in_the_log(tmp_path: Path) -> None:
    with served(tmp_path / "work", "--host", "0.0.0.0") as (address, process):
        place = urllib.parse.urlsplit(address)
        token = urllib.parse.parse_qs(place.query)["token"][0]
        statuses = {}
        for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "BREW"):
            for path in ("/", "/nowhere", "/api/jobs", "/api/nowhere", "/api/models/check"):
                line = http.client.HTTPConnection("127.0.0.1", place.port, timeout=30)
                line.request(method, f"{path}?token={token}", b"{}" if method == "POST" else None)
                answer = line.getresponse()
                body = answer.read().decode()
                line.close()
                assert token not in body
                assert token not in answer.getheader("location", "")
                statuses[method, path] = answer.status
        with socket.create_connection(("127.0.0.1", place.port or 0), 10) as line_:
            line_.sendall(f"POST /?token={token} HTTP/9\r\n\r\n".encode())
            line_.recv(1000)
        assert statuses["GET", "/"] == statuses["HEAD", "/"] == 303
        assert statuses["GET", "/api/jobs"] == 200
        assert {statuses[method, "/api/models/check"] for method in ("POST", "PUT", "DELETE")} == {
            400
        }
        assert max(statuses.values()) < 500
        end(process)
        assert process.stdout is not None
        assert token not in process.stdout.read()


def test_the_documentation_needs_nothing_from_outside(server: Served) -> None:
    with urllib.request.urlopen(f"{server.address}/docs", timeout=10) as page:
        assert "//cdn" not in page.read().decode()
    schema = server.call("/api/openapi.json")
    assert len(schema["paths"]) > 20
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        urllib.request.urlopen(f"{server.address}/docs-files/{name}", timeout=10).close()
