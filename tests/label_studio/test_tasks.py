import copy
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pressgang.document import Document, Entity, Relation
from pressgang.label_studio.exports import ExportError
from pressgang.label_studio.labeling_config import parse_labeling_config
from pressgang.label_studio.problems import ProblemKind as Kind
from pressgang.label_studio.tasks import read_export, read_exports, read_tasks, to_task

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


# --- what is right --------------------------------------------------------------------------


def test_entities_and_relations_are_read():
    document, kinds = read_one(A, B, P, link("a", "b", "knows"))
    assert document == Document("task-1", TEXT, (ADA, BOB, PARIS), (Relation(ADA, BOB, "knows"),))
    assert kinds == []


def test_a_relation_may_stand_before_its_regions():
    assert read_one(link("a", "b", "knows"), A, B) == read_one(A, B, link("a", "b", "knows"))


@pytest.mark.parametrize(
    ("direction", "pairs"),
    [("right", {(ADA, BOB)}), ("left", {(BOB, ADA)}), ("bi", {(ADA, BOB), (BOB, ADA)})],
)
def test_directions_decide_head_and_tail(direction, pairs):
    document, kinds = read_one(A, B, link("a", "b", "knows", direction=direction))
    assert {(r.head, r.tail) for r in document.relations} == pairs
    assert kinds == []


def test_a_relation_with_two_labels_is_two_relations():
    document, kinds = read_one(A, B, link("a", "b", "knows", "likes"))
    assert [r.label for r in document.relations] == ["knows", "likes"]
    assert kinds == []


def test_an_empty_annotation_is_a_document_without_entities():
    reading = read_tasks([task()])
    assert reading.documents == (Document("task-1", TEXT),)
    assert reading.problems == ()


def test_marked_text_may_be_absent():
    assert read_one(region("a", 0, 3, "PER")) == (Document("task-1", TEXT, (ADA,)), [])


def test_crlf_counts_two_and_its_hand_drawn_spelling_is_known():
    crossing = region("a", 4, 12, "PER", text="met\\n\\nBob")
    document, kinds = read_one(crossing, text="Ada met\r\nBob")
    assert [document.surface(e) for e in document.entities] == ["met\r\nBob"]
    assert kinds == []


@pytest.mark.parametrize("key", ["id", "doc_id", "document_id"])
def test_a_document_takes_the_id_in_its_data(key):
    document, _ = read_one(A, **{key: "story"})
    assert document.id == "story"


def test_a_task_without_id_is_named_by_its_position():
    records = [task(A), task(A, text=TEXT + "!"), "nonsense"]
    del records[1]["id"]
    reading = read_tasks(records)
    assert [d.id for d in reading.documents] == ["task-1", "task-2"]
    assert reading.problems[0].place == "task #3"


def test_the_text_is_the_field_in_which_marked_texts_are_found():
    record = {"id": 3, "data": {"title": "Ada", "story": "So Ada met Bob."}}
    result = [region("a", 3, 6, "PER", text="Ada"), region("b", 11, 14, "PER", text="Bob")]
    reading = read_tasks([record | {"annotations": [{"id": 7, "result": result}]}])
    assert [d.text for d in reading.documents] == ["So Ada met Bob."]
    assert reading.problems == ()


def test_the_labeling_config_names_the_field_of_the_text():
    document, kinds = read_one(A, text="something else", body=TEXT, config=CONFIG)
    assert (document.text, kinds) == (TEXT, [])


def test_completions_of_old_exports_are_annotations():
    record = task(A)
    record["completions"] = record.pop("annotations")
    assert read_tasks([record]).documents[0].entities == (ADA,)


# --- tasks ----------------------------------------------------------------------------------


def annotated(*annotations):
    reading = read_tasks([task() | {"annotations": list(annotations)}])
    return reading, [(problem.kind, problem.message) for problem in reading.problems]


def test_ground_truth_is_read_before_the_latest_annotation():
    reading, problems = annotated(
        {"id": 5, "result": [A], "ground_truth": True, "updated_at": "2024-01-01T00:00:00Z"},
        {"id": 6, "result": [B], "ground_truth": False, "updated_at": "2025-01-01T00:00:00Z"},
    )
    assert reading.documents[0].entities == (ADA,)
    message = "5 is read (ground truth); left aside: 6"
    assert problems == [(Kind.SEVERAL_ANNOTATIONS, message)]


