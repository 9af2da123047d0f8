"""The config as a command gets it: files, environment, secrets, and every problem without a value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import WrongUse
from sync.sections import GuardSettings
from sync.settings import Settings, WrongConfig, find_config, load_settings
from sync.work import Guards
from sync.wrongconfig import Problem

PLANTED = "pl4nted-s3cret"


class Folder:
    """A folder with a config in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> Path:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target

    def load(self, text: str = "", environ: Mapping[str, str] | None = None) -> Settings:
        return load_settings(self.write("leadpact.toml", text), environ or {})

    def problems(self, text: str = "", environ: Mapping[str, str] | None = None) -> list[Problem]:
        with pytest.raises(WrongConfig) as caught:
            self.load(text, environ)
        assert caught.value.exit_code == WrongUse.exit_code == 2
        everything = (
            json.dumps(caught.value.problems) + str(caught.value) + repr(caught.value) + caught.value.fix
        )
        assert PLANTED not in everything
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        return caught.value.problems

    def only_problem(self, text: str = "", environ: Mapping[str, str] | None = None) -> tuple[str, str, str]:
        (one,) = self.problems(text, environ)
        assert one["severity"] == "error"
        return one["where"], one["problem"], one["fix"]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_an_empty_config_has_every_default(folder: Folder) -> None:
    found = folder.load()
    assert found.sync.mode == "observe"
    assert found.hubspot.base_url == "https://api.hubapi.com"
    assert found.hubspot.access_token is None
    assert found.salesforce.required == {"LastName": "[unbekannt]", "Company": "[unbekannt]"}
    assert found.sandbox is None
    assert found.database.embedded
    assert (found.fields, found.values, found.stages, found.policy) == ((), {}, {}, {})


def test_the_guards_are_those_of_a_run(folder: Folder) -> None:
    assert Guards(**GuardSettings().model_dump()) == Guards()


def test_a_config_is_named_by_the_option_then_the_variable_then_the_folder() -> None:
    environ = {"LEADPACT_CONFIG": "of_the_variable.toml"}
    assert find_config(Path("of_the_option.toml"), environ) == Path("of_the_option.toml")
    assert find_config(None, environ) == Path("of_the_variable.toml")
    assert find_config(None, {"LEADPACT_CONFIG": ""}) == Path("leadpact.toml")
    assert find_config(None, {}) == Path("leadpact.toml")


def test_the_variable_alone_is_enough_to_load(folder: Folder) -> None:
    path = folder.write("elsewhere.toml", '[sync]\nmode = "full"\n')
    assert load_settings(None, {"LEADPACT_CONFIG": str(path)}).sync.mode == "full"


def test_a_config_that_is_not_there_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WrongConfig) as caught:
        load_settings(tmp_path / "none.toml", {})
    assert "there is no config" in caught.value.problems[0]["problem"]
    assert "leadpact init" in caught.value.fix


