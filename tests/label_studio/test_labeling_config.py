import pytest

from pressgang.label_studio.labeling_config import parse_labeling_config, read_labeling_config

CONFIG = """
<View>
  <!-- what annotators see -->
  <Header value="Mark people and places"/>
  <Relations><Relation value="works_for"/><Relation value="located_in"/></Relations>
  <Labels name="tags" toName="story">
    <Label value="PER" background="red" hotkey="1"/>
    <Label value="Organisation" alias="ORG"/>
  </Labels>
  <Text name="title" value="$title"/>
  <Text name="story" value="$body" granularity="symbol"/>
</View>
"""


def test_labels_names_and_colours_are_read():
    config = parse_labeling_config(CONFIG)
    assert config.entity_labels == ("PER", "ORG")
    assert config.relation_labels == ("works_for", "located_in")
    assert config.control_names == ("tags",)
    assert (config.text_name, config.text_key) == ("story", "body")
    assert config.colors == {"PER": "red"}
    assert config.hotkeys == {"PER": "1"}


def test_several_labels_tags_on_one_text_are_joined():
    second = '<Labels name="more" toName="story"><Label value="PER"/><Label value="LAW"/></Labels>'
    config = parse_labeling_config(CONFIG.replace("<Text", second + "<Text", 1))
    assert config.control_names == ("tags", "more")
    assert config.entity_labels == ("PER", "ORG", "LAW")


def test_relations_may_be_absent():
    xml = CONFIG.replace("Relation", "Ranker")
    assert parse_labeling_config(xml).relation_labels == ()


def test_tag_names_are_compared_without_case():
    xml = CONFIG.replace("Labels", "labels").replace("<Text", "<text")
    assert parse_labeling_config(xml) == parse_labeling_config(CONFIG)


@pytest.mark.parametrize(
    ("found", "replacement", "message"),
    [
        ("<View>", "", "not well-formed XML"),
        ("\n<View>", '<!DOCTYPE x [<!ENTITY e "PER">]><View>', "DTD"),
        ("Labels", "Choices", "found no tag <Labels"),
        ('name="tags"', "", "<Labels> has no name"),
        ('toName="story"', 'toName="tale"', "toName='tale' is the name of no <Text>"),
        ('toName="story"', "", "toName='' is the name of no <Text>"),
        ('toName="story"', 'toName="story,title"', "mark several tags (story, title)"),
        ('value="$body"', 'value="body"', "a field such as"),
        ('value="$body"', 'value="$body" valueType="url"', "from a URL"),
        ('value="PER"', "", "has no value"),
        ("<Label ", "<Choice ", "holds no <Label"),
    ],
)
def test_other_configs_are_refused_by_name(found, replacement, message):
    xml = CONFIG.replace(found, replacement)
    with pytest.raises(ValueError, match=r"config\.xml: ") as error:
        parse_labeling_config(xml, source="config.xml")
    assert message in str(error.value)


def test_a_file_is_read_and_named_in_errors(tmp_path):
    path = tmp_path / "config.xml"
    with pytest.raises(ValueError, match=r"config\.xml: cannot be read"):
        read_labeling_config(path)
    path.write_bytes(b"\xef\xbb\xbf" + CONFIG.encode())
    assert read_labeling_config(path) == parse_labeling_config(CONFIG)
    path.write_bytes(CONFIG.encode("utf-16"))
    with pytest.raises(ValueError, match=r"config\.xml: byte 0 is not UTF-8"):
        read_labeling_config(path)
