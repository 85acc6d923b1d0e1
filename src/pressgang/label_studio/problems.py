"""What can be wrong in an export: each kind of problem, and one problem at its place."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class ProblemKind(StrEnum):
    """A kind of problem; `meaning` says in one line what was found and what was done."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """The member with its meaning attached."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    # tasks
    NOT_A_TASK = "not-a-task", "entry is not a JSON object; left out"
    UNANNOTATED = "unannotated", "task has no annotation; left out"
    PREDICTIONS_ONLY = "predictions-only", "task has predictions but no annotation; left out"
    SKIPPED = "skipped", "every annotation of the task was skipped; left out"
    NO_TEXT = "no-text", "task has no text, or which field holds it cannot be told; left out"
    TEXT_NOT_STRING = "text-not-string", "text of the task is not a string; left out"
    BAD_ANNOTATION = "bad-annotation", "annotation holds no list of results; left aside"
    SEVERAL_ANNOTATIONS = "several-annotations", "task has several annotations; one is read"
    LONE_SURROGATE = "lone-surrogate", "text holds half of a UTF-16 pair; kept as it is"
    DUPLICATE_ID = "duplicate-id", "document id is taken by another document; renamed"
    SAME_TEXT = "same-text", "another document has the same text; both are kept"
    # regions
    NESTED_RESULT = "nested-result", "results lie in a list inside the result list; all are read"
    NOT_A_SPAN = "not-a-span", "result is not a labelled span of text; left out"
    NO_LABEL = "no-label", "region has no label that is a non-empty string; left out"
    SEVERAL_LABELS = "several-labels", "region has several labels; an entity each, relations: first"
    UNKNOWN_LABEL = "unknown-label", "label is not in the labeling config; kept"
    UNKNOWN_TAG = "unknown-tag", "from_name or to_name is not the labeling config's; kept"
    NO_REGION_ID = "no-region-id", "region has no id, so no relation can name it; kept"
    DUPLICATE_REGION_ID = "duplicate-region-id", "regions at different places share an id; kept"
    HTML_OFFSETS = "html-offsets", "region is placed in HTML; left out, import plain text instead"
    OFFSETS_NOT_INTEGERS = "offsets-not-integers", "start or end is not an integer; left out"
    BAD_OFFSETS = "bad-offsets", "span is empty, reversed, blank or outside the text; left out"
    TEXT_MISMATCH = "text-mismatch", "marked text is not at its offsets in any reading; left out"
    UTF16_OFFSETS = "utf16-offsets", "offsets count UTF-16 units; changed to characters"
    WHITE_SPACE_OFFSETS = "white-space-offsets", "offsets fit the text with less white space; moved"
    TRIMMED = "trimmed", "span began or ended with white space; trimmed"
    DUPLICATE_ENTITY = "duplicate-entity", "same span has the same label twice; kept once"
    OVERLAP = "overlap", "entity overlaps another; kept, a flat tagger never predicts both"
    # relations
    BAD_DIRECTION = "bad-direction", "direction is not right, left or bi; read as right"
    NO_RELATION_LABEL = "no-relation-label", "relation has no label; left out"
    UNKNOWN_RELATION_LABEL = "unknown-relation-label", "label is not in the labeling config; kept"
    UNKNOWN_ARGUMENT = "unknown-argument", "relation names an id that no region has; left out"
    AMBIGUOUS_ARGUMENT = "ambiguous-argument", "relation names an id that regions share; left out"
    ARGUMENT_LEFT_OUT = "argument-left-out", "relation names a region that is left out; left out"
    SELF_RELATION = "self-relation", "head and tail are the same entity; left out"
    DUPLICATE_RELATION = "duplicate-relation", "same relation is stated twice; kept once"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem at its place, and how many entities and relations it costs.

    `task` is the task's id, or `#3` for the third task where it has none; `annotation` is None
    where the problem lies outside an annotation or the annotation has no id.
    """

    kind: ProblemKind
    file: str
    task: str
    annotation: str | None
    message: str
    lost_entities: int = 0
    lost_relations: int = 0

    @property
    def place(self) -> str:
        """Where it is: `export.json: task 17, annotation 4`."""
        file = f"{self.file}: " if self.file else ""
        annotation = "" if self.annotation is None else f", annotation {self.annotation}"
        return f"{file}task {self.task}{annotation}"


@dataclass(slots=True)
class ProblemLog:
    """Collects the problems of one task into a list that all tasks share."""

    file: str
    task: str
    problems: list[Problem]
    annotation: str | None = None

    def report(
        self,
        kind: ProblemKind,
        message: str,
        *,
        lost_entities: int = 0,
        lost_relations: int = 0,
    ) -> None:
        """Add a problem at the current task and annotation."""
        place = self.file, self.task, self.annotation
        self.problems.append(Problem(kind, *place, message, lost_entities, lost_relations))


def brief(value: object) -> str:
    """The value as a Python literal, cut to what a message can hold."""
    return _BRIEF.repr(value)


_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = 60
