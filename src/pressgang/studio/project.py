"""A project on the server: found by number or title, made from a labeling config, kept in step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from markdown_it import MarkdownIt

from pressgang.label_studio.labeling_config import (
    LabelingConfig,
    parse_labeling_config,
    read_labeling_config,
)
from pressgang.label_studio.problems import brief
from pressgang.studio.client import Studio

_TITLE_LENGTHS = range(3, 51)
_EXPORTED_AT_ONCE = 100
_LISTED = "id,data,updated_at,total_annotations,cancelled_annotations,predictions_model_versions"


@dataclass(frozen=True, slots=True)
class Project:
    """A project of a server, and what its annotators may mark."""

    studio: Studio
    id: int
    title: str
    config: LabelingConfig

    @property
    def address(self) -> str:
        """Where a person finds it."""
        return f"{self.studio.url}/projects/{self.id}/data"

    @property
    def from_name(self) -> str:
        """The name of the one `<Labels>` tag, which predictions refer to.

        Raises ValueError if there are several: which of them a label belongs to is not known here.
        """
        if len(self.config.control_names) != 1:
            names = ", ".join(self.config.control_names)
            raise ValueError(f"project {self.title!r} has several <Labels> ({names}), expected one")
        return self.config.control_names[0]


@dataclass(frozen=True, slots=True)
class Task:
    """A task as the server lists it.

    `n_finished` and `n_skipped` count annotations, `changed` is the time of the last change, and
    `versions` are those of the models whose predictions it has.
    """

    id: int
    fields: dict[str, Any]
    n_finished: int
    n_skipped: int
    changed: str
    versions: frozenset[str]

    @property
    def is_open(self) -> bool:
        """Whether nobody has annotated or skipped it."""
        return not self.n_finished + self.n_skipped


def open_project(studio: Studio, named: str) -> Project:
    """The project with this number or, failing that, this title.

    Raises ValueError if there is none, or several have the title.
    """
    found = _entitled(studio, named)
    if named.isdecimal() and not found:
        found = [studio.get(f"projects/{named}/")]
    if not found:
        raise ValueError(f"{studio.url}: there is no project {named!r} that this token may see")
    if len(found) > 1:
        numbers = ", ".join(str(record["id"]) for record in found)
        raise ValueError(f"{studio.url}: {named!r} is the title of several projects: {numbers}")
    record = found[0]
    config = parse_labeling_config(
        record["label_config"], source=f"{studio.url}: project {record['title']!r}"
    )
    return Project(studio, record["id"], record["title"], config)


def init_project(
    studio: Studio, title: str, labeling_config: Path, guidelines: Path | None
) -> tuple[Project, str]:
    """The project with this title, and what was done: "created", "updated" or "unchanged".

    The guidelines, Markdown, become the instructions that annotators see. Labels may be added to a
    project later; a label is taken away only where nothing is annotated.

    Raises ValueError if the title cannot be one, a file cannot be read, or labels would be lost.
    """
    if len(title) not in _TITLE_LENGTHS:
        raise ValueError(f"a title has 3 to 50 characters, not {len(title)}: {title!r}")
    wanted: dict[str, Any] = {"title": title, "label_config": _checked_config(labeling_config)}
    if guidelines is not None:
        wanted |= {"expert_instruction": _instructions(guidelines), "show_instruction": True}
    found = _entitled(studio, title)
    if not found:
        studio.post("projects/", wanted)
        return open_project(studio, title), "created"
    project = open_project(studio, title)
    record = studio.get(f"projects/{project.id}/")
    changed = {key: value for key, value in wanted.items() if record.get(key) != value}
    if not changed:
        return project, "unchanged"
    if "label_config" in changed and record.get("total_annotations_number"):
        _keep_labels(project, read_labeling_config(labeling_config))
    studio.patch(f"projects/{project.id}/", changed)
    return open_project(studio, title), "updated"


def list_tasks(project: Project) -> list[Task]:
    """All tasks, in the order of their numbers."""
    listed = project.studio.pages(
        "tasks/", "tasks", project=project.id, fields="all", include=_LISTED
    )
    found = {record["id"]: _task(record) for record in listed}
    return [found[number] for number in sorted(found)]


def export_tasks(project: Project, numbers: list[int]) -> Iterator[dict[str, Any]]:
    """The full export of these tasks, as Label Studio writes it."""
    for at in range(0, len(numbers), _EXPORTED_AT_ONCE):
        chosen = numbers[at : at + _EXPORTED_AT_ONCE]
        yield from project.studio.get(
            f"projects/{project.id}/export",
            **{"exportType": "JSON", "download_all_tasks": "true", "ids[]": chosen},
        )


def _task(record: dict[str, Any]) -> Task:
    return Task(
        record["id"],
        record["data"],
        record["total_annotations"],
        record["cancelled_annotations"],
        record["updated_at"],
        frozenset(record["predictions_model_versions"].split(",")) - {""},
    )


def _entitled(studio: Studio, title: str) -> list[dict[str, Any]]:
    """The projects with exactly this title."""
    return [p for p in studio.pages("projects/", "results") if p["title"] == title]


def _checked_config(path: Path) -> str:
    """The labeling config as it is written, once it is known to serve.

    Raises ValueError if relations cannot be marked, or selections would snap to words: the model's
    mentions need not begin and end where Label Studio's words do.
    """
    config = read_labeling_config(path)
    if not config.relation_labels:
        raise ValueError(f"{path}: holds no <Relation>; expected <Relations> beside <Labels>")
    xml = path.read_text(encoding="utf-8-sig")
    tags = ElementTree.fromstring(xml.strip()).iter()  # noqa: S314 - read and refused above
    text = next(tag for tag in tags if tag.get("name") == config.text_name)
    if text.tag != "Text" or text.get("granularity") != "symbol":
        raise ValueError(
            f"{path}: <{text.tag} name={text.get('name')!r}> must be <Text ... "
            'granularity="symbol"/>, or the page moves the ends of marks to words'
        )
    return xml


def _instructions(path: Path) -> str:
    """Markdown as HTML; HTML inside of it is shown, not obeyed."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start} is not UTF-8, expected Markdown") from None
    return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))


def _keep_labels(project: Project, wanted: LabelingConfig) -> None:
    """Raise ValueError if a label of an annotated project is missing in the wanted config.

    The server would take such a config without a word.
    """
    here = {*project.config.entity_labels, *project.config.relation_labels}
    if lost := sorted(here - {*wanted.entity_labels, *wanted.relation_labels}):
        raise ValueError(
            f"project {project.title!r} is annotated already, and the new labeling config lacks "
            f"{', '.join(map(brief, lost))}: keep these labels, or make a project of another title"
        )
