"""What would make a mail wrong is found when it is built, and each check finds what is planted for it."""

import re

import pytest
from babel.messages import Catalog
from babel.messages.pofile import read_po

from services.notifier.render_checks import catalogue_problems, main, template_problems
from services.notifier.render_languages import FALLBACK, TEMPLATES, file_of, languages
from services.notifier.render_layout import COMPILED, SOURCE, LayoutError, compile_layout

ONE = "Your %(plan)s subscription has ended"
MANY = "Nobody has used your %(plan)s account for at least %(num)d day."


def catalogue(language: str = "tr") -> Catalog:
    with file_of(language).open("rb") as file:
        return read_po(file, locale=language)


def about(found: list[str], text: str) -> list[str]:
    return [each.partition(f"{text!r} ")[2] for each in found if repr(text) in each]


@pytest.mark.parametrize("language", sorted(languages()))
def test_no_language_has_an_unsure_text_or_a_broken_placeholder(language: str) -> None:
    found = catalogue_problems(language, catalogue(language))
    assert [each for each in found if "placeholder" in each or "fuzzy" in each] == []


def test_english_has_every_text() -> None:
    assert list(catalogue_problems(FALLBACK, catalogue(FALLBACK))) == []


def test_a_missing_text_is_found() -> None:
    lacking = catalogue()
    lacking.delete(ONE)
    assert about(list(catalogue_problems("tr", lacking)), ONE) == ["is missing"]


def test_a_text_that_is_marked_as_fuzzy_is_found() -> None:
    unsure = catalogue()
    unsure[ONE].flags.add("fuzzy")
    assert about(list(catalogue_problems("tr", unsure)), ONE) == ["is marked as fuzzy"]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("", "is not translated"),
        ("Aboneliğiniz sona erdi", "has the placeholders [] instead of ['plan']"),
        ("%(plan)s aboneliğiniz %(day)s sona erdi", "has the placeholders ['day', 'plan'] instead of ['plan']"),
        ("%(plan)s ve %(plan) aboneliğiniz", "has a broken placeholder"),
    ],
)
def test_a_broken_translation_is_found(said: str, problem: str) -> None:
    wrong = catalogue()
    wrong[ONE].string = said
    assert about(list(catalogue_problems("tr", wrong)), ONE) == [problem]


def test_a_form_for_one_day_may_do_without_its_number_but_no_form_without_its_plan() -> None:
    plural = catalogue("et")
    message = plural[MANY]
    assert message is not None
    message.string = ("Üks päev: %(plan)s", "%(num)d päeva: %(plan)s")
    assert about(list(catalogue_problems("et", plural)), MANY) == []
    message.string = ("Üks päev", "%(num)d päeva: %(plan)s")
    assert about(list(catalogue_problems("et", plural)), MANY) == ["has the placeholders [] instead of ['num', 'plan']"]


def test_every_template_speaks_of_what_is_there() -> None:
    assert [found for path in TEMPLATES.glob("*.jinja") for found in template_problems(path.name, path.read_text())] == []


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ p(_('Hello %(name)s', name=nmae)) }}", "x: there is no nmae"),
        ("{{ fact.ends_att|day }}", "x: no fact has ends_att"),
        ("{{ paragraph('x') }}", "x: there is no paragraph"),
        ("{{ fact.ends_at|days }}", "x:1: No filter named 'days'."),
        ("{% if fact.ends_at %}", "x:1: Unexpected end of template."),
    ],
)
def test_a_template_that_speaks_of_what_is_not_there_is_found(source: str, problem: str) -> None:
    [found] = template_problems("x", source)
    assert found.startswith(problem)


def test_the_layout_is_what_its_source_says_and_links_to_nothing_outside() -> None:
    assert compile_layout(SOURCE.read_text()) == COMPILED.read_text()
    assert "googleapis" not in COMPILED.read_text()
    assert "<img" not in COMPILED.read_text()


@pytest.mark.parametrize("change", [("<mj-section", "<mj-secton"), ("</mj-column>", ""), ("mj-text", "mj-txt")])
def test_a_layout_with_a_misspelt_tag_is_refused(change: tuple[str, str]) -> None:
    with pytest.raises(LayoutError):
        compile_layout(SOURCE.read_text().replace(*change))


def test_a_problem_fails_the_build(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(lambda: iter(())) == 0
    assert main(lambda: iter(("tr: 'Ended' is missing",))) == 1
    assert "is missing" in capsys.readouterr().err


def _luminance(color: str) -> float:
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


LIGHT = [("#1f2933", "#ffffff"), ("#52606d", "#ffffff"), ("#1d4ed8", "#ffffff"), ("#ffffff", "#1d4ed8"), ("#b42318", "#ffffff")]
DARK = [("#e8ecf1", "#14181f"), ("#aab4c0", "#14181f"), ("#9cc2ff", "#14181f"), ("#ffffff", "#2563eb"), ("#ffb4a9", "#14181f")]


@pytest.mark.parametrize(("ink", "paper"), LIGHT + DARK)
def test_everything_can_be_read_by_weak_eyes(ink: str, paper: str) -> None:
    darker, lighter = sorted((_luminance(ink), _luminance(paper)))
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5  # WCAG 2.2, AA


def test_no_colour_is_used_that_was_not_looked_at() -> None:
    written = COMPILED.read_text() + (TEMPLATES / "_parts.html").read_text()
    looked_at = {color for pair in LIGHT + DARK for color in pair} | {"#f4f5f7", "#c5ccd4", "#9aa5b1"}  # the last three bear no words
    assert set(re.findall(r"#[0-9a-f]{6}", written)) <= looked_at
