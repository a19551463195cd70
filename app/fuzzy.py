"""How well a few typed letters fit a line of words: each letter in order, beginnings of words first."""

from __future__ import annotations

from dataclasses import dataclass

_START, _NEXT, _FOLLOWS, _LATE = 6.0, 7.0, 1.0, 0.05
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Match:
    """``score`` is the higher the better; ``places`` are the positions of the letters in the text, rising."""

    score: float
    places: tuple[int, ...]


def match(typed: str, text: str) -> Match | None:
    """Every word typed must be in the text, its letters in order; letters at the start of a word, and those that
    follow one another, count for more. None where one is not there."""
    text = text[:_LONGEST].lower()
    places: set[int] = set()
    score = 0.0
    for word in typed.lower().split():
        found = _word(word, text)
        if found is None:
            return None
        score += found.score
        places.update(found.places)
    return Match(score, tuple(sorted(places)))


def _word(word: str, text: str) -> Match | None:
    """The best of all ways to find the letters of a word in order."""
    if not _is_within(word, text):
        return None
    ways: dict[int, Match] = {
        at: Match(_worth(at, text, follows=False) - _LATE * at, (at,))
        for at, letter in enumerate(text)
        if letter == word[0]
    }
    for letter in word[1:]:
        longer: dict[int, Match] = {}
        before: Match | None = None
        for at, here in enumerate(text):
            if here == letter:
                options = [
                    (before, _worth(at, text, follows=False)),
                    (ways.get(at - 1), _worth(at, text, follows=True)),
                ]
                found = [Match(way.score + worth, (*way.places, at)) for way, worth in options if way is not None]
                if found:
                    longer[at] = max(found, key=_score)
            way = ways.get(at)
            if way is not None and (before is None or way.score > before.score):
                before = way
        ways = longer
    return max(ways.values(), key=_score)


def _is_within(word: str, text: str) -> bool:
    letters = iter(text)
    return all(letter in letters for letter in word)


def _score(match: Match) -> float:
    return match.score


def _worth(at: int, text: str, follows: bool) -> float:
    starts = at == 0 or not text[at - 1].isalnum()
    return max(_START if starts else _FOLLOWS, _NEXT if follows else 0.0)
