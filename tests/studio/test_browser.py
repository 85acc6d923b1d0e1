"""An annotator at work: a real browser on the labelling page of a real server."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from pressgang.corpus import write_documents
from pressgang.document import Document
from pressgang.extractor import Extractor
from pressgang.label_studio.tasks import read_exports
from pressgang.studio.client import Studio
from pressgang.studio.project import list_tasks, open_project
from tests.conftest import mark
from tests.studio.conftest import ACCOUNT, PATIENCE, Run, Server
from tests.test_cli import write_config

pytestmark = pytest.mark.slow

ANNOTATIONS = Path(__file__).parents[2] / "annotations"
DRAWN = "Wagner"
CHOSEN = ("RECRUITED_BY", "FOUGHT_FOR")
REPORT = mark(
    "osh-welder",
    "👩 [Askar Usenov](PERSON:a), a [Kyrgyz](NATIONALITY:k) [welder](ROLE:w) from "
    f"[Osh](LOCATION:o), signed with [{DRAWN}](ARMED_FORCE:g) in [July 2022](DATE).\r\n"
    "He was killed near [Soledar](LOCATION:s), his [sister](ROLE) says.\r\n"
    "The [recruiter](ROLE:r), [Nurlan T.](PERSON:n), was jailed for [six years](PENALTY:p).",
    "a HAS_NATIONALITY k\na LIVES_IN o\na DIED_IN s\nn HAS_ROLE r\nn SENTENCED_TO p\n"
    + "\n".join(f"a {label} g" for label in CHOSEN),
)
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


class Page:
    """The labelling page, and what a hand does on it."""

    def __init__(self, browser: Chrome) -> None:
        self.browser = browser

    def until(self, holds: Callable[[], Any]) -> Any:
        """What `holds` gives, as soon as that is true."""
        return WebDriverWait(self.browser, PATIENCE).until(lambda _: holds())

    def all(self, css: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, css)

    def point(self, css: str) -> WebElement:
        """Move the mouse to the last of these, once it is there; the element."""
        element = self.until(lambda: [e for e in self.all(css) if e.is_displayed()])[-1]
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        ActionChains(self.browser).move_to_element(element).perform()
        return element

    def click(self, css: str) -> None:
        self.point(css).click()

    def marks(self, kind: str) -> list[dict[str, Any]]:
        """The regions ("labels") or relations ("relation") in the editor."""
        return [entry for entry in self.browser.execute_script(MARKS) if entry["type"] == kind]

    def drag(self, surface: str) -> None:
        """Draw with the mouse over a piece of the text."""
        left, right, middle = self.browser.execute_script(PLACE, surface)
        action = ActionBuilder(self.browser)
        action.pointer_action.move_to_location(left, middle).pointer_down()
        action.pointer_action.move_to_location((left + right) // 2, middle)
        action.pointer_action.move_to_location(right, middle).pointer_up()
        action.perform()

    def click_text(self, surface: str) -> None:
        left, right, middle = self.browser.execute_script(PLACE, surface)
        action = ActionBuilder(self.browser)
        action.pointer_action.move_to_location((left + right) // 2, middle).click()
        action.perform()

    def keys(self, *keys: str) -> None:
        """Press keys together."""
        action = ActionChains(self.browser)
        for key in keys:
            action.key_down(key)
        for key in reversed(keys):
            action.key_up(key)
        action.perform()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A headless Chromium; the test fails where there is none."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    for name, path in programs.items():
        assert path, f"{name} is missing: apt-get install chromium chromium-driver"
    options = ChromeOptions()
    options.binary_location = programs["chromium"] or ""
    for argument in (
        *("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu"),
        *("window-size=1400,860", "disable-background-networking", "disable-component-update"),
        f"user-data-dir={tmp_path / 'profile'}",
    ):
        options.add_argument(f"--{argument}")
    browser = Chrome(options, ChromeService(programs["chromedriver"]))
    browser.set_page_load_timeout(PATIENCE)
    yield Page(browser)
    browser.quit()


def proposed(document: Document) -> Document:
    """The document without what the annotator is to draw."""
    entities = tuple(e for e in document.entities if document.surface(e) != DRAWN)
    relations = tuple(r for r in document.relations if r.tail in entities)
    return dataclasses.replace(document, entities=entities, relations=relations)


def test_what_a_hand_draws_reaches_the_model(
    page: Page, run: Run, server: Server, studio: Studio, bert: Path, tmp_path: Path
) -> None:
    title = "by hand"
    config = ("--title", title, "--labeling-config", ANNOTATIONS / "labeling_config.xml")
    assert run("studio", "init", *config)[0] == 0
    write_documents(tmp_path / "in.jsonl", [proposed(REPORT)])
    given = ("--project", title, "--given", "model")
    status, _, err = run("studio", "push", tmp_path / "in.jsonl", *given)
    assert status == 0, err
    project = open_project(studio, title)
    [task] = list_tasks(project)

    page.browser.get(f"{server.url}/user/login/")
    for name, content in (("email", ACCOUNT.email), ("password", ACCOUNT.password)):
        page.browser.find_element(By.NAME, name).send_keys(content)
    page.keys(Keys.ENTER)
    page.until(lambda: "/user/login" not in page.browser.current_url)
    page.browser.get(f"{project.address}?task={task.id}")
    expected = proposed(REPORT)
    page.until(lambda: len(page.all(".htx-highlight")) == len(expected.entities))
    highlighted = [element.text for element in page.all(".htx-highlight")]
    assert highlighted == [expected.surface(e) for e in expected.entities]
    shown = page.until(lambda: page.marks("relation"))
    assert [r["labels"] for r in shown] == [[r.label] for r in expected.relations]

    page.keys("6")
    page.drag(DRAWN)
    page.until(lambda: len(page.marks("labels")) == len(REPORT.entities))
    page.click_text("Askar Usenov")
    page.keys(Keys.ALT, "r")
    page.click_text(DRAWN)
    page.until(lambda: len(page.marks("relation")) == len(shown) + 1)
    page.click("#regions-relations_1_droppable")
    page.point(".lsf-relations__item:last-child")
    page.click(".lsf-relations__item:last-child [aria-label='Show Relation Labels']")
    page.click("[data-testid^=select-trigger]")
    for label in CHOSEN:
        page.click(f"[data-testid=select-option-{label}]")
    page.until(lambda: page.marks("relation")[-1].get("labels") == list(CHOSEN))
    page.browser.save_screenshot(tmp_path / "labelling.png")  # docs/labelling.png is this picture
    page.keys(Keys.ESCAPE)
    page.click("[data-testid=bottombar-submit-button]")
    page.until(lambda: list_tasks(project)[0].n_finished)

    export = tmp_path / "pulled.json"
    status, _, err = run("studio", "pull", "--output", export, "--project", title)
    assert status == 0, err
    assert "problems" not in err
    assert read_exports([export], config=project.config).documents == (REPORT,)
    settings = write_config(tmp_path, bert, epochs=80)
    made = tmp_path / "made"
    status, _, err = run("train", "--config", settings, "--data", export, "--output", made)
    assert status == 0, err
    found = Extractor.load(made).predict(REPORT.text)
    assert DRAWN in {found.surface(e) for e in found.entities}
    studio.delete(f"projects/{project.id}/")
