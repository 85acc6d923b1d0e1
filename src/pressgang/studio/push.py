"""Documents to tasks with proposals: in batches, no document twice, going on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pressgang.document import Document
from pressgang.studio.client import StudioError
from pressgang.studio.outgoing import ID_KEY, Proposal, prediction_of, task_of
from pressgang.studio.project import Project, Task, list_tasks

BATCH = 50
_BATCH_CHARACTERS = 2_000_000

Propose = Callable[[Iterable[Document]], Iterator[Proposal]]
"""What a model says of documents, in order."""

Tell = Callable[[int], None]
"""Is called with the number of documents that are done."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did: new tasks, proposals for tasks that were there without, nothing to do.

    `n_same_text` of those that were there stand under another id.
    """

    n_new: int
    n_completed: int
    n_there: int
    n_same_text: int


def push(
    project: Project,
    documents: Sequence[Document],
    *,
    propose: Propose | None = None,
    version: str = "",
    tell: Tell = lambda _: None,
) -> Pushed:
    """Make a task of each document that has none, with what the model proposes for it.

    A task counts as a document's if it has the document's id, or its text. Tasks without
    annotation that lack the proposals of this version get them. Each batch is kept as soon as the
    server has it, and the same call again sends what is missing.

    Raises ValueError, before anything is sent, if a document cannot be a task, an id stands for
    different texts here and there, or the version cannot be the name of one.
    """
    if propose is not None and (not version.strip() or "," in version):
        raise ValueError(f"{version!r} cannot name a model: it is blank or holds a comma")
    plan = _plan(project, documents, version if propose else None)
    n_there = len(documents) - len(plan.new) - len(plan.bare)
    tell(n_there)
    if propose is not None:
        add_proposals(project, plan.bare, propose, version, tell)
    for batch in _batches(plan.new):
        sent = [task for _, task in batch]
        if propose is not None:
            proposals = propose([document for document, _ in batch])
            sent = [
                task | {"predictions": [prediction_of(proposal, project, version)]}
                for task, proposal in zip(sent, proposals, strict=True)
            ]
        answer = project.studio.post(f"projects/{project.id}/import", sent)
        _all_taken(project, answer.get("task_count"), len(batch))
        tell(len(batch))
    return Pushed(len(plan.new), len(plan.bare), n_there, plan.n_same_text)


def add_proposals(
    project: Project,
    tasks: Sequence[tuple[Document, Task]],
    propose: Propose,
    version: str,
    tell: Tell = lambda _: None,
) -> None:
    """Give tasks that are there the proposals of this version."""
    for batch in _batches(tasks):
        proposals = propose([document for document, _ in batch])
        sent = [
            {"task": task.id} | prediction_of(proposal, project, version)
            for (_, task), proposal in zip(batch, proposals, strict=True)
        ]
        answer = project.studio.post(f"projects/{project.id}/import/predictions", sent)
        _all_taken(project, answer.get("created"), len(batch))
        tell(len(batch))


def _all_taken(project: Project, n_taken: int | None, n_sent: int) -> None:
    if n_taken != n_sent:
        raise StudioError(
            f"{project.address}: the server took {n_taken} of {n_sent} that were sent; "
            "the same command goes on from there"
        )


def use_version(project: Project, version: str, **settings: Any) -> None:
    """Show annotators the predictions of this version; else the server stays with its first."""
    project.studio.patch(f"projects/{project.id}/", {"model_version": version} | settings)


@dataclass(frozen=True, slots=True)
class _Plan:
    """Documents to be made tasks, and tasks that are there and lack a proposal."""

    new: list[tuple[Document, dict[str, Any]]]
    bare: list[tuple[Document, Task]]
    n_same_text: int


def _plan(project: Project, documents: Sequence[Document], version: str | None) -> _Plan:
    listed = list_tasks(project)
    by_id = {task.fields.get(ID_KEY): task for task in listed}
    by_text = {task.fields.get(project.config.text_key): task for task in listed}
    plan: dict[str, tuple[Document, dict[str, Any]]] = {}
    bare: list[tuple[Document, Task]] = []
    n_same_text = 0
    names: set[str] = set()
    for document in documents:
        if document.id in names:
            raise ValueError(f"two documents have the id {document.id!r}; each needs its own")
        names.add(document.id)
        sent = task_of(document, project)
        task = by_id.get(document.id)
        if task is not None and task.fields.get(project.config.text_key) != document.text:
            raise ValueError(
                f"document {document.id!r}: task {task.id} has this id and another text; "
                "give the document another id"
            )
        if task is None:
            task = by_text.get(document.text)
            n_same_text += task is not None
        if task is None and document.text in plan:
            n_same_text += 1
        elif task is None:
            plan[document.text] = document, sent
        elif version is not None and task.is_open and version not in task.versions:
            bare.append((document, task))
    return _Plan(list(plan.values()), bare, n_same_text)


_Pair = TypeVar("_Pair", bound=tuple[Document, Any])


def _batches(pairs: Sequence[_Pair]) -> Iterator[list[_Pair]]:
    """The pairs in order, so many at once as make a request of bounded size."""
    batch: list[_Pair] = []
    n_characters = 0
    for pair in pairs:
        size = len(pair[0].text)
        if batch and (len(batch) == BATCH or n_characters + size > _BATCH_CHARACTERS):
            yield batch
            batch, n_characters = [], 0
        batch.append(pair)
        n_characters += size
    if batch:
        yield batch
