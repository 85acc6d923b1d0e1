"""A Label Studio labeling config: what annotators may mark, in which text, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree


@dataclass(frozen=True, slots=True)
class LabelingConfig:
    """The entity and relation labels of a project and the names that its results refer to.

    `control_names` are the names of the `<Labels>` tags (`from_name` in results), `text_name` that
    of the text they mark (`to_name`), and `text_key` the field of a task's data that holds it.
    `colors` and `hotkeys` are there for the entity labels that have one.
    """

    entity_labels: tuple[str, ...]
    relation_labels: tuple[str, ...]
    control_names: tuple[str, ...]
    text_name: str
    text_key: str
    colors: Mapping[str, str]
    hotkeys: Mapping[str, str]


def read_labeling_config(path: Path) -> LabelingConfig:
    """The labeling config in a file.

    Raises ValueError, naming the file, if it cannot be read or is no config for labelled text.
    """
    try:
        xml = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start} is not UTF-8, expected XML text") from None
    return parse_labeling_config(xml, source=str(path))


def parse_labeling_config(xml: str, *, source: str = "labeling config") -> LabelingConfig:
    """The labeling config written in XML; `source` names it in errors.

    Raises ValueError if it is not XML, declares a DTD or entities, or does not have `<Labels>`
    with at least one `<Label>` on exactly one `<Text>` (or `<HyperText>`) that reads `$field`.
    """
    try:
        tags = list(_root(xml).iter())
        controls = _named(tags, {"labels", "hypertextlabels"})
        if not controls:
            raise ValueError('found no tag <Labels name="label" toName="text">')
        text = _text_tag(tags, controls)
        labels = [
            label for control in controls for label in control.iter() if _kind(label) == "label"
        ]
        entity_labels = _values(labels)
        if not entity_labels:
            raise ValueError('<Labels> holds no <Label value="...">')
        relations = [tag for tag in tags if _kind(tag) == "relation"]
        return LabelingConfig(
            entity_labels,
            _values(relations),
            tuple(control.attrib["name"] for control in controls),
            text.attrib["name"],
            _text_key(text),
            {
                _value(label): label.attrib["background"]
                for label in labels
                if label.get("background")
            },
            {_value(label): label.attrib["hotkey"] for label in labels if label.get("hotkey")},
        )
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None


def _root(xml: str) -> ElementTree.Element:
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise ValueError("declares a DTD or entities, which are refused; remove the declaration")
    try:
        return ElementTree.fromstring(xml.strip())  # noqa: S314 - no DTD, so no entity to expand
    except ElementTree.ParseError as error:
        raise ValueError(f"is not well-formed XML ({error}), expected <View>...</View>") from None


def _kind(tag: ElementTree.Element) -> str:
    """The tag's name in lower case, as Label Studio compares it; comments are no tags."""
    return tag.tag.lower() if isinstance(tag.tag, str) else ""


def _named(tags: Iterable[ElementTree.Element], kinds: set[str]) -> list[ElementTree.Element]:
    found = [tag for tag in tags if _kind(tag) in kinds]
    for tag in found:
        if not tag.get("name"):
            raise ValueError(f"<{tag.tag}> has no name")
    return found


def _text_tag(
    tags: Iterable[ElementTree.Element], controls: Iterable[ElementTree.Element]
) -> ElementTree.Element:
    """The one text that the controls mark."""
    wanted = {name for control in controls for name in control.get("toName", "").split(",")}
    texts = {tag.attrib["name"]: tag for tag in _named(tags, {"text", "hypertext"})}
    if len(wanted) > 1:
        raise ValueError(f"<Labels> mark several tags ({', '.join(sorted(wanted))}), expected one")
    name = wanted.pop()
    if name not in texts:
        known = ", ".join(sorted(texts)) or "none"
        raise ValueError(f"toName={name!r} is the name of no <Text> tag (there are: {known})")
    return texts[name]


def _text_key(text: ElementTree.Element) -> str:
    value = text.get("value", "")
    if text.get("valueType") == "url":
        raise ValueError(f"<{text.tag}> loads its text from a URL, expected the text in the task")
    if not value.startswith("$") or len(value) == 1:
        raise ValueError(f'<{text.tag}> has value={value!r}, expected a field such as "$text"')
    return value[1:]


def _value(label: ElementTree.Element) -> str:
    """What results hold for the label: its alias if it has one."""
    return label.get("alias") or label.get("value") or ""


def _values(labels: Iterable[ElementTree.Element]) -> tuple[str, ...]:
    """The labels in order, each once."""
    values = [_value(label) for label in labels]
    if "" in values:
        raise ValueError("a <Label> or <Relation> has no value")
    return tuple(dict.fromkeys(values))