@pytest.mark.parametrize(
    ("text", "where", "says", "fix"),
    [
        ("[hubspto]\nobject = 'x'", "leadpact.toml:1", "unknown key hubspto", "hubspot"),
        ("[hubspot]\n\noverlap_secs = 1", "leadpact.toml:3", "unknown key overlap_secs", "overlap_seconds"),
        ("sync.mdoe = 'full'", "leadpact.toml:1", "unknown key mdoe in [sync]", "mode"),
        ("[locale]\ncurrency = { hubspott = 'EUR' }", "leadpact.toml:2", "unknown key hubspott", "hubspot"),
        ("[timetable]\nsync = 5", "leadpact.toml:1", "unknown key timetable", ""),
        ("[files]\nprices = 'prices.csv'", "leadpact.toml:2", "unknown key prices", ""),
        # Types
        (f"[hubspot]\noverlap_seconds = '{PLANTED}'", "leadpact.toml:2", "must be a number", ""),
        ("[hubspot]\noverlap_seconds = true", "leadpact.toml:2", "must be a number", ""),
        ("[hubspot]\noverlap_seconds = nan", "leadpact.toml:2", "must be", ""),
        ("[guards]\nmax_creates = 1.5", "leadpact.toml:2", "must be a whole number", ""),
        ("[guards]\nmax_creates = '500'", "leadpact.toml:2", "must be a whole number", ""),
        ("[guards]\nmax_creates = -1", "leadpact.toml:2", "must be at least 0", ""),
        ("[hubspot]\ndaily_share = 1.01", "leadpact.toml:2", "must be at most 1", ""),
        ("[hubspot]\ndaily_share = 0", "leadpact.toml:2", "must be more than 0", ""),
        (f"[sync]\nmode = '{PLANTED}'", "leadpact.toml:2", "'observe', 'own_fields' or 'full'", ""),
        ("[sync]\nlanguage = 3", "leadpact.toml:2", "'de' or 'en'", ""),
        ("[locale]\ndecimal_comma = 'yes'", "leadpact.toml:2", "must be true or false", ""),
        (f"[locale]\nregion = '{PLANTED}'", "leadpact.toml:2", "two capital letters", ""),
        ("[locale.currency]\nhubspot = 'eur'", "leadpact.toml:2", "three capital letters", ""),
        ("hubspot = 3", "leadpact.toml:1", "hubspot must be a table", ""),
        ("[salesforce]\nrequired = 'x'", "leadpact.toml:2", "must be a table", ""),
        ("[salesforce.required]\nLastName = ' '", "leadpact.toml:2", "must not be empty", ""),
        (f"[salesforce]\napi_version = '{PLANTED}'", "leadpact.toml:2", "must look like 66.0", ""),
        ("[scope]\nleads = true", "leadpact.toml:2", "must be a text", ""),
        ("policy = 3", "leadpact.toml:1", "policy must be a table", ""),
        ("[nurture]\nname = 'x'", "leadpact.toml:1", "nurture must be a list", ""),
        # Addresses
        (f"[hubspot]\nbase_url = 'http://{PLANTED}.example'", "leadpact.toml:2", "https://", ""),
        (f"[hubspot]\nbase_url = 'https://me:{PLANTED}@api.hubapi.com'", "leadpact.toml:2", "password", ""),
        (f"[salesforce]\nlogin_url = '{PLANTED}'", "leadpact.toml:2", "https://", ""),
        ("[salesforce]\nlogin_url = 'https://[::1'", "leadpact.toml:2", "https://", ""),
        ("[salesforce]\nlogin_url = 'http://127.0.0.1.example'", "leadpact.toml:2", "https://", ""),
        (f"[database]\nurl = 'mysql://{PLANTED}'", "leadpact.toml:2", "postgresql://", ""),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(
    folder: Folder, text: str, where: str, says: str, fix: str
) -> None:
    place, what, remedy = folder.only_problem(text)
    assert place == where
    assert says in what
    assert fix in remedy


@pytest.mark.parametrize("url", ["http://127.0.0.1:8765", "http://localhost:1", "http://[::1]:9"])
def test_plain_http_is_accepted_on_this_machine(folder: Folder, url: str) -> None:
    assert folder.load(f"[hubspot]\nbase_url = '{url}/'").hubspot.base_url == url


def test_every_problem_is_told_at_once(folder: Folder) -> None:
    text = "[hubspto]\n[sync]\nmode = 1\nslices = 2\n[fields.emial]\nhubspot = 'email'\n"
    found = folder.problems(text, {"LEADPACT_SYNK__MODE": "full"})
    assert {one["where"] for one in found} == {
        "leadpact.toml:1",
        "leadpact.toml:3",
        "leadpact.toml:4",
        "leadpact.toml:5",
        "LEADPACT_SYNK__MODE",
    }


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (f"a = 1\nb = {PLANTED}\n", 2, "quotation marks"),
        (f"[sync]\nmode = '{PLANTED}\n", 2, "quotation mark"),
        ("[sync]\n[sync]\n", 2, "twice"),
        (f"[sync]\nmode = 'a'\nmode = '{PLANTED}'\n", 3, "twice"),
        ("x = 'C:' 'D:'\n", 1, "follows"),
        (f'x = "C:\\{PLANTED}"\n', 1, "\\"),
        (f"[sync\n{PLANTED} = 1", 1, ""),
    ],
)
def test_what_is_not_toml_is_told_by_its_line(folder: Folder, text: str, line: int, says: str) -> None:
    place, what, _ = folder.only_problem(text)
    assert place == f"leadpact.toml:{line}"
    assert says in what


def test_a_file_in_another_encoding_is_refused(folder: Folder) -> None:
    path = folder.path / "leadpact.toml"
    path.write_bytes("# größer".encode("cp1252"))
    with pytest.raises(WrongConfig, match="UTF-8"):
        load_settings(path, {})


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(folder: Folder) -> None:
    path = folder.path / "leadpact.toml"
    path.write_bytes(b"\xef\xbb\xbf[sync]\r\n\r\nmode = 'full'\r\n")
    found = load_settings(path, {})
    assert found.sync.mode == "full"
    assert found.where("sync.mode") == "leadpact.toml:3"


@pytest.mark.parametrize(
    ("section", "name"),
    [("hubspot", "access_token"), ("hubspot", "client_secret"), ("salesforce", "client_secret")],
)
def test_a_secret_in_a_file_is_refused(folder: Folder, section: str, name: str) -> None:
    place, what, fix = folder.only_problem(f"[{section}]\n{name} = '{PLANTED}'")
    assert place == "leadpact.toml:2"
    assert "must not stand in a file" in what
    assert f"LEADPACT_{section}__{name}".upper() in fix


@pytest.mark.parametrize(
    "url",
    [f"postgresql://me:{PLANTED}@host/db", f"postgresql://host/db?user=me&password={PLANTED}"],
)
def test_a_database_password_in_a_file_is_refused(folder: Folder, url: str) -> None:
    place, what, _ = folder.only_problem(f"[database]\nurl = '{url}'")
    assert (place, "must not stand in a file" in what) == ("leadpact.toml:2", True)
    found = folder.load("", {"LEADPACT_DATABASE__URL": url})
    assert found.database.url.get_secret_value() == url
    assert not found.database.embedded
    assert PLANTED not in repr(found) + str(found.database)


