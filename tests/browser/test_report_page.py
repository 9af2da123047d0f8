"""The report's page: one file that needs nothing else, told alike in both languages, and seen by a real browser."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter
from typing import Any, Literal

import pytest

from sync.reports.document import Document, as_json
from sync.reports.page import as_page
from sync.reports.voice import Voice
from sync.reports.words import WORDS

LANGUAGES = ("de", "en")
Told = Callable[[Literal["de", "en"]], tuple[Document, Voice]]
Pages = Callable[[Literal["de", "en"]], str]
#: Asks the browser what a person would see: whether anything is cut off, and what the drawings show.
MEASURE = """<script>
addEventListener("load", () => {
  const wide = document.documentElement.scrollWidth, room = innerWidth;
  const tall = document.documentElement.scrollHeight;
  const cut = [...document.querySelectorAll("figure svg")].flatMap(svg => {
    const frame = svg.getBoundingClientRect();
    return [...svg.querySelectorAll("text")].filter(text => {
      const box = text.getBoundingClientRect();
      return box.width && (box.left < frame.left - 1 || box.right > frame.right + 12);
    }).map(text => text.textContent);
  });
  const small = [...document.querySelectorAll("figure svg text")].filter(
    text => text.textContent.trim() && text.getBoundingClientRect().height < 9).length;
  const charts = [...document.querySelectorAll("figure svg")].map(svg => svg.getBoundingClientRect().height);
  const broken = [...document.querySelectorAll(".wide")].filter(
    each => each.scrollWidth > each.clientWidth + 1).map(each => each.querySelector("table").id);
  document.body.innerHTML = "<pre id=seen>" + JSON.stringify({wide, room, tall, cut, small, charts, broken}) + "</pre>";
});
</script></body>"""


class _Page(HTMLParser):
    """What a page is made of: its tags, what it refers to, its ids, and the tags of each section in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.sections: dict[str, list[str]] = {}
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self.sections[str(dict(attrs)["id"])] = []
        elif self.sections:
            next(reversed(self.sections.values())).append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_needs_nothing_but_itself(page_in: Pages, language: Literal["de", "en"]) -> None:
    text = page_in(language)
    page = _Page(text)
    assert not {tag for tag, _ in page.tags} & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "image",
        "use",
    }
    referred = [
        str(value)
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("href", "src", "xlink:href", "action", "data")
    ]
    assert referred
    assert all(each.startswith("#") for each in referred)
    assert not re.search(r"@import|url\((?!\"?data:|#)", text)
    assert "default-src 'none'" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_can_be_read_aloud(page_in: Pages, language: Literal["de", "en"]) -> None:
    page = _Page(page_in(language))
    assert dict(page.tags)["html"]["lang"] == language
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {str(attributes["href"])[1:] for tag, attributes in page.tags if tag == "a"}
    assert links == page.sections.keys()
    heads = [attributes for tag, attributes in page.tags if tag == "th"]
    assert heads
    assert all(attributes.get("scope") in ("row", "col") for attributes in heads)
    drawings = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(drawings) >= 6
    assert all(attributes["aria-hidden"] == "true" for attributes in drawings)
    # Whoever cannot see a drawing finds its numbers in the table beside it.
    for name, tags in page.sections.items():
        assert "figure" not in tags or tags.index("figure") < tags.index("table"), name


def test_both_languages_tell_the_same_numbers(told: Told) -> None:
    german, english = (as_json(told(language)[0]) for language in ("de", "en"))
    for one, other in zip(german["sections"], english["sections"], strict=True):
        assert one["key"] == other["key"]
        assert one["title"] != other["title"]
        for table, same in zip(one["tables"], other["tables"], strict=True):
            numeric = [column["key"] for column in table["columns"] if column["kind"] != "text"]
            assert [[row[key] for key in numeric] for row in table["rows"]] == [
                [row[key] for key in numeric] for row in same["rows"]
            ]


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        (
            "de",
            ["840", "6,2 %", "52 von 840", "86.904 €", "20.11.2026", "Okt. 2026", "21,5 / 46,6 Tage", "+4"],
        ),
        ("en", ["840", "6.2%", "52 of 840", "€86,904", "20 Nov 2026", "Oct 2026", "21.5 / 46.6 days", "+4"]),
    ],
)
def test_numbers_amounts_and_days_have_the_readers_form(
    page_in: Pages, language: Literal["de", "en"], shown: list[str]
) -> None:
    text = " ".join("".join(_Page(page_in(language)).text).replace("\u00a0", " ").split())
    assert [each for each in shown if each not in text] == []


def test_a_cohort_says_how_much_of_it_is_mature(told: Told) -> None:
    document = as_json(told("en")[0])
    (section,) = [one for one in document["sections"] if one["key"] == "funnel_by_cohort"]
    rows = section["tables"][0]["rows"]
    assert all(row["mature"]["denominator"] == row["leads"] for row in rows)
    # Buying takes up to 74 days here: the first months have had them, the last two have not.
    assert [row["mature"]["rate"] for row in rows[:3]] == [1.0, 1.0, 1.0]
    assert [row["mature"]["numerator"] for row in rows[-2:]] == [0, 0]


@pytest.mark.parametrize("by", ["channel", "campaign", "cohort", "owner"])
def test_conversion_and_time_stand_beside_each_other_for_every_group(told: Told, by: str) -> None:
    document = as_json(told("en")[0])
    (section,) = [one for one in document["sections"] if one["key"] == f"funnel_by_{by}"]
    counts, times = (table["rows"] for table in section["tables"])
    assert [row[by] for row in counts] == [row[by] for row in times]
    assert len(counts) >= 4
    for row, took in zip(counts, times, strict=True):
        # Each rate is of the stage before it, and as many have a time as were counted there.
        assert row["mql"]["denominator"] == row["leads"]
        assert row["sql"]["denominator"] == row["mql"]["numerator"]
        assert row["customers_of_leads"]["denominator"] == row["leads"]
        assert took["to_mql"]["leads"] <= row["mql"]["numerator"]


