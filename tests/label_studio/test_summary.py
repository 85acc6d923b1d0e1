import io

from rich.console import Console

from pressgang.label_studio.summary import render, summarize
from pressgang.label_studio.tasks import read_tasks


def region(name, start, end, label):
    value = {"start": start, "end": end, "labels": [label]}
    return {"id": name, "type": "labels", "value": value}


def link(head, tail, label):
    fields = {"type": "relation", "direction": "right", "labels": [label]}
    return fields | {"from_id": head, "to_id": tail}


def task(name, text, *result):
    return {
        "id": name,
        "data": {"text": text},
        "annotations": [{"id": 10 * name, "result": list(result)}],
    }


def printed(records, *, file=""):
    console = Console(file=io.StringIO(), width=160, color_system=None)
    render(read_tasks(records, file=file), console)
    return console.file.getvalue()


def row(output, first):
    """The cells of the only table row that begins with a cell."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines()]
    (found,) = [cells[1:] for cells in rows if cells and cells[0] == first]
    return found


TASKS = [
    task(
        1,
        "Ada met Bob. Eve left Paris.",
        region("a", 0, 3, "PER"),
        region("b", 8, 11, "PER"),
        region("e", 13, 16, "PER"),
        region("p", 22, 27, "LOC"),
        link("a", "b", "knows"),
        link("a", "e", "knows"),
        link("e", "p", "left"),
    ),
    task(2, "Nobody met nobody."),
    {"id": 3, "data": {"text": "not yet"}, "annotations": []},
]


def test_counts_are_those_of_the_documents():
    summary = summarize(read_tasks(TASKS))
    assert (summary.n_characters, summary.n_words, summary.n_without_entities) == (46, 12, 1)
    assert summary.entities == {"PER": 3, "LOC": 1}
    assert summary.triples == {("PER", "knows", "PER"): 2, ("PER", "left", "LOC"): 1}
    assert summary.across_sentences == {"knows": 1}
    assert (summary.off_words, summary.broken) == ((), ())


def test_mentions_off_the_borders_of_words_and_sentences_are_found():
    text = "Ada met Bob. Eve left Paris."
    off, broken, whole = region("o", 1, 3, "X"), region("b", 8, 16, "Y"), region("w", 22, 28, "Z")
    summary = summarize(read_tasks([task(1, text, off, broken, whole)]))
    assert summary.off_words == ("task-1: 'da' (X) [1, 3)",)
    assert summary.broken == ("task-1: 'Bob. Eve' (Y) [8, 16)",)


def test_tables_show_what_is_read_and_what_is_left_out():
    bad = task(
        4, "Bob", region("b", 0, 9, "PER"), region("c", 0, 3, "PER"), link("b", "c", "knows")
    )
    output = printed([*TASKS, bad], file="export.json")
    assert row(output, "tasks") == ["3 of 4", "1"]
    assert row(output, "entities") == ["5", "1"]
    assert row(output, "relations") == ["3", "1"]
    assert row(output, "PER") == ["4"]
    assert row(output, "knows") == ["2", "1", "PER → PER 2"]
    assert row(output, "bad-offsets")[:3] == ["1", "1", "0"]
    assert "export.json: task 4, annotation 40: bad-offsets: " in output


def test_each_kind_of_problem_has_its_meaning_and_each_problem_its_line():
    records = [{"id": n, "data": {"text": "x"}, "annotations": []} for n in range(5)]
    output = printed(records)
    assert row(output, "unannotated") == ["5", "0", "0", "task has no annotation; left out"]
    assert all(f"task {n}: unannotated: no annotation" in output for n in range(5))


def test_nothing_in_an_export_steers_the_terminal():
    output = printed([task(1, "Osh", region("a", 0, 3, "\x1b[2JORG"))])
    assert "\x1b" not in output


def test_overlaps_are_bounds_on_recall():
    output = printed([task(1, "Bank of Osh", region("a", 0, 11, "ORG"), region("b", 8, 11, "LOC"))])
    assert row(output, "overlap another entity")[0] == "1"


def test_a_reading_without_problems_says_so():
    assert "No problems." in printed(TASKS[:2])


def test_brackets_and_lone_surrogates_are_printed_as_they_are():
    text = "[bold]Ada[/bold] \ud83d"
    output = printed([task(1, text, region("a", 1, 8, "[red]\ud83d"))])
    assert row(output, r"[red]\ud83d") == ["1"]
    assert "'bold]Ad' ([red]" in output
    output.encode("utf-8")


def test_an_empty_reading_can_be_printed():
    assert row(printed([]), "tasks") == ["0 of 0", "0"]
