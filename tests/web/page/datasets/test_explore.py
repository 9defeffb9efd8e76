"""A whole data set in the browser: by part, class and key, a page at a time."""

from __future__ import annotations

from protonet.jobs.tasks.progress_log import Count
from protonet.web.datasets.explore import Found, Query
from protonet.web.page.datasets.explore import status_line
from tests.web.browser import Walker
from tests.web.conftest import Served


def test_a_data_set_with_boxes_by_class(walker: Walker, server: Served) -> None:
    form = {"name": "some shapes", "width": 48, "height": 32, "count": 60, "seed": 2}
    job = server.call("/api/datasets/shapes", form)["id"]
    server.wait(job)
    train = server.call(f"/api/datasets/{job}/classes")[0]
    circle = next(each for each in train["classes"] if each["name"] == "circle")
    page = walker.page
    walker.goto(f"/datasets/{job}")
    walker.sees("boxes with classes")
    page.get_by_role("button", name="Look through all images").click()
    walker.sees("1 to 24 of 60 images")
    assert page.locator(".sample svg rect").count() >= 24
    page.get_by_role("combobox", name="Class").click()
    page.get_by_role("option", name=f"circle ({circle['images']})").click()
    walker.sees(f"1 to {min(24, circle['images'])} of {circle['images']} images")
    assert page.locator(".samples figure").count() == min(24, circle["images"])
    for label in page.locator(".samples figure").all_inner_texts():
        assert "circle" in label
    page.get_by_label("Key contains").fill("train7.")
    walker.sees("1 to 1 of 1 images" if _keys(server, job) else "No images.")
    page.get_by_label("Key contains").fill("")
    walker.sees(f"of {circle['images']} images")
    page.get_by_role("combobox", name="Part").click()
    page.get_by_role("option", name="Validation").click()
    val = server.call(f"/api/datasets/{job}/samples?class=1&part=val")
    walker.sees(f"1 to {len(val)} of {len(val)} images")
    page.locator(".sample").first.click()
    page.get_by_role("button", name="Close").wait_for()
    walker.sees("48 x 32 pixels")


def _keys(server: Served, job: str) -> list[str]:
    found = server.call(f"/api/datasets/{job}/samples?class=1&key=train7.")
    return [each["key"] for each in found]


def test_pages(walker: Walker, server: Served) -> None:
    page = walker.page
    walker.goto(f"/datasets/{server.dataset}/explore")
    walker.sees("1 to 24 of 60 images")
    page.get_by_label("Page", exact=True).fill("3")
    walker.sees("49 to 60 of 60 images")
    assert page.locator(".samples img").count() == 12
    page.locator(".q-pagination").get_by_role("button", name="2").click()
    walker.sees("25 to 48 of 60 images")


def test_a_question_that_fails_leaves_no_images(walker: Walker, server: Served) -> None:
    form = {"name": "broken", "width": 32, "height": 24, "count": 5, "val_count": 3}
    job = server.call("/api/datasets/shapes", form)["id"]
    server.wait(job)
    page = walker.page
    walker.goto(f"/datasets/{job}/explore")
    walker.sees("1 to 5 of 5 images")
    (server.folder / "jobs" / job / "data" / "val_images" / "data.mdb").write_bytes(b"x" * 9000)
    page.get_by_role("combobox", name="Part").click()
    page.get_by_role("option", name="Validation").click()
    page.locator(".q-notification").first.wait_for()
    page.wait_for_function("document.querySelectorAll('.samples img').length === 0")


def test_where_one_is_in_words() -> None:
    assert status_line(Query(offset=24), Found((b"x",) * 24, 1000)) == "25 to 48 of 1,000 images"
    assert status_line(Query(), Found((), 0)) == "No images."
    assert status_line(Query(), Found((), None, Count(5, 9000, 0, 0, 0))) == (
        "Indexing the images: 5 of 9,000 ..."
    )
    assert status_line(Query(), Found((), None)) == "Indexing the images ..."
