"""What `leadpact init` writes: a config that loads, whose map and policy fit both pretend CRMs."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from connectors.sandbox.hubspot.lifecycle import STAGES
from connectors.sandbox.hubspot.standard_companies import INDUSTRIES
from connectors.sandbox.hubspot.standard_contacts import LANGUAGES, PROPERTIES
from mapping.fieldmap import FieldMap, ValueMap, compile_map
from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS, Stage
from mapping.qualification.policy import load_policy
from sync.errors import WrongUse
from sync.initdir import TEMPLATES, write_config
from sync.settings import Settings, load_settings

HUBSPOT = {one.name for one in PROPERTIES}
HUBSPOT_READ_ONLY = {one.name for one in PROPERTIES if "r" in one.flags}


@pytest.fixture
def written(tmp_path: Path) -> Settings:
    write_config(tmp_path / "new")
    return load_settings(tmp_path / "new" / "leadpact.toml", {})


@pytest.fixture
def field_map(written: Settings) -> FieldMap:
    maps = {name: ValueMap(name, words) for name, words in written.values.items()}
    return compile_map(written.fields, maps, LEAD_FIELDS, default_region=written.locale.region)


def lead_fields() -> dict[str, dict[str, object]]:
    text = files("connectors").joinpath("sandbox/salesforce/objects/Lead.toml").read_text(encoding="utf-8")
    found: dict[str, dict[str, object]] = tomllib.loads(text)["fields"]
    return found


def test_init_writes_three_files_and_names_them(tmp_path: Path) -> None:
    found = write_config(tmp_path / "a" / "b")
    assert found == [tmp_path / "a" / "b" / name for name in TEMPLATES]
    assert all(path.read_text(encoding="utf-8").startswith("#") for path in found)


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    mine = tmp_path / "policy.toml"
    mine.write_text("mine")
    with pytest.raises(WrongUse, match=r"policy\.toml already"):
        write_config(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["policy.toml"]
    assert mine.read_text() == "mine"


def test_init_says_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WrongUse, match="cannot be written to"):
        write_config(tmp_path / "file" / "below")


def test_what_init_writes_changes_nothing_until_told(written: Settings) -> None:
    assert written.sync.mode == "observe"
    assert [one["where"] for one in written.missing_secrets()] == [
        "LEADPACT_HUBSPOT__ACCESS_TOKEN",
        "LEADPACT_SALESFORCE__CLIENT_ID",
        "LEADPACT_SALESFORCE__CLIENT_SECRET",
    ]


def test_its_policy_can_be_used_with_its_words(written: Settings) -> None:
    words = {"industry": list(written.values["industry"])}
    policy = load_policy(written.policy, fields={**LEAD_FIELDS, **DERIVED_FIELDS}, vocabularies=words)
    assert policy.currency == "EUR"


def test_every_field_it_names_is_there_or_ours_to_create(field_map: FieldMap) -> None:
    salesforce = lead_fields()
    for name in field_map.asked("hubspot", "contacts"):
        assert name in HUBSPOT or name.startswith("leadpact_")
    for name in field_map.asked("salesforce", "Lead"):
        assert name in salesforce or name.startswith("Leadpact_")


def test_it_writes_no_field_that_a_crm_keeps_to_itself(field_map: FieldMap) -> None:
    salesforce = lead_fields()
    # A withdrawal goes by the consent API, though its property is locked (``connectors.hubspot.withdrawal``).
    locked = HUBSPOT_READ_ONLY - {"hs_email_optout"}
    assert not {name for _, name in field_map.writable("hubspot", "contacts")} & locked
    for _, name in field_map.writable("salesforce", "Lead"):
        assert name.startswith("Leadpact_") or salesforce[name].get("update", True)


def test_every_standard_word_of_both_crms_is_understood(field_map: FieldMap) -> None:
    industry, language = field_map.values["industry"], field_map.values["language"]
    assert {value for value, _ in INDUSTRIES} <= set(industry.heard("hubspot"))
    picklist = lead_fields()["Industry"]["values"]
    assert isinstance(picklist, list)
    assert set(picklist) <= set(industry.heard("salesforce"))
    assert {value for value, _ in LANGUAGES if "-" in value} <= set(language.heard("hubspot"))
    assert {value for value, _ in STAGES} == set(field_map.values["hubspot_stage"].heard("hubspot"))


def test_salesforce_takes_every_industry_that_is_written_there(field_map: FieldMap) -> None:
    industry = lead_fields()["Industry"]
    picklist = industry["values"]
    assert isinstance(picklist, list)
    # Its list knows no wholesale. Until an organisation restricts the picklist, it takes any text by API.
    added = set(field_map.values["industry"].said("salesforce").values()) - set(picklist)
    assert added == {"Wholesale"}
    assert not industry.get("restricted", False)


def test_a_stage_written_to_hubspot_is_one_of_its_own(written: Settings) -> None:
    assert set(written.stages.values()) <= {value for value, _ in STAGES}
    assert set(written.stages) <= {stage.value for stage in Stage}
    # Who is not a lead yet, or has left, keeps the stage that HubSpot shows.
    assert not {"visitor", "prospect", "former_customer"} & set(written.stages)


def test_a_stage_is_read_back_as_it_was_written(written: Settings, field_map: FieldMap) -> None:
    heard = field_map.values["hubspot_stage"].heard("hubspot")
    for stage, word in written.stages.items():
        assert heard[word] == ("lead" if stage == "nurture" else stage)
