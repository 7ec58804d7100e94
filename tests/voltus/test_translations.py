"""Every language says the same: no text is missing, and none has lost a placeholder."""

import json

import pytest

from .test_strings import ROOM, leaves, placeholders

FOLDER = ROOM / "translations"
LANGUAGES = ("es", "es-419", "fr")


def texts(language: str) -> dict[str, str]:
    """Return every text of a language by its path."""
    file = FOLDER / f"{language}.json"
    return dict(leaves(json.loads(file.read_text(encoding="utf-8"))))


def test_the_languages_are_those_of_voltus_markets() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == {"en", *LANGUAGES}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_there_with_its_placeholders(language: str) -> None:
    english, translated = texts("en"), texts(language)
    assert translated.keys() == english.keys()
    for path, text in english.items():
        assert placeholders(translated[path]) == placeholders(text), path


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_translated(language: str) -> None:
    english, translated = texts("en"), texts(language)
    sentences = {path for path, text in english.items() if text.count(" ") > 3}
    assert [path for path in sentences if translated[path] == english[path]] == []


def test_spanish_is_one_in_spain_and_in_latin_america() -> None:
    """Home Assistant falls back from es-419 to English alone."""
    assert texts("es-419") == texts("es")
