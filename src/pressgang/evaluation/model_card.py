"""The model card: what a model is for, what it was made from, how good it is, in one Markdown page.

Nothing about the subject stands here. What the corpus is comes as a text, what the model reaches as
a report, how it was made as a run.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pressgang.evaluation.evaluate import Report
from pressgang.evaluation.figures import Row
from pressgang.evaluation.reports import (
    DASH,
    config_block,
    definitions,
    format_interval,
    label_rows,
    recorded,
    run_table,
    score_table,
    summary_rows,
)
from pressgang.evaluation.scoring import Score

LEAST_SUPPORT = 10
"""Labels with fewer examples in gold are not ranked: their F1 says too little."""

_MANY = 4
"""So many files of one folder are named as the folder."""

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def render_card(
    report: Report,
    run: Mapping[str, Any],
    *,
    corpus_text: str,
    comparison_text: str = "",
    name: str = "pressgang",
    language: str = "en",
) -> str:
    """The card as Markdown with the front matter that the Hugging Face hub reads.

    `run` is what `reports.write_report` takes; what it lacks is printed as not recorded.
    `corpus_text` is Markdown on the subject, the texts, their annotation, its limits, and the
    rights in the texts; headings in it are of the third level. `comparison_text` is Markdown on how
    other packages do on the same data, if that is known. `language` is the ISO 639-1 code of the
    language the model reads.

    Raises ValueError if `corpus_text` is blank: a card without the corpus is not honest.
    """
    if not corpus_text.strip():
        raise ValueError("corpus_text is blank; expected a description of the corpus")
    entities, relations = summary_rows(report)
    entity_labels, relation_labels = label_rows(report)
    parts = [
        _front_matter(report, run, name, language),
        f"# {name}",
        _purpose(report, language),
        "## How it works",
        _method(run),
        "## What it is not for",
        _limits(language),
        "## Corpus and annotation",
        corpus_text,
        "## How good it is",
        f"Protocol: {recorded(run, 'protocol')}; {len(report.documents)} documents. The baseline "
        "only remembers its training documents; it stands beside every figure. Figures of a cross-"
        "validation are those of its folds: a model trained on all documents has none of its own.",
        "### Definitions",
        definitions(report),
        "### Entities",
        score_table(entities),
        score_table(entity_labels),
        "### Relations",
        score_table(relations),
        score_table(relation_labels),
        "### Where errors fall",
        _unevenness(entities, entity_labels, relation_labels),
        *(["### Side by side with other packages", comparison_text] if comparison_text else []),
        "## Making and remaking it",
        run_table(run),
        "### Configuration",
        config_block(run),
        "## Licence and rights",
        "The code is under the MIT licence. Rights in the texts of the corpus are not: see the "
        "section on the corpus. The encoder keeps the licence of its publisher.",
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _front_matter(report: Report, run: Mapping[str, Any], name: str, language: str) -> str:
    """YAML for the hub. Strings are written as JSON, which YAML reads."""
    encoder = (run.get("encoder") or {}).get("name") or ""
    dataset = json.dumps(_dataset(run), ensure_ascii=False)
    # What is in brackets and behind the colon is said in the text.
    protocol = re.split(r"[:(;]", recorded(run, "protocol"))[0].strip()
    figures = {
        "entities, strict micro": report.model.entities.micro,
        "relations, strict micro, end to end": report.model.relations.micro,
    }
    lines = [
        "---",
        f"language: {json.dumps(language)}",
        "license: mit",
        "library_name: pressgang",
        "pipeline_tag: token-classification",
        *([f"base_model: {json.dumps(encoder)}"] if _HUB_NAME.fullmatch(encoder) else []),
        "tags: [named-entity-recognition, relation-extraction, label-studio]",
        "metrics: [precision, recall, f1]",
        "model-index:",
        f"- name: {json.dumps(name, ensure_ascii=False)}",
        "  results:",
    ]
    for measure, score in figures.items():
        lines += [
            f"  - task: {{type: token-classification, name: {json.dumps(measure)}}}",
            f"    dataset: {{type: label-studio-export, name: {dataset}}}",
            "    metrics:",
        ]
        for metric in ("precision", "recall", "f1"):
            value = round(getattr(score.counts, metric), 4)
            title = json.dumps(f"{metric}, {measure} ({protocol})", ensure_ascii=False)
            lines.append(f"    - {{type: {metric}, value: {value}, name: {title}}}")
    return "\n".join([*lines, "---"])


def _dataset(run: Mapping[str, Any]) -> str:
    """The files of a run in one line, many of one folder as the folder."""
    paths = [str(file["path"]) for file in run.get("data") or () if file.get("path")]
    folders = Counter(path.rpartition("/")[0] for path in paths)
    shown = {
        path if folders[folder] < _MANY else f"{folder}/ ({folders[folder]} files)": None
        for path in paths
        for folder in [path.rpartition("/")[0]]
    }
    return ", ".join(shown) or "not recorded"


def _method(run: Mapping[str, Any]) -> str:
    """What stands between text and scores, as the configuration has it."""
    config = run.get("config") or {}
    size = (config.get("windows") or {}).get("tokens")
    parts = [
        f"The text is read in windows{f' of up to {size} tokens' if size else ''} that end where "
        "sentences do and overlap, so that nothing is cut off. A small Transformer encoder reads "
        "each window once. A linear layer gives each word a tag, from which the best sequence of "
        "tags is decoded: entities begin and end with words and do not overlap.",
        "Of each pair of entities whose labels some relation joins, a second head asks every "
        "relation: from the two spans, their labels, what stands between them and how far apart "
        "they are. A pair may have several relations, or none.",
        "Scores are the calibrated probabilities of these heads. The model writes no text, looks "
        "nothing up and remembers no earlier text.",
    ]
    return "\n\n".join(parts)


def _purpose(report: Report, language: str) -> str:
    """What the model does, its headline figures, and how to call it."""
    headlines = []
    for kind, model, baseline in (
        ("entities", report.model.entities, report.baseline and report.baseline.entities),
        ("relations", report.model.relations, report.baseline and report.baseline.relations),
    ):
        beside = f"{baseline.micro.counts.f1:.3f}" if baseline else DASH
        headlines.append(
            f"{kind} {model.micro.counts.f1:.3f} (95 % interval "
            f"{format_interval(model.micro.interval)}, baseline {beside})"
        )
    entity_labels = ", ".join(f"`{label}`" for label in report.model.entities.by_label)
    relation_labels = ", ".join(f"`{label}`" for label in report.model.relations.by_label)
    return (
        f"Reads text (language: {language}) and gives back the entities in it and the relations "
        "between them, each with its place in the text and a score. It is for turning many texts "
        "of the kind it was trained on into tables that a person then checks against the texts, "
        "and for suggesting annotations to annotators.\n\n"
        f"Strict micro F1: {'; '.join(headlines)}. Definitions are below.\n\n"
        f"Entities: {entity_labels}\n\nRelations: {relation_labels}\n\n"
        '```python\nimport pressgang\n\ndocument = pressgang.predict("…")\n```'
    )


def _limits(language: str) -> str:
    return "\n".join(
        [
            "- **An extracted relation is not a fact.** It repeats what a text says, reports or "
            "alleges, rightly or wrongly, and the model may have misread it. Quote the text.",
            "- **No decisions about persons**: not for screening, charging, profiling, tracing, "
            "sanctioning or refusing anybody anything. A missing entity or relation is no evidence "
            "of absence either.",
            "- **Names of real people** may stand in the texts and in what is extracted from them. "
            "People share names: the model does not tell who is meant. Publish, store and combine "
            "such tables only as data protection law and care for the people named allow.",
            f"- **Not for other languages** than the one it was trained on ({language}), nor for "
            "other subjects or kinds of text without scores of its own on them.",
            "- **Errors fall unevenly** over labels, documents and names: see the figures below.",
        ]
    )


def _unevenness(entities: list[Row], entity_labels: list[Row], relation_labels: list[Row]) -> str:
    """The best and the worst label, and mentions seen and unseen, in words."""
    lines = []
    for kind, rows in (("entity", entity_labels), ("relation", relation_labels)):
        ranked = sorted(
            (row.model.counts.f1, row.name, row.model.support)
            for row in rows
            if isinstance(row.model, Score) and row.model.support >= LEAST_SUPPORT
        )
        if len(ranked) > 1:
            worst, best = (
                f"`{label}` (F1 {f1:.3f}, support {n})" for f1, label, n in (ranked[0], ranked[-1])
            )
            lines.append(
                f"- Of the {kind} labels with a support of {LEAST_SUPPORT} or more, the best is "
                f"{best}, the worst {worst}."
            )
        if rare := [row.name for row in rows if row.model.support < LEAST_SUPPORT]:
            lines.append(
                f"- Too rare in gold to judge (support below {LEAST_SUPPORT}): "
                f"{', '.join(f'`{label}`' for label in rare)}."
            )
    by_name = {row.name: row.model for row in entities}
    seen, unseen = by_name.get("seen mentions"), by_name.get("unseen mentions")
    if isinstance(seen, Score) and isinstance(unseen, Score):
        lines.append(
            "- Mentions whose surface is in the training documents too are found with a recall of "
            f"{seen.counts.recall:.3f} (support {seen.support}), new ones with "
            f"{unseen.counts.recall:.3f} (support {unseen.support})."
        )
    return "\n".join(lines) or "Too few examples to say."