def test_a_database_without_password_may_stand_in_the_file(folder: Folder) -> None:
    found = folder.load("[database]\nurl = 'postgresql://me@host/db'")
    assert found.database.url.get_secret_value() == "postgresql://me@host/db"


def test_what_calls_need_is_missed_all_at_once(folder: Folder) -> None:
    found = folder.load()
    for asked, name in (
        (found.required_secret, "hubspot.access_token"),
        (found.required_setting, "salesforce.client_id"),
    ):
        with pytest.raises(WrongConfig) as caught:
            asked(name)
        assert [one["where"] for one in caught.value.problems] == [
            "LEADPACT_HUBSPOT__ACCESS_TOKEN",
            "LEADPACT_SALESFORCE__CLIENT_ID",
            "LEADPACT_SALESFORCE__CLIENT_SECRET",
        ]


def test_the_sandbox_needs_no_credentials(folder: Folder) -> None:
    found = folder.load("[sandbox]\n")
    assert found.missing_secrets() == []
    assert found.sandbox is not None
    assert found.sandbox.dir == str(folder.path / "sandbox")


def test_credentials_are_handed_out_when_they_are_there(folder: Folder) -> None:
    found = folder.load(
        "[salesforce]\nclient_id = '3MVG9'",
        {"LEADPACT_HUBSPOT__ACCESS_TOKEN": PLANTED, "LEADPACT_SALESFORCE__CLIENT_SECRET": "other"},
    )
    assert found.required_secret("hubspot.access_token") == PLANTED
    assert found.required_setting("salesforce.client_id") == "3MVG9"
    assert found.missing_secrets() == []
    assert PLANTED not in repr(found)


def test_relative_paths_start_at_the_config(folder: Folder) -> None:
    folder.write(
        "deep/leadpact.toml", "[database]\ndir = '../memory'\n[salesforce]\nca_file = '/etc/ca.pem'\n"
    )
    found = load_settings(folder.path / "deep" / "leadpact.toml", {})
    assert Path(found.database.dir).resolve() == folder.path / "memory"
    assert found.salesforce.ca_file == "/etc/ca.pem"


def test_parts_are_read_from_files_beside_the_config(folder: Folder) -> None:
    folder.write("fields.toml", "\n[fields.email]\nhubspot = 'email'\n\n[stages]\nlead = 'lead'\n")
    folder.write(
        "team/policy.toml", "[policy]\n[[policy.fit]]\nname = 'a'\n\n[[policy.fit]]\nname = 'b'\nwhen = 'x'\n"
    )
    found = folder.load("[files]\nfields = 'fields.toml'\npolicy = 'team/policy.toml'\n")
    assert [rule.lead for rule in found.fields] == ["email"]
    assert found.stages == {"lead": "lead"}
    assert [rule["name"] for rule in found.policy["policy"]["fit"]] == ["a", "b"]
    assert found.where("policy.fit[1].when") == "team/policy.toml:7"
    assert found.where("policy.fit[0].points") == "team/policy.toml:2"
    assert found.where("fields.email") == "fields.toml:2"
    assert found.where("nurture[0].when") == "leadpact.toml"


@pytest.mark.parametrize(
    ("main", "part", "where", "says"),
    [
        ("[files]\nfields = 'none.toml'", "", "none.toml", "cannot be read"),
        ("[files]\nfields = 'part.toml'", "[sync]\nmode = 'full'", "part.toml:1", "unknown key sync"),
        ("[files]\nfields = 'part.toml'", "\nfields = 'x", "part.toml:2", "quotation mark"),
        ("[stages]\n[files]\nfields = 'part.toml'", "[stages]", "leadpact.toml:1", "part.toml as well"),
        ("[files]\nfields = 3", "", "leadpact.toml:2", "must be a text"),
        ("[files]\nfields = ''", "", "leadpact.toml:2", "must not be empty"),
        ("[files]\nfields = '.'", "", ".", "cannot be read"),
        ("[files]\nfields = '~nobody-here/x.toml'", "", "~nobody-here/x.toml", "cannot be read"),
        ('[files]\nfields = "a\\u0000b"', "", "a\0b", "no name of a file"),
    ],
)
def test_a_part_that_cannot_be_used_is_named(
    folder: Folder, main: str, part: str, where: str, says: str
) -> None:
    folder.write("part.toml", part)
    place, what, _ = folder.only_problem(main)
    assert place == where
    assert says in what


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF, exclude_characters="\x7f"), max_size=20))
def test_no_text_is_told_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = Folder(tmp_path_factory.mktemp("config"))
    value = json.dumps(PLANTED + text)
    for line in (
        f"[sync]\nmode = {value}",
        f"[guards]\nmax_creates = {value}",
        f"[locale]\nregion = {value}",
    ):
        place, _, _ = folder.only_problem(line)
        assert place == "leadpact.toml:2"
