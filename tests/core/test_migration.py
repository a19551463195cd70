"""Requests of other schemas: older ones are brought to the present one, newer ones are refused by name."""

from __future__ import annotations

import pytest

from core.errors import Refusal
from core.migration import MIGRATIONS, migrated
from core.requests import SCHEMA


def one_name(data: dict) -> dict:
    """Schema 1 called the seed "noise"."""
    return {("seed" if name == "noise" else name): value for name, value in data.items()}


def steps_of_all(data: dict) -> dict:
    """Schema 2 had no steps."""
    return {**data, "steps": 50}


STEPS = {1: one_name, 2: steps_of_all}


def test_that_an_older_form_is_brought_to_the_newest_one_version_at_a_time() -> None:
    assert migrated({"schema": 1, "noise": 7}, STEPS, 3) == {"seed": 7, "steps": 50}
    assert migrated({"schema": 2, "seed": 7}, STEPS, 3) == {"seed": 7, "steps": 50}
    assert migrated({"schema": 3, "seed": 7, "steps": 9}, STEPS, 3) == {"seed": 7, "steps": 9}


def test_that_what_is_read_is_not_changed() -> None:
    data = {"schema": 1, "noise": 7}
    migrated(data, STEPS, 3)
    assert data == {"schema": 1, "noise": 7}


@pytest.mark.parametrize(
    ("schema", "words"), [(4, "schema 4"), (10**50, "many digits"), (0, "schema 0")], ids=["newer", "huge", "lost"]
)
def test_that_a_schema_that_cannot_be_read_is_named(schema: int, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        migrated({"schema": schema}, STEPS, 3)


@pytest.mark.parametrize("schema", [None, "1", True, 1.0, -1, [1]])
def test_that_what_is_no_schema_is_refused(schema: object) -> None:
    with pytest.raises(Refusal, match="does not say its schema"):
        migrated({"schema": schema})


def test_that_every_schema_since_the_first_can_be_read() -> None:
    assert set(MIGRATIONS) == set(range(1, SCHEMA))