def test_the_latest_annotation_is_read_and_skipped_ones_are_named():
    reading, problems = annotated(
        {"id": 5, "result": [A], "created_at": "2024-01-01T00:00:00Z"},
        {"id": 6, "result": [B], "updated_at": "2025-01-01T00:00:00.5+02:00"},
        {"id": 7, "result": [P], "updated_at": "yesterday"},
        {"id": 8, "result": [], "updated_at": "2026-01-01", "was_cancelled": True},
    )
    assert reading.documents[0].entities == (BOB,)
    message = "6 is read (the latest); left aside: 5, 7, 8 (skipped)"
    assert problems == [(Kind.SEVERAL_ANNOTATIONS, message)]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"annotations": [{"id": 1, "result": [], "was_cancelled": True}]}, Kind.SKIPPED),
        ({"annotations": [], "predictions": [{"result": [A]}]}, Kind.PREDICTIONS_ONLY),
        ({"annotations": []}, Kind.UNANNOTATED),
        ({"annotations": None}, Kind.UNANNOTATED),
    ],
)
def test_a_task_without_annotation_is_left_out_and_counted(fields, kind):
    reading = read_tasks([task() | fields, task(A, name=2)])
    assert [d.id for d in reading.documents] == ["task-2"]
    assert [(p.kind, p.task) for p in reading.problems] == [(kind, "1")]
    assert (reading.n_tasks, reading.n_left_out) == (2, 1)


@pytest.mark.parametrize("bad", [{"id": 5, "result": None}, {"id": 5}, "annotation", 3])
def test_an_annotation_without_results_is_left_aside(bad):
    reading, problems = annotated(bad, {"id": 6, "result": [A]})
    assert reading.documents[0].entities == (ADA,)
    assert [kind for kind, _ in problems] == [Kind.BAD_ANNOTATION]


def test_an_entry_that_is_no_object_is_left_out():
    reading = read_tasks([task(A), None, ["task"]])
    assert [p.kind for p in reading.problems] == [Kind.NOT_A_TASK] * 2


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        ({"text": 3}, Kind.TEXT_NOT_STRING, "field 'text' is 3"),
        ({"text": " \n"}, Kind.NO_TEXT, "field 'text' is blank"),
        ({"body": "x", "title": "y"}, Kind.NO_TEXT, "string fields: body, title"),
        (None, Kind.NO_TEXT, "data is None"),
    ],
)
def test_a_task_without_text_costs_all_its_marks(data, kind, message):
    record = task(A, B, link("a", "b", "knows", "likes", direction="bi")) | {"data": data}
    reading = read_tasks([record])
    (problem,) = reading.problems
    assert problem.kind is kind
    assert message in problem.message
    assert (reading.n_lost_entities, reading.n_lost_relations) == (2, 4)


def test_a_lone_surrogate_is_kept_and_reported():
    document, kinds = read_one(A, text=TEXT + "\ud83d")
    assert document.text.endswith("\ud83d")
    assert kinds == [Kind.LONE_SURROGATE]


def test_a_taken_document_id_is_replaced():
    records = [task(A, name=n, text=f"{TEXT} {n}", id="story") for n in (1, 2)]
    records.append(task(A, name=2, text=f"{TEXT} 3", id="story"))
    reading = read_tasks(records)
    assert [d.id for d in reading.documents] == ["story", "task-2", "task-2-2"]
    assert [p.kind for p in reading.problems] == [Kind.DUPLICATE_ID] * 2


def test_the_same_text_twice_is_kept_and_reported():
    reading = read_tasks([task(A), task(B, name=2)])
    assert len(reading.documents) == 2
    assert [(p.kind, p.task) for p in reading.problems] == [(Kind.SAME_TEXT, "2")]


# --- regions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        {"id": "c", "type": "choices", "value": {"choices": ["good"]}},
        {"id": "c", "type": "rectanglelabels", "value": {"x": 1, "rectanglelabels": ["PER"]}},
        {"id": "a", "type": "textarea", "value": {"start": 0, "end": 3, "text": ["a note"]}},
        {"id": "c", "type": "labels"},
        "region",
    ],
)
def test_a_result_that_is_no_labelled_span_is_left_out(bad):
    document, kinds = read_one(A, bad)
    assert document.entities == (ADA,)
    assert kinds == [Kind.NOT_A_SPAN]


