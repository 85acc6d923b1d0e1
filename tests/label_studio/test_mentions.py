"""Regions and links: what becomes an entity or a relation, and what is named as lost."""

import pytest

from pressgang.document import Document, Entity, Relation
from pressgang.label_studio.problems import ProblemKind as Kind
from tests.label_studio.marks import (
    ADA,
    BOB,
    CONFIG,
    PARIS,
    TEXT,
    A,
    B,
    link,
    read_one,
    region,
)


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
