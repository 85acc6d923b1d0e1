import hashlib
import re
import time
from base64 import b64encode
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pressgang.document import Document, Entity, Relation
from pressgang.formats.colors import DEFAULT_PALETTE, contrast_ratio, label_style, parse_color
from pressgang.formats.html import NOTICE, render_page
from pressgang.schema import Schema

TEXT = "Askar was jailed for ten years.\nHe lives in Osh. Dana does not.\n\nBye"
ASKAR = Entity(0, 5, "PERSON", 0.98)
YEARS = Entity(21, 30, "PENALTY", 0.31)
OSH = Entity(44, 47, "LOCATION", 0.9)
DOCUMENT = Document(
    "news-1",
    TEXT,
    (ASKAR, YEARS, OSH),
    (Relation(ASKAR, YEARS, "SENTENCED_TO", 0.91), Relation(ASKAR, OSH, "LIVES_IN", 0.998)),
)
EVIL = "</style></script>\"'><script>alert(1)</script><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """What a browser would make of a page: its elements, the texts of sentences and relations."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.sentences: list[str] = []
        self.relations: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if "lang" in attributes and tag == "p":
            self.sentences.append("")
            tag = "sentence"
        if "data-h" in attributes:
            self.relations.append("")
            tag = "relation"
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        opened = self.open.pop()
        assert opened in (tag, "sentence", "relation"), f"</{tag}> closes {opened}"

    def handle_data(self, data: str) -> None:
        if "sentence" in self.open:
            self.sentences[-1] += data
        if "relation" in self.open:
            self.relations[-1] += data

    def tags(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]


def render(*documents: Document, schema: Schema | None = None, title: str = "Title") -> str:
    schema = schema or Schema.from_documents(documents)
    return "".join(render_page(documents, schema, title=title))


def shown_text(*documents: Document) -> str:
    return "".join(Page(render(*documents)).sentences)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    text = draw(st.text("ab <&.\n\U0001f600A", min_size=1, max_size=30))
    place = st.integers(0, len(text))
    spans = draw(st.sets(st.tuples(place, place, st.sampled_from("XY")), max_size=6))
    return Document("d", text, tuple(Entity(a, b, label) for a, b, label in spans if a < b))


@given(documents())
def test_text_survives_whatever_entities_overlap(document):
    source = render(document)
    page = Page(source)
    assert "".join(page.sentences) == document.text
    assert page.open == []
    first_pieces = [m for m in page.tags("mark") if "tabindex" in m]
    assert len(first_pieces) == len(document.entities)
    assert len(page.tags("i")) == len(document.entities)


def test_lines_sentences_and_entities_keep_their_text():
    assert shown_text(DOCUMENT) == TEXT
    page = Page(render(DOCUMENT))
    assert page.sentences[:2] == ["Askar was jailed for ten years.\n", "He lives in Osh. "]


def test_crossing_entities_are_split_at_the_border():
    document = Document("d", "abcdef", (Entity(0, 4, "X"), Entity(2, 6, "Y")))
    source = render(document)
    body = re.sub(r" (?:class|data-\w+|tabindex)=\"[^\"]*\"", "", source)
    assert "<mark>ab<mark>cd</mark><i></i></mark><mark>ef<i></i></mark>" in body


def test_nested_entities_are_nested_elements():
    document = Document("d", "abc", (Entity(1, 2, "Y"), Entity(0, 3, "X")))
    body = re.sub(r" (?:class|data-\w+|tabindex)=\"[^\"]*\"", "", render(document))
    assert "<mark>a<mark>b<i></i></mark>c<i></i></mark>" in body


def test_relations_are_listed_with_arguments_and_score():
    page = Page(render(DOCUMENT))
    assert [" ".join(line.split()) for line in page.relations] == [
        "Askar SENTENCED_TO ten years 0.91",
        "Askar LIVES_IN Osh >0.99",
    ]


def test_a_relation_across_sentences_stands_with_the_later_argument():
    source = render(DOCUMENT)
    first, second = source.index("Relations in sentence 1"), source.index("Relations in sentence 2")
    assert first < source.index("SENTENCED_TO</b>") < second < source.index("LIVES_IN</b>")
    assert source.count(' far" title="Askar"') == 1


def test_scores_are_shown_and_gold_has_none():
    source = render(DOCUMENT)
    assert 'data-tip="PERSON · score 0.9800"' in source
    assert source.count(' weak"') == 1
    gold = render(Document("g", "Askar", (Entity(0, 5, "PERSON"),)))
    assert 'data-tip="PERSON"' in gold
    assert "data-s=" not in gold
    assert [control["type"] for control in Page(gold).tags("input")] == ["checkbox"]


def test_legend_counts_labels_and_offers_those_without_a_schema_entry():
    schema = Schema(("PERSON", "LAW"), (), frozenset())
    source = render(DOCUMENT, DOCUMENT, schema=schema)
    legend = re.findall(r"<span>(\w+)</span><b>(\d+)</b>", source)
    assert legend == [
        *(("PERSON", "2"), ("LAW", "0"), ("LOCATION", "2"), ("PENALTY", "2")),
        *(("LIVES_IN", "2"), ("SENTENCED_TO", "2")),
    ]