def test_nested_relations_are_read():
    document, kinds = read_one(A, B, [link("a", "b", "knows")])
    assert len(document.relations) == 1
    assert kinds == [Kind.NESTED_RESULT]


@pytest.mark.parametrize("labels", [[], [""], [None], "PER", None])
def test_a_region_without_label_is_left_out(labels):
    bad = region("b", 8, 11)
    bad["value"]["labels"] = labels
    document, kinds = read_one(A, bad, link("a", "b", "knows"))
    assert document.entities == (ADA,)
    assert kinds == [Kind.NO_LABEL, Kind.ARGUMENT_LEFT_OUT]


def test_a_region_with_two_labels_is_two_entities_and_relations_go_to_the_first():
    document, kinds = read_one(A, region("b", 8, 11, "PER", "LOC"), link("a", "b", "knows"))
    assert document.entities == (ADA, Entity(8, 11, "LOC"), BOB)
    assert document.relations == (Relation(ADA, BOB, "knows"),)
    assert kinds == [Kind.SEVERAL_LABELS, Kind.OVERLAP]


def test_one_region_in_two_labels_tags_has_several_labels():
    document, kinds = read_one(A, B, region("b", 8, 11, "LOC"), link("a", "b", "knows"))
    assert document.relations == (Relation(ADA, BOB, "knows"),)
    assert kinds == [Kind.SEVERAL_LABELS, Kind.OVERLAP]


def test_unknown_labels_and_tags_are_kept_and_reported_with_a_config():
    odd = region("b", 8, 11, "ORG", from_name="old")
    known, unknown = link("a", "b", "knows"), link("b", "a", "likes", direction="bi")
    document, kinds = read_one(A, odd, known, body=TEXT, config=CONFIG)
    assert document.entities == (ADA, Entity(8, 11, "ORG"))
    assert kinds == [Kind.UNKNOWN_LABEL, Kind.UNKNOWN_TAG]
    document, kinds = read_one(A, B, unknown, body=TEXT, config=CONFIG)
    assert len(document.relations) == 2
    assert kinds == [Kind.UNKNOWN_RELATION_LABEL]


def test_a_region_without_id_is_kept_but_no_relation_can_name_it():
    document, kinds = read_one(A, region(None, 8, 11, "PER"), link("a", None, "knows"))
    assert document.entities == (ADA, BOB)
    assert kinds == [Kind.NO_REGION_ID, Kind.UNKNOWN_ARGUMENT]


def test_regions_that_share_an_id_are_kept_and_relations_to_them_are_not():
    document, kinds = read_one(A, B, region("a", 15, 20, "LOC"), link("a", "b", "knows"))
    assert document == Document("task-1", TEXT, (ADA, BOB, PARIS))
    assert kinds == [Kind.DUPLICATE_REGION_ID, Kind.AMBIGUOUS_ARGUMENT]


@pytest.mark.parametrize(
    ("start", "end", "kind"),
    [
        (3, 0, Kind.BAD_OFFSETS),
        (3, 3, Kind.BAD_OFFSETS),
        (-3, 3, Kind.BAD_OFFSETS),
        (15, 99, Kind.BAD_OFFSETS),
        (3, 4, Kind.BAD_OFFSETS),
        (0.0, 3.0, Kind.OFFSETS_NOT_INTEGERS),
        ("0", "3", Kind.OFFSETS_NOT_INTEGERS),
        (False, 3, Kind.OFFSETS_NOT_INTEGERS),
        (None, 3, Kind.OFFSETS_NOT_INTEGERS),
    ],
)
def test_a_span_that_is_none_is_left_out_with_its_relations(start, end, kind):
    document, kinds = read_one(region("a", start, end, "PER"), B, link("a", "b", "knows"))
    assert document == Document("task-1", TEXT, (BOB,))
    assert kinds == [kind, Kind.ARGUMENT_LEFT_OUT]


def test_marked_text_that_is_elsewhere_is_left_out():
    document, kinds = read_one(region("a", 0, 3, "PER", text="Bob"))
    assert document.entities == ()
    assert kinds == [Kind.TEXT_MISMATCH]