def test_channels_and_campaigns_tell_what_a_lead_an_mql_and_a_customer_cost(told: Told) -> None:
    document = as_json(told("en")[0])
    (section,) = [one for one in document["sections"] if one["key"] == "costs"]
    tables = {table["key"]: table["rows"] for table in section["tables"]}
    for by in ("channel", "campaign"):
        row = max(tables[f"costs_by_{by}"], key=lambda row: row["customers"] or 0)
        for what in ("lead", "mql", "customer"):
            spent, each = float(row["spent"]["amount"]), float(row[f"per_{what}"]["amount"])
            assert each == pytest.approx(spent / row[f"{what}s"], abs=0.005)
        assert row["mature"]["denominator"] == row["leads"]
    assert any("Attribution: first touch" in note for note in section["notes"])
    assert any("mature after 74 days" in note for note in section["notes"])
    assert {"costs_by_month", "costs_by_kind"} <= tables.keys()


def test_the_review_shows_both_views_and_no_reason_that_was_given_once(page_in: Pages) -> None:
    text = " ".join("".join(_Page(page_in("de")).text).replace("\u00a0", " ").split())
    shown = [
        "240 Leads wurden übergeben und 214 davon angesprochen: im Median nach 1,5 Stunden Arbeitszeit",
        "Frist gehalten 73 % 161 von 221 der angesprochenen oder fälligen",
        "zu früh 66 % 40 von 61",
        "(einzelne Gründe, keine Angabe) 1,6 % 1 von 61",
        "eva@shop.example · 4f1c",
        "Zu früh (Verdacht): als nicht reif abgelehnt",
        "62 Punkte (Passung 40, Interesse 22); +25 Mid-size online shop; +20 Filled in a form",
        "Vom Vertrieb abgelehnt: zu früh",
        "nach 1,5 Stunden Arbeitszeit",
        "Regel „Filled in a form“ (20 Punkte): ohne sie 42 Punkte, heiß ab 60",
    ]
    assert [each for each in shown if each not in text] == []
    assert "Frau Sommer" not in text


@pytest.mark.parametrize(
    ("language", "said"), [("de", "Betreuer sind mit Namen genannt"), ("en", "owners are named")]
)
def test_a_page_with_numbers_by_owner_does_not_say_that_it_names_nobody(
    page_in: Pages, told: Told, language: Literal["de", "en"], said: str
) -> None:
    assert said in page_in(language)
    document, voice = told(language)
    without = [one for one in document.sections if one.key != "funnel_by_owner"]
    plain = as_page(replace(document, sections=tuple(without)), voice)
    assert voice.say("report.personal") in plain
    assert said not in plain


def test_what_people_typed_is_never_taken_for_a_tag(page_in: Pages) -> None:
    page = _Page(page_in("de"))
    assert "Researched <shops> & co." in page.text
    assert "shops" not in {tag for tag, _ in page.tags}


def test_every_sentence_is_there_in_both_languages_with_the_same_values() -> None:
    assert not [key for key in WORDS if not _alike(key)]


def _alike(key: str) -> bool:
    named = {
        language: {name for _, name, _, _ in Formatter().parse(WORDS[key][language]) if name}
        for language in LANGUAGES
    }
    return WORDS[key].keys() == set(LANGUAGES) and named["de"] == named["en"]


# --- seen by a browser ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [1180, 700])
def test_a_browser_shows_the_page_and_nothing_is_cut_off(
    page_in: Pages,
    language: Literal["de", "en"],
    width: int,
    look_at: Callable[..., str],
    pictures: Path,
    tmp_path: Path,
) -> None:
    path, measured = tmp_path / "report.html", tmp_path / "measured.html"
    path.write_text(page_in(language), encoding="utf-8")
    # The same page with a script that measures it; the page itself allows none.
    allowed = re.sub(r"<meta http-equiv=[^>]*>", "", page_in(language)).replace("</body>", MEASURE)
    measured.write_text(allowed, encoding="utf-8")
    seen = _seen(look_at(measured, f"--window-size={width},1200", "--dump-dom"))
    assert seen["wide"] <= seen["room"]
    assert seen["cut"] == []
    assert seen["small"] == 0
    assert len(seen["charts"]) >= 6
    assert min(seen["charts"]) > 80
    # On a wide screen every table fits; on a narrow one it can be moved within its own frame.
    assert width < 1000 or seen["broken"] == []

    # The whole of it, for people to look at after the run.
    picture = pictures / f"report-{language}-{width}.png"
    look_at(path, f"--window-size={width},{seen['tall']}", f"--screenshot={picture}")
    content = picture.read_bytes()
    assert struct.unpack(">II", content[16:24]) == (width, seen["tall"])
    assert len(content) > 100_000  # an empty page takes a tenth of that


def _seen(html: str) -> Any:
    found = re.search(r'<pre id="seen">(.*?)</pre>', html, re.S)
    assert found, html[:500]
    return json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


def test_the_page_can_be_printed(page_in: Pages, look_at: Callable[..., str], tmp_path: Path) -> None:
    path, paper = tmp_path / "report.html", tmp_path / "report.pdf"
    path.write_text(page_in("de"), encoding="utf-8")
    look_at(path, "--no-pdf-header-footer", f"--print-to-pdf={paper}")
    content = paper.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) > 3
