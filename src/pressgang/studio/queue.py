"""Open tasks in the order in which labelling them would teach the model most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pressgang.annotation.doubt import doubt_many, order
from pressgang.document import Document
from pressgang.model.extractor import Extractor
from pressgang.studio.outgoing import ID_KEY, Proposal, prediction_of
from pressgang.studio.project import Project, Task, list_tasks
from pressgang.studio.push import Tell, add_proposals, use_version

SAMPLING = "Uncertainty sampling"
_EQUAL = 1e-6


@dataclass(frozen=True, slots=True)
class Place:
    """A task's place in the queue: what the model doubts in it, per word."""

    task: int
    name: str
    tags: float
    relations: float


def queue(
    project: Project, extractor: Extractor, version: str, *, tell: Tell = lambda _: None
) -> list[Place]:
    """Order the tasks that nobody has annotated, and tell the server; the first to label in front.

    Each gets the proposals of this model, whose score is its place divided by the length of the
    queue: Label Studio's uncertainty sampling hands out the lowest score first. Scores that are
    right already are left alone, so a queue that was interrupted is finished by the same call.
    """
    listed = list_tasks(project)
    waiting = [task for task in listed if task.is_open and _text(project, task).strip()]
    texts = [_text(project, task) for task in waiting]
    sources = [Document(str(task.id), text) for task, text in zip(waiting, texts, strict=True)]
    judged = []
    for pair in doubt_many(extractor, sources):
        judged.append(pair)
        tell(1)
    known = [_text(project, task) for task in listed if task.n_finished]
    ranking = order([doubt.total for _, doubt in judged], texts, known)
    proposals = {
        waiting[position].id: Proposal(judged[position][0], rank / len(ranking))
        for rank, position in enumerate(ranking)
    }
    _write(project, waiting, proposals, version)
    use_version(project, version, sampling=SAMPLING)
    return [
        Place(
            waiting[position].id,
            str(waiting[position].fields.get(ID_KEY, "")),
            judged[position][1].tags,
            judged[position][1].relations,
        )
        for position in ranking
    ]


def proposals_of(extractor: Extractor, documents: Iterable[Document]) -> Iterator[Proposal]:
    """What the model finds; the score is one less its doubt, so that the surest score highest."""
    for found, doubt in doubt_many(extractor, documents):
        yield Proposal(found, max(0.0, 1.0 - doubt.total))


def _write(
    project: Project, waiting: Sequence[Task], proposals: dict[int, Proposal], version: str
) -> None:
    """Import what is missing in bulk, and mend the scores of what is there."""
    there = {task.id for task in waiting if version in task.versions}
    missing = [(proposals[task.id].document, task) for task in waiting if task.id not in there]
    by_document = {str(number): proposal for number, proposal in proposals.items()}
    for number in sorted(there):
        for prediction in project.studio.get("predictions/", task=number):
            proposal = proposals[number]
            is_ours = prediction["model_version"] == version
            if is_ours and abs((prediction["score"] or 0.0) - proposal.score) > _EQUAL:
                score = prediction_of(proposal, project, version)["score"]
                project.studio.patch(f"predictions/{prediction['id']}/", {"score": score})
    add_proposals(project, missing, lambda found: (by_document[d.id] for d in found), version)


def _text(project: Project, task: Task) -> str:
    text = task.fields.get(project.config.text_key)
    return text if isinstance(text, str) else ""
