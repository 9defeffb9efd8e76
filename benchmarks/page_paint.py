"""How soon a page shows its first words: a phone's screen, a workspace with ended trainings.

The bar: within a second. Each page is opened anew some times, as a person does who comes back; the
median is told, in milliseconds from the request to the browser's first contentful paint.

    python benchmarks/page_paint.py [--rounds 9]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from page_load import fill, served

PAGES = ("/", "/datasets/new", "/models/new", "/jobs")
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
PAINTED = "performance.getEntriesByName('first-contentful-paint')"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--jobs", type=int, default=200, help="ended trainings in the workspace")
    parser.add_argument("--port", type=int, default=8766)
    given = parser.parse_args()
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        parser.error(f"needs a browser: {', '.join(BROWSERS)}")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "work"
        fill(folder, given.jobs)
        with served(folder, given.port), sync_playwright() as play:
            browser = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 390, "height": 800})
            for place in PAGES:
                times = []
                for _ in range(given.rounds):
                    page.goto(f"http://127.0.0.1:{given.port}{place}")
                    page.wait_for_function(f"{PAINTED}.length > 0")
                    times.append(page.evaluate(f"{PAINTED}[0].startTime"))
                print(f"{place}: {statistics.median(times):.0f} ms, at most {max(times):.0f}")
            browser.close()


if __name__ == "__main__":
    main()