@pytest.mark.parametrize(
    ("text", "start", "end", "marked", "found", "kind"),
    [
        ("👩 Ada 😀 Bob", 10, 13, "Bob", (8, 11), Kind.UTF16_OFFSETS),
        ("😀 Bob", 3, 6, "Bob", (2, 5), Kind.UTF16_OFFSETS),
        ("Ada  met   Bob", 8, 11, "Bob", (11, 14), Kind.WHITE_SPACE_OFFSETS),
        ("Ada  met   Bob", 4, 11, "met Bob", (5, 14), Kind.WHITE_SPACE_OFFSETS),
        ("Ada\r\nmet\r\nBob", 8, 11, "Bob", (10, 13), Kind.WHITE_SPACE_OFFSETS),
        ("Ada\r\n\r\nmet Bob", 8, 11, "Bob", (11, 14), Kind.WHITE_SPACE_OFFSETS),
        ("😀  met  Bob", 7, 10, "Bob", (8, 11), Kind.WHITE_SPACE_OFFSETS),
    ],
)
def test_offsets_of_older_exports_are_repaired(text, start, end, marked, found, kind):
    document, kinds = read_one(region("a", start, end, "PER", text=marked), text=text)
    assert [(e.start, e.end) for e in document.entities] == [found]
    assert kinds == [kind]


@pytest.mark.parametrize(("start", "end"), [(3, 7), (4, 8), (3, 8)])
def test_outer_white_space_is_trimmed(start, end):
    text = "Ada\nmet\nBob"
    bad = region("a", start, end, "PER", text=text[start:end])
    document, kinds = read_one(bad, text=text)
    assert document.entities == (Entity(4, 7, "PER"),)
    assert kinds == [Kind.TRIMMED]


def html_region(name, start, end, marked):
    bad = region(name, "/p[1]/text()[1]", "/p[1]/text()[1]", text=marked)
    bad["value"] |= {"startOffset": 0, "endOffset": 3, "hypertextlabels": ["PER"]}
    bad["value"]["globalOffsets"] = {"start": start, "end": end}
    return bad | {"type": "hypertextlabels"}


def test_html_regions_are_read_only_where_they_fit_the_raw_text():
    document, kinds = read_one(
        html_region("a", 3, 6, "Ada"), html_region("b", 8, 11, "Bob"), text="<p>Ada met Bob</p>"
    )
    assert document.entities == (Entity(3, 6, "PER"),)
    assert kinds == [Kind.HTML_OFFSETS]
    xpath_only = html_region("a", 0, 3, "Ada")
    del xpath_only["value"]["globalOffsets"]
    assert read_one(xpath_only)[1] == [Kind.HTML_OFFSETS]


def test_the_same_entity_twice_is_kept_once_under_both_ids():
    again = region("c", 0, 3, "PER")
    document, kinds = read_one(A, B, again, link("c", "b", "knows"))
    assert document == Document("task-1", TEXT, (ADA, BOB), (Relation(ADA, BOB, "knows"),))
    assert kinds == [Kind.DUPLICATE_ENTITY]


@pytest.mark.parametrize(("start", "end"), [(8, 14), (9, 10), (6, 10), (8, 11)])
def test_overlapping_entities_are_kept_and_reported(start, end):
    document, kinds = read_one(B, region("x", start, end, "LOC"))
    assert len(document.entities) == 2
    assert kinds == [Kind.OVERLAP]


# --- relations ------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["up", None, 3, ["left"]])
def test_a_bad_direction_is_read_as_right(direction):
    document, kinds = read_one(A, B, link("a", "b", "knows", direction=direction))
    assert document.relations == (Relation(ADA, BOB, "knows"),)
    assert kinds == [Kind.BAD_DIRECTION]


def test_a_relation_without_label_is_left_out():
    bare = link("a", "b")
    del bare["labels"]
    document, kinds = read_one(A, B, bare, link("b", "a"))
    assert document.relations == ()
    assert kinds == [Kind.NO_RELATION_LABEL] * 2


