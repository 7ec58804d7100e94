"""Every language says the same: no text is missing, and none has lost a placeholder."""

from collections.abc import Iterator, Mapping
import json
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

import custom_components.voltus as integration

FOLDER = Path(integration.__file__).parent / "translations"
LANGUAGES = ("es", "es-419", "fr")


def texts(language: str) -> dict[str, str]:
    """Return every text of a language by its path."""
    file = FOLDER / f"{language}.json"
    return dict(_leaves(json.loads(file.read_text(encoding="utf-8"))))


def _leaves(part: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in part.items():
        if isinstance(value, str):
            yield f"{path}/{key}", value
        else:
            yield from _leaves(value, f"{path}/{key}")


def placeholders(text: str) -> list[str]:
    """Return the names in braces, in order of the alphabet."""
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name)


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