def test_overview_links_to_each_of_several_documents():
    page = Page(render(DOCUMENT, Document("empty", "")))
    assert [a["href"] for a in page.tags("a")] == ["#d1", "#d2", "#top", "#top"]
    assert {h2.get("id") for h2 in page.tags("h2")} >= {"d1", "d2"}
    assert not Page(render(DOCUMENT)).tags("table")


def test_empty_document_and_no_documents_give_a_page():
    assert "This document has no text." in render(Document("", ""))
    assert "0 documents" in render()
    assert Page(render()).open == []


def test_markup_in_text_id_label_title_and_colour_is_inert():
    entity, other = Entity(0, 9, EVIL), Entity(9, 20, "B")
    document = Document(EVIL, EVIL, (entity, other), (Relation(entity, other, EVIL, 0.5),))
    schema = Schema.from_documents([document], colors={EVIL: EVIL, "B": "red;}*{display:none}"})
    source = render(document, document, schema=schema, title=EVIL)
    page = Page(source)
    assert len(page.tags("script")) == len(page.tags("style")) == 1
    assert not page.tags("img")
    assert not any(name.startswith("on") for _, a in page.elements for name in a)
    assert "display:none}" not in source
    assert "".join(page.sentences) == 2 * EVIL


def test_page_refers_to_nothing_outside():
    source = render(DOCUMENT, DOCUMENT)
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', source)
    rest = source.replace(policy[0], "")
    for reference in ("http", "//", "url(", "@import", "src=", "<link"):
        assert reference not in rest
    assert policy[1].startswith("default-src 'none';")


@pytest.mark.parametrize("kind", ["style", "script"])
def test_policy_allows_the_pages_own_style_and_script(kind):
    source = render(DOCUMENT)
    content = re.search(rf"<{kind}>(.*?)</{kind}>", source, re.DOTALL)[1]
    digest = b64encode(hashlib.sha256(content.encode()).digest()).decode()
    assert f"{kind}-src 'sha256-{digest}'" in source


def test_what_html_forbids_is_replaced_one_for_one():
    text = "a\x00b\x1bc\ud800d\x85e\x7ff\ufffeg\th\r\ni"
    source = render(Document("\ud800", text, (Entity(0, 6, "\udfff"),)), title="\ud83d")
    source.encode("utf-8")
    assert "".join(Page(source).sentences) == "a␀b␛c\ufffdd\ufffde\ufffdf\ufffdg\th\r\ni"


def test_right_to_left_text_and_emoji_survive():
    text = "אמיר נעצר בקייב. قال عسكر 👩‍👩‍👧 \u202ex\u2066"
    document = Document("d", text, (Entity(0, 4, "PERSON"), Entity(27, 29, "X")))
    assert shown_text(document) == text
    assert 'dir="auto"' in render(document)


def test_output_is_deterministic_and_order_of_input_does_not_matter():
    other = Document("news-1", TEXT, DOCUMENT.entities[::-1], DOCUMENT.relations[::-1])
    assert render(DOCUMENT) == render(DOCUMENT) == render(other)


def test_page_carries_the_notice_and_a_language():
    source = render(DOCUMENT)
    assert f"<footer>{NOTICE}</footer>" in source
    assert '<html lang="en">' in source


def test_a_long_text_takes_linear_time():
    def seconds(n: int) -> float:
        entities = tuple(Entity(6 * i, 6 * i + 5, "X", 0.5) for i in range(n))
        relations = tuple(Relation(a, b, "R") for a, b in pairwise(entities))
        document = Document("d", "Askar " * n, entities, relations)
        start = time.perf_counter()
        assert len(render(document)) > 10 * n
        return time.perf_counter() - start

    assert seconds(40_000) < 30 * max(seconds(5_000), 0.05)


@pytest.mark.parametrize(
    ("color", "rgb"),
    [
        ("#F00", (255, 0, 0)),
        ("#ff8000cc", (255, 128, 0)),
        (" DarkOrange ", (255, 140, 0)),
        ("rebeccapurple", (102, 51, 153)),
        ("#12345", None),
        ("redd", None),
        ("expression(1)", None),
        ("rgb(1,2,3)", None),
        ("#fff;}", None),
        ("", None),
    ],
)
def test_only_hex_and_named_colours_are_read(color, rgb):
    assert parse_color(color) == rgb


def test_a_label_without_a_readable_colour_gets_one_of_the_palette():
    assert f"--solid:{DEFAULT_PALETTE[1]}" in label_style({"l0": "red", "l1": "javascript:x"})


@given(st.integers(0, 0xFFFFFF))
def test_text_on_every_colour_has_a_contrast_of_at_least_4_5(code):
    light, dark = label_style({"l0": f"#{code:06x}"}).split("@media")
    found = {
        f"{theme}-{name}": parse_color(value)
        for theme, rules in (("light", light), ("dark", dark))
        for name, value in re.findall(r"--(\w+):(#\w+)", rules)
    }
    assert contrast_ratio(found["light-contrast"], found["light-solid"]) >= 4.5
    for theme, ink in (("light", "#1c1e21"), ("dark", "#e6e4df")):  # --ink in page.css
        assert contrast_ratio(parse_color(ink), found[f"{theme}-tint"]) >= 4.5
        assert contrast_ratio(found[f"{theme}-edge"], found[f"{theme}-tint"]) >= 4.5
