"""An annotator at work: a real browser on the labelling page of a real server."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from pressgang.corpus import write_documents
from pressgang.document import Document
from pressgang.label_studio.tasks import read_exports
from pressgang.model.extractor import Extractor
from pressgang.studio.client import Studio
from pressgang.studio.project import list_tasks, open_project
from tests.conftest import mark
from tests.studio.conftest import ACCOUNT, PATIENCE, Run, Server
from tests.studio.page import Page, chromium
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


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with chromium(tmp_path, PATIENCE) as page:
        yield page


def proposed(document: Document) -> Document:
    """The document without what the annotator is to draw."""
    entities = tuple(e for e in document.entities if document.surface(e) != DRAWN)
    relations = tuple(r for r in document.relations if r.tail in entities)
    return dataclasses.replace(document, entities=entities, relations=relations)


def log_in(page: Page, server: Server) -> None:
    def step() -> None:
        page.browser.get(f"{server.url}/user/login/")
        for name, content in (("email", ACCOUNT.email), ("password", ACCOUNT.password)):
            page.browser.find_element(By.NAME, name).send_keys(content)
        page.keys(Keys.ENTER)

    page.reach("logged in", lambda: "/user/login" not in page.browser.current_url, step, pause=10)


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

    log_in(page, server)
    expected = proposed(REPORT)
    surfaces = [expected.surface(e) for e in expected.entities]
    labels = [[relation.label] for relation in expected.relations]

    def as_pushed() -> bool:
        highlighted = [element.text for element in page.shown(".htx-highlight")]
        related = [relation["labels"] for relation in page.marks("relation")]
        return (highlighted, related) == (surfaces, labels)

    address = f"{project.address}?task={task.id}"
    page.reach("the task as pushed", as_pushed, lambda: page.browser.get(address), pause=30)

    page.draw(DRAWN, "ARMED_FORCE", key="6")
    page.link("Askar Usenov", DRAWN)
    page.name_last_relation(CHOSEN)
    page.picture("labelling.png")  # docs/labelling.png is this picture
    page.keys(Keys.ESCAPE)
    page.reach(
        "an annotation on the server",
        lambda: list_tasks(project)[0].n_finished,
        lambda: page.click("[data-testid=bottombar-submit-button]"),
        pause=10,
    )

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