@pytest.mark.parametrize(("head", "tail"), [("a", "z"), ("z", "a"), (None, "a"), ("a", {})])
def test_a_relation_to_no_region_is_left_out(head, tail):
    document, kinds = read_one(A, link(head, tail, "knows"))
    assert document.relations == ()
    assert kinds == [Kind.UNKNOWN_ARGUMENT]


def test_a_relation_of_an_entity_with_itself_is_left_out():
    document, kinds = read_one(A, link("a", "a", "knows"))
    assert document.relations == ()
    assert kinds == [Kind.SELF_RELATION]


def test_the_same_relation_twice_is_kept_once():
    both = link("b", "a", "knows", direction="left")
    document, kinds = read_one(A, B, link("a", "b", "knows"), both)
    assert len(document.relations) == 1
    assert kinds == [Kind.DUPLICATE_RELATION]


# --- files ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("[]", "no task was exported"),
        (json.dumps(task(A)), "holds a single task"),
        (json.dumps({"tasks": [], "total": 0}), "a JSON object with the fields tasks, total"),
        ('"text"', "a JSON str"),
        ("[1, 2]", "a list without a single task"),
        (
            '[{"id": 1, "text": "Ada", "label": [{"start": 0, "end": 3, "labels": ["PER"]}], '
            '"annotator": 1, "annotation_id": 4}]',
            "looks like a JSON-MIN export",
        ),
        ('[{"text": "Ada"}]', "a list of objects with the fields text but no data"),
        (json.dumps(task(A)) + "\n" + json.dumps(task(B)), "looks like JSON Lines"),
        (json.dumps([task(A)])[:-9], "is broken or cut JSON (line 1"),
        ("[" * 100_000, "is broken or cut JSON (nesting: too deep"),
        ("-DOCSTART- -X- O\nAda -X- _ B-PER\n", "looks like a CoNLL export"),
        ("Ada -X- _ B-PER\nmet -X- _ O\n", "looks like a CoNLL export"),
        ("annotation_id,annotator,id,label,text\n1,1,1,,Ada\n", "looks like a CSV table"),
        ("id\ttext\n1\tAda\n", "looks like a TSV table"),
        ("<View><Text/></View>", "looks like XML"),
        ("Ada met Bob.", "is not JSON"),
        (b"PK\x03\x04\xff\xfe", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_export_is_told_in_one_line(tmp_path, content, message):
    path = tmp_path / "export.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ExportError) as error:
        read_export(path)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    assert "export as JSON" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_told_in_one_line(tmp_path):
    with pytest.raises(ExportError, match="cannot be read"):
        read_export(tmp_path / "none.json")
    with pytest.raises(ExportError, match="cannot be read"):
        read_export(tmp_path)


def test_exports_are_joined_and_what_occurs_twice_is_reported(tmp_path):
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    paths[0].write_text(json.dumps([task(A)]), encoding="utf-8-sig")
    paths[1].write_text(json.dumps([task(A), task(A, name=2, text="Bob")]))
    reading = read_exports(paths)
    assert [d.id for d in reading.documents] == ["task-1", "task-1-2", "task-2"]
    assert [(p.kind, p.file) for p in reading.problems] == [
        (Kind.TEXT_MISMATCH, str(paths[1])),
        (Kind.DUPLICATE_ID, str(paths[1])),
        (Kind.SAME_TEXT, str(paths[1])),
    ]
    assert (reading.n_files, reading.n_tasks) == (2, 3)


# --- round trip and damage ------------------------------------------------------------------


@st.composite
def documents(draw):
    text = draw(st.text(st.sampled_from("Ab 😀\r\n.\u0301\\n"), min_size=3, max_size=30))
    text = text if text.strip() else "Ada" + text
    borders = st.integers(0, len(text))
    entities = {
        Entity(start, end, label)
        for start, end, label in draw(
            st.lists(st.tuples(borders, borders, st.sampled_from(["PER", "LOC"])), max_size=6)
        )
        if start < end and text[start:end] == text[start:end].strip()
    }
    pairs = [(head, tail) for head in sorted(entities) for tail in sorted(entities) if head != tail]
    relations = draw(
        st.sets(st.tuples(st.sampled_from(pairs), st.sampled_from(["r", "s"])), max_size=5)
        if pairs
        else st.just(set())
    )
    name = draw(st.text(min_size=1, max_size=5))
    triples = (Relation(head, tail, label) for (head, tail), label in relations)
    return Document(name, text, tuple(entities), tuple(triples))


@given(documents())
def test_a_task_reads_back_as_the_document_it_was_made_from(document):
    reading = read_tasks([json.loads(json.dumps(to_task(document)))])
    assert reading.documents == (document,)
    assert {p.kind for p in reading.problems} <= {Kind.OVERLAP, Kind.LONE_SURROGATE}


def test_two_labels_of_one_pair_are_one_relation_with_the_lower_score():
    ada, bob = Entity(0, 3, "PER", 0.9), Entity(8, 11, "PER", 0.8)
    relations = (
        Relation(ada, bob, "knows", 0.7),
        Relation(ada, bob, "likes", 0.6),
        Relation(bob, ada, "knows"),
    )
    written = to_task(Document("d", TEXT, (ada, bob), relations), from_name="tags", to_name="story")
    first, second, *links = written["annotations"][0]["result"]
    assert first == {
        "id": "e0",
        "from_name": "tags",
        "to_name": "story",
        "type": "labels",
        "score": 0.9,
        "value": {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]},
    }
    assert second["score"] == 0.8
    assert links == [
        link("e0", "e1", "knows", "likes") | {"score": 0.6},
        link("e1", "e0", "knows"),
    ]


DAMAGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 40),
    st.floats(),
    st.sampled_from(
        ["", "a", "b", "p", "bi", "left", "labels", "relation", "Ada", "PER", "\ud83d"]
    ),
    st.lists(st.sampled_from(["PER", "", None, 3]), max_size=3),
    st.dictionaries(st.sampled_from(["start", "text", "labels"]), st.integers(0, 5), max_size=2),
)


def places(value):
    """All (container, key) pairs in a JSON value."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def n_marked(result):
    """How many entities and relations a result list marks, by a reading of its own."""
    n_entities = n_relations = 0
    for entry in result:
        if isinstance(entry, list):
            inner = n_marked(entry)
            n_entities, n_relations = n_entities + inner[0], n_relations + inner[1]
        elif isinstance(entry, dict) and (entry.get("type") == "relation" or "from_id" in entry):
            labels = entry.get("labels")
            n_labels = max(1, len(labels)) if isinstance(labels, list) else 1
            n_relations += n_labels * (2 if entry.get("direction") == "bi" else 1)
        else:
            value = entry.get("value") if isinstance(entry, dict) else None
            labels = value.get("labels") if isinstance(value, dict) else None
            n_entities += max(1, len(labels)) if isinstance(labels, list) else 1
    return n_entities, n_relations


@settings(max_examples=300)
@given(st.lists(DAMAGE, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_every_region_and_relation_is_read_or_named_as_lost(damages, chance: random.Random):
    result = copy.deepcopy(
        [A, B, P, link("a", "b", "knows"), link("b", "p", "r", "s", direction="bi"), [A, B]]
    )
    for damage in damages:
        container, key = chance.choice(list(places(result)))
        if isinstance(container, dict) and chance.random() < 0.2:
            del container[key]
        else:
            container[key] = copy.deepcopy(damage)
    reading = read_tasks([task(*result)], config=chance.choice([None, CONFIG]))
    n_entities, n_relations = n_marked(result)
    entities = [e for d in reading.documents for e in d.entities]
    relations = [r for d in reading.documents for r in d.relations]
    assert len(entities) + reading.n_lost_entities == n_entities
    assert len(relations) + reading.n_lost_relations == n_relations


@settings(max_examples=300)
@given(st.lists(DAMAGE, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_a_damaged_file_raises_nothing_but_export_errors(tmp_path_factory, damages, chance):
    records = copy.deepcopy([task(A, B, link("a", "b", "knows")), task(P, name=2)])
    for damage in damages:
        container, key = chance.choice(list(places(records)) or [(records, 0)])
        container[key] = copy.deepcopy(damage)
    written = json.dumps(records).encode()
    if chance.random() < 0.3:
        written = written[: chance.randrange(len(written))]
    path = tmp_path_factory.mktemp("damage") / "export.json"
    path.write_bytes(written)
    try:
        reading = read_export(path)
    except ExportError:
        return
    assert reading.n_left_out <= len(reading.problems)
