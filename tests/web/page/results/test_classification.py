"""A wrong image is found in the confusion matrix, and looked at."""

from __future__ import annotations

from pathlib import Path

from protonet.data.database import Database
from protonet.data.datum import decode, make_datum
from protonet.data.writer import DatabaseWriter
from tests.web.browser import OPTIONS, Walker
from tests.web.conftest import Served
from tests.web.trained import CLASSES, black_and_white


def with_a_wrong_label(database: Path, to: Path) -> Path:
    """A copy in which a white image is said to be black."""
    with Database(database) as stored, DatabaseWriter(to) as writer:
        for key in list(stored.keys()):
            datum = stored.get(key)
            label = 0 if key == b"007" else int(datum.label)
            writer.put(key, make_datum(decode(datum, "x"), label=label))
    return to


def test_a_wrong_image(walker: Walker, server: Served) -> None:
    folder = server.folder / "shades"
    folder.mkdir()
    database = black_and_white(folder)
    wrong = with_a_wrong_label(database, folder / "wrong")
    dataset = server.call(
        "/api/datasets/databases",
        {"name": "shades", "train_images": str(database), "val_images": str(wrong),
         "classes": str(folder / "labels.txt")},
    )["id"]  # fmt: skip
    (job,) = server.call(
        "/api/models",
        {"name": "shades", "network": CLASSES, "dataset": dataset, "epochs": 20, "lr": 0.001,
         "batch_sizes": [8]},
    )  # fmt: skip
    server.wait(job["id"])
    page = walker.page
    walker.goto(f"/jobs/{job['id']}")
    page.get_by_role("button", name="Test many").click()
    walker.sees("Wrong images: 1 to 1 of 1")
    walker.sees("95.83%")
    walker.sees("true: black")
    (matrix,) = page.evaluate(OPTIONS.replace("'.chart'", "'.confusion'"))
    data = matrix["series"][0]["data"]
    assert [each["value"][:2] for each in data] == [[0, 0], [1, 0], [1, 1]]
    # The cell of black images that were taken for white.
    chart = page.locator(".confusion")
    place = chart.evaluate(
        "e => getElement(Number(e.id.slice(1))).chart.convertToPixel({seriesIndex: 0}, [1, 0])"
    )
    page.get_by_label("Show", exact=True).click()
    page.get_by_role("option", name="All images in their order").click()
    walker.sees("All images: 1 to 24 of 24")
    chart.click(position={"x": place[0], "y": place[1]})
    walker.sees("black, taken for white: 1 to 1 of 1")
    assert page.locator(".images img").get_attribute("alt") == "007"
    page.get_by_text("007", exact=True).click()
    walker.sees("black", 5)
    row = page.get_by_role("row").filter(has_text="black")
    assert row.inner_text().split() == ["black", "13", "12", "12", "92.31%", "100.00%"]
