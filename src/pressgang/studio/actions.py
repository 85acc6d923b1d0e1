"""What the commands of `pressgang studio` do, and what they say of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pressgang import load
from pressgang.annotation.agreement import print_agreement
from pressgang.bulk.sources import read_sources
from pressgang.label_studio.annotators import read_annotators
from pressgang.learning.run_data import tell_problems
from pressgang.model.extractor import Extractor
from pressgang.model.folders import find_model
from pressgang.printable import printable
from pressgang.studio import local
from pressgang.studio import pull as pulling
from pressgang.studio import push as pushing
from pressgang.studio import queue as queueing
from pressgang.studio import review as reviewing
from pressgang.studio.client import Studio, connect
from pressgang.studio.outgoing import check_labels, given_proposals, version_of
from pressgang.studio.project import (
    Project,
    export_tasks,
    init_project,
    list_tasks,
    open_project,
)
from pressgang.studio.secret import TOKEN, secret

PASSWORD = "LABEL_STUDIO_PASSWORD"  # noqa: S105 - the name of a variable

_messages = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)


def connected(url: str, seconds: float) -> Studio:
    """A connection with the token from the environment, or typed."""
    return connect(url, secret(TOKEN, "Label Studio token"), seconds=seconds)


def opened(url: str, project: str, seconds: float) -> Project:
    """The project with this number or title."""
    return open_project(connected(url, seconds), project)


def init(studio: Studio, title: str, labeling_config: Path, guidelines: Path | None) -> Project:
    """Make the project or bring it up to date; the guidelines may lie beside the config."""
    beside = labeling_config.with_name("GUIDELINES.md")
    if guidelines is None and beside.exists():
        guidelines = beside
    project, done = init_project(studio, title, labeling_config, guidelines)
    _messages.print(f"project {project.id} {project.title!r} {done}: {project.address}")
    return project


def push(
    project: Project,
    inputs: list[Path],
    *,
    model: Path | None,
    device: str,
    given: str | None,
    bare: bool,
) -> None:
    """Send documents with what a model proposes, with what is marked in them, or `bare`."""
    documents = list(read_sources(inputs))
    propose: pushing.Propose | None = None
    version = ""
    if given is not None:
        propose, version = given_proposals, given
    elif not bare:
        extractor, version = _model(project, model, device)
        propose = lambda some: queueing.proposals_of(extractor, some)  # noqa: E731
    with _progress("documents", len(documents)) as tell:
        pushed = pushing.push(project, documents, propose=propose, version=version, tell=tell)
    if propose is not None:
        pushing.use_version(project, version)
    same = f", {pushed.n_same_text} of them under another id" if pushed.n_same_text else ""
    _messages.print(
        f"{pushed.n_new} new tasks, {pushed.n_completed} that lacked proposals given them, "
        f"{pushed.n_there} there already{same}: {project.address}"
    )


def queue(project: Project, *, model: Path | None, device: str, show: int) -> None:
    """Order the open tasks, and print the first to `show`."""
    extractor, version = _model(project, model, device)
    with _progress("tasks") as tell:
        places = queueing.queue(project, extractor, version, tell=tell)
    for place in places[:show]:
        numbers = (str(place.task), f"{place.tags:.4f}", f"{place.relations:.4f}")
        print("\t".join((*numbers, printable(place.name))))  # noqa: T201
    _messages.print(
        f"{len(places)} open tasks in order; the label button at {project.address} hands them out. "
        "Columns: task, doubt about entities and relations (wrong decisions expected per word), id"
    )


def pull(project: Project, output: Path) -> None:
    """Bring the export file up to date."""
    pulled = pulling.pull(project, output)
    tell_problems([pulled.reading], _messages)
    _messages.print(
        f"{output}: {pulled.reading.n_tasks} tasks, {pulled.n_fetched} of them new or changed; "
        f"{pulled.n_gone} no longer finished, {pulled.n_skipped} skipped and left out"
    )


def review(project: Project, *, model: Path | None, folds: Path | None, device: str) -> None:
    """Name likely errors in the tasks, found by a model or by the folds of a cross-validation."""
    if folds is not None:
        found = reviewing.review_with_folds(project, folds)
    else:
        folder = find_model(model)
        extractor, _ = _model(project, folder, device)
        with _progress("tasks") as tell:
            found = reviewing.review_with_model(project, extractor, folder, tell=tell)
    tell_problems(found.readings, _messages)
    written = reviewing.write_review(project, found.spots)
    _messages.print(
        f"{found.n_judged} annotated tasks judged, {found.n_known} left out because the model was "
        f"trained on them or no fold has them; {written.n_tasks} with suspected spots "
        f"({written.n_changed} tasks changed): {written.address}"
    )


def agreement(project: Project, *, show: bool) -> None:
    """Print how far each two annotators agree, and every difference to `show`."""
    finished = [task.id for task in list_tasks(project) if task.n_finished > 1]
    readings = read_annotators(export_tasks(project, finished), config=project.config)
    tell_problems(list(readings.values()), _messages)
    annotators = {name: reading.documents for name, reading in readings.items()}
    print_agreement(annotators, source=project.address, show=show)


@contextlib.contextmanager
def server(data: Path | None, *, port: int, email: str) -> Iterator[Studio]:
    """A connection to a server of one's own, installed where it is missing, stopped at the end."""
    command = local.executable()
    if not command.exists():
        _messages.print(f"installing Label Studio {local.VERSION} in {command.parent.parent} ...")
        local.install()
    folder = data or Path.home() / ".local" / "share" / "pressgang" / "label-studio"
    account = local.Account(email, secret(PASSWORD, f"Password for {email}"))
    first = "" if local.is_prepared(folder) else ", for the first time: about a minute"
    _messages.print(f"starting{first} ...")
    with local.running(folder, account, port=port) as url:
        yield connect(url, local.sign_in(url, account))


def wait(project: Project, email: str) -> None:
    """Say where to label, and do nothing until Ctrl-C."""
    _messages.print(f"label at {project.address} as {email}; Ctrl-C stops the server")
    try:
        local.wait()
    finally:
        _messages.print("stopping")


def _model(project: Project, folder: Path | None, device: str) -> tuple[Extractor, str]:
    """The model and its version, once it is known that the project has its labels."""
    folder = find_model(folder)
    extractor = load(folder, device=device)
    check_labels(project, extractor.schema)
    return extractor, version_of(folder)


@contextlib.contextmanager
def _progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere; call it with how many are done."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    is_watched = _messages.is_terminal
    with Progress(*columns, console=_messages, transient=True, disable=not is_watched) as bar:
        task = bar.add_task("", total=total)
        yield lambda n: bar.advance(task, n)
