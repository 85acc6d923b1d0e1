"""Small exports, by hand: regions, links and tasks about one sentence."""

from pressgang.document import Entity
from pressgang.label_studio.labeling_config import parse_labeling_config
from pressgang.label_studio.tasks import read_tasks

TEXT = "Ada met Bob in Paris."
ADA, BOB, PARIS = Entity(0, 3, "PER"), Entity(8, 11, "PER"), Entity(15, 20, "LOC")

CONFIG = parse_labeling_config("""
<View>
  <Relations><Relation value="knows"/></Relations>
  <Labels name="label" toName="text"><Label value="PER"/><Label value="LOC"/></Labels>
  <Text name="text" value="$body"/>
</View>
""")


def region(name, start, end, *labels, text=None, **fields):
    value = {"start": start, "end": end, "labels": list(labels)}
    value |= {} if text is None else {"text": text}
    return {
        "id": name,
        "from_name": "label",
        "to_name": "text",
        "type": "labels",
        "value": value,
    } | fields


def link(head, tail, *labels, direction="right"):
    return {
        "type": "relation",
        "from_id": head,
        "to_id": tail,
        "direction": direction,
        "labels": list(labels),
    }


def task(*result, text=TEXT, name=1, **data):
    return {
        "id": name,
        "data": {"text": text} | data,
        "annotations": [{"id": 7, "result": list(result)}],
    }


A = region("a", 0, 3, "PER", text="Ada")
B = region("b", 8, 11, "PER", text="Bob")
P = region("p", 15, 20, "LOC", text="Paris")


def read_one(*result, text=TEXT, config=None, **data):
    """The only document of a task, and the kinds of the problems in order."""
    reading = read_tasks([task(*result, text=text, **data)], config=config)
    assert all(problem.task == "1" and problem.annotation == "7" for problem in reading.problems)
    (document,) = reading.documents
    return document, [problem.kind for problem in reading.problems]
