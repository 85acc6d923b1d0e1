"""Hands and eyes on Label Studio's labelling page, in a headless Chromium.

A busy machine makes the page late: a click may land on a list that is still moving, a key may
come before the editor listens. So nothing here is done once and believed. A goal is reached by
steps: each looks at what the page shows, does with mouse and keys what is still missing, and is
taken again until the goal is seen. The editor's store is only read.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from urllib3.exceptions import HTTPError

T = TypeVar("T")

PROGRAMS = ("chromium", "chromedriver")
MISSING = (
    "no {} found: the test that labels by hand needs `apt-get install chromium chromium-driver`"
)
LATE = (WebDriverException, HTTPError)
"""What a page raises that moves, is redrawn, or does not answer yet; it is asked again."""
ANSWER = 100
"""Seconds until the browser must answer one command."""
PAUSE = 2.0
LONGEST_PAUSE = 20.0
PLACE = """
const root = document.querySelector(".lsf-htx-richtext");
const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
for (let node; (node = texts.nextNode()); ) {
  const at = node.data.indexOf(arguments[0]);
  if (at < 0) continue;
  const range = document.createRange();
  range.setStart(node, at);
  range.setEnd(node, at + arguments[0].length);
  const box = range.getBoundingClientRect();
  return [box.left + 1, box.right - 1, box.top + box.height / 2].map(Math.round);
}"""
MARKS = "return window.Htx.annotationStore.selected.serializeAnnotation()"
SELECTED = "return window.Htx.annotationStore.selected.selectedRegions.map(region => region.text)"
LINKING = "return window.Htx.annotationStore.selected.isLinkingMode"


@contextmanager
def chromium(folder: Path, patience: float) -> Iterator[Page]:
    """A headless Chromium with an empty profile in `folder`; the test fails where there is none.

    `patience`: the seconds for everything that is done on its pages together.
    """
    found = {name: shutil.which(name) for name in PROGRAMS}
    missing = [name for name, path in found.items() if not path]
    if missing:
        pytest.fail(MISSING.format(" and no ".join(missing)), pytrace=False)
    for attempt in range(4):
        options = ChromeOptions()
        options.binary_location = found["chromium"] or ""
        options.page_load_strategy = "eager"
        for argument in (
            *("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu"),
            *("window-size=1400,860", "disable-background-networking", "disable-component-update"),
            f"user-data-dir={folder / f'profile-{attempt}'}",
        ):
            options.add_argument(f"--{argument}")
        try:
            browser = Chrome(options, ChromeService(found["chromedriver"]))
            break
        except LATE:  # chromedriver gives a browser one minute to start
            if attempt == 3:
                raise
    browser.command_executor.client_config.timeout = ANSWER + 20
    browser.set_page_load_timeout(ANSWER)
    browser.set_script_timeout(ANSWER)
    try:
        yield Page(browser, folder, patience)
    finally:
        browser.quit()


class Page:
    """The page, what it shows, and what a hand does on it."""

    def __init__(self, browser: Chrome, folder: Path, patience: float) -> None:
        self.browser = browser
        self._folder = folder
        self._patience = patience
        self._deadline = time.monotonic() + patience

    def reach(
        self,
        goal: str,
        done: Callable[[], T | None],
        step: Callable[[], object],
        pause: float = PAUSE,
    ) -> T:
        """Take steps until `done` gives something true; that.

        After each step the page has `pause` seconds, and longer each time. The test fails with
        the goal, the last error, the marks in the editor and a picture when the time is over.
        """
        error = ""
        steps = 0
        while steps == 0 or time.monotonic() < self._deadline:
            steps += 1
            try:
                step()
            except LATE as late:
                first = (str(late).strip() or type(late).__name__).splitlines()[0]
                error = f"; last error: {first}"
            if result := self.soon(done, pause):
                return result
            pause = min(1.5 * pause, LONGEST_PAUSE)
        pytest.fail(
            f"the page did not come to this in {self._patience:.0f} s: {goal} ({steps} steps"
            f"{error}); {self._state()}; picture: {self.picture('failed.png')}",
            pytrace=False,
        )

    def soon(self, done: Callable[[], T | None], seconds: float = 5 * PAUSE) -> T | None:
        """What `done` gives as soon as that is true; None when it is not in time."""
        end = time.monotonic() + seconds
        while True:
            try:
                if result := done():
                    return result
            except LATE:
                pass
            if time.monotonic() > end:
                return None
            time.sleep(0.2)

    def picture(self, name: str) -> Path:
        path = self._folder / name
        try:
            path.write_bytes(self.browser.get_screenshot_as_png())
        except LATE as late:
            return Path(f"none, {type(late).__name__}")
        return path

    def _state(self) -> str:
        """The address, and what the annotator (not the model) has marked in the editor."""
        try:
            drawn = [r["value"] for r in self.marks("labels") if r["origin"] != "prediction"]
            last = self.marks("relation")[-1:]
            return f"{self.browser.current_url} holds {drawn}, last relation {last}"
        except LATE as late:
            return f"no marks to be read, {type(late).__name__}"

    def marks(self, kind: str) -> list[dict[str, Any]]:
        """The regions ("labels") or relations ("relation") in the editor."""
        return [entry for entry in self.browser.execute_script(MARKS) if entry["type"] == kind]

    def shown(self, css: str) -> list[WebElement]:
        """The elements that can be seen."""
        found = self.browser.find_elements(By.CSS_SELECTOR, css)
        return [element for element in found if element.is_displayed()]

    def point(self, css: str) -> WebElement:
        """Move the mouse to the last of these, once it is there and stands still; it."""

        def still() -> WebElement | None:
            element = self.shown(css)[-1:]
            before = [e.rect for e in element]
            time.sleep(0.1)
            return element[0] if element and before == [element[0].rect] else None

        element = self.soon(still)
        if element is None:
            raise WebDriverException(f"{css} is not there or does not stand still")
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'nearest'})", element)
        ActionChains(self.browser).move_to_element(element).perform()
        return element

    def click(self, css: str) -> None:
        self.point(css).click()

    def keys(self, *keys: str) -> None:
        """Press keys together."""
        action = ActionChains(self.browser)
        for key in keys:
            action.key_down(key)
        for key in reversed(keys):
            action.key_up(key)
        action.perform()

    def click_text(self, surface: str) -> None:
        """Click in the middle of a piece of the text."""
        left, right, middle = self._place(surface)
        action = ActionBuilder(self.browser)
        action.pointer_action.move_to_location((left + right) // 2, middle).click()
        action.perform()

    def drag(self, surface: str) -> None:
        """Draw with the mouse over a piece of the text."""
        left, right, middle = self._place(surface)
        action = ActionBuilder(self.browser)
        action.pointer_action.move_to_location(left, middle).pointer_down()
        action.pointer_action.move_to_location((left + right) // 2, middle)
        action.pointer_action.move_to_location(right, middle).pointer_up()
        action.perform()

    def _place(self, surface: str) -> tuple[int, int, int]:
        """Left, right and middle height of a piece of the text, in pixels."""
        place = self.browser.execute_script(PLACE, surface)
        if place is None:
            raise WebDriverException(f"{surface!r} is not in the text on the page")
        left, right, middle = place
        return left, right, middle

    def draw(self, surface: str, label: str, key: str) -> None:
        """Mark a piece of the text with the label that has this key."""
        known = len(self.marks("labels"))

        def drawn() -> bool:
            new = [region["value"] for region in self.marks("labels")[known:]]
            return [(value["text"], value["labels"]) for value in new] == [(surface, [label])]

        def selected() -> list[str]:
            return [e.text.split()[0] for e in self.shown(".lsf-label_selected")]

        def step() -> None:
            if len(self.marks("labels")) > known:  # something else was drawn
                self.keys(Keys.CONTROL, "z")
                return
            if selected() != [label]:
                self.keys(key)
                self.soon(lambda: selected() == [label])
            self.drag(surface)

        self.reach(f"{surface!r} drawn as {label}", drawn, step)

    def link(self, head: str, tail: str) -> None:
        """Draw a relation from one region to another, without a label yet."""
        text_of = {region["id"]: region["value"]["text"] for region in self.marks("labels")}
        known = len(self.marks("relation"))

        def ends() -> list[tuple[str, str]]:
            new = self.marks("relation")[known:]
            return [(text_of[r["from_id"]], text_of[r["to_id"]]) for r in new]

        def step() -> None:
            if ends():  # another relation was drawn
                self.keys(Keys.CONTROL, "z")
                return
            for _ in range(2):  # out of linking, then nothing selected
                self.keys(Keys.ESCAPE)
            self.click_text(head)
            if self.soon(lambda: self.browser.execute_script(SELECTED) == [head]):
                self.keys(Keys.ALT, "r")
                if self.soon(lambda: self.browser.execute_script(LINKING)):
                    self.click_text(tail)

        self.reach(f"{head!r} and {tail!r} linked", lambda: ends() == [(head, tail)], step)

    def name_last_relation(self, labels: tuple[str, ...]) -> None:
        """Tick exactly these labels of the relation that was drawn last, in the list beside it."""
        row = ".lsf-relations__item:last-child"
        trigger = f"{row} [data-testid^=select-trigger]"

        def ticked() -> set[str]:
            return set(self.marks("relation")[-1].get("labels", ()))

        def step() -> None:
            before = ticked()
            if not before ^ set(labels):
                return
            label = min(before ^ set(labels))  # one to be ticked, or one ticked by mistake
            option = f"[data-testid='select-option-{label}']"
            if not self.shown(option):
                if not self.shown(row):
                    self.click("#regions-relations_1_droppable")
                if not self.shown(trigger):
                    self.point(row)
                    self.click(f"{row} [aria-label='Show Relation Labels']")
                self.click(trigger)
            self.click(option)

        self.reach(f"labels {labels} ticked", lambda: ticked() == set(labels), step)
