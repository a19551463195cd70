"""Finding a line of words by a few letters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fuzzy import match


def places(typed: str, text: str) -> tuple[int, ...] | None:
    found = match(typed, text)
    return None if found is None else found.places


@pytest.mark.parametrize(
    ("typed", "text", "expected"),
    [
        ("op", "Open picture", (0, 1)),
        ("OPIC", "Open picture", (0, 5, 6, 7)),
        ("pic open", "Open picture", (0, 1, 2, 3, 5, 6, 7)),
        ("ws", "Schedule in a window, small", (14, 22)),
        ("x", "Open picture", None),
        ("open x", "Open picture", None),
        ("", "Open picture", ()),
    ],
)
def test_that_letters_are_found_in_order_at_the_beginnings_of_words_first(
    typed: str, text: str, expected: tuple[int, ...] | None
) -> None:
    assert places(typed, text) == expected


@pytest.mark.parametrize(
    ("typed", "better", "worse"),
    [
        ("gui", "Guidance w", "Draw a picture: digits under it"),
        ("rl", "Reset layout", "Curl"),
        ("new", "New noise", "The neatest wave"),
        ("pic", "Picture", "A picture"),
    ],
)
def test_that_words_that_begin_so_come_before_words_that_only_hold_the_letters(
    typed: str, better: str, worse: str
) -> None:
    first, second = match(typed, better), match(typed, worse)
    assert first is not None
    assert second is not None
    assert first.score > second.score


@given(st.text(max_size=40), st.text(max_size=8))
def test_that_the_places_found_hold_the_letters_typed(text: str, typed: str) -> None:
    found = match(typed, text)
    if found is None:
        return
    assert list(found.places) == sorted(set(found.places))
    letters = {text[:200].lower()[place] for place in found.places}
    assert letters == {letter for word in typed.lower().split() for letter in word}


@given(st.text(alphabet="abc d", min_size=1, max_size=30), st.data())
def test_that_any_letters_of_a_line_in_their_order_find_it(text: str, data: st.DataObject) -> None:
    kept = data.draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    typed = "".join(letter for letter, keep in zip(text, kept, strict=True) if keep and letter != " ")
    assert match(typed, text) is not None
