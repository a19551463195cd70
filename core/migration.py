"""Requests that older versions wrote, brought to the present schema one version at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.errors import Refusal
from core.requests import SCHEMA

Json = dict[str, Any]
Migration = Callable[[Json], Json]

MIGRATIONS: Mapping[int, Migration] = {}
"""By the schema that is read: what makes the next one of it. Schema 1 is the first there was."""


def migrated(data: Json, migrations: Mapping[int, Migration] = MIGRATIONS, newest: int = SCHEMA) -> Json:
    """The fields of a request of any known schema as those of the ``newest``, without its ``schema``.

    Raises Refusal, naming the schema, where it is newer, is none, or is one that nobody knows how to read.
    """
    schema = data.get("schema")
    if type(schema) is not int or schema < 0:
        raise Refusal("This request does not say its schema, so it cannot be read.", repr(schema)[:100])
    if schema > newest:
        raise Refusal(
            f"This request has schema {schema if schema < 10**9 else 'of many digits'}, but only schemas up to "
            f"{newest} can be read: it was written by a newer version of the program."
        )
    fields = {name: value for name, value in data.items() if name != "schema"}
    for version in range(schema, newest):
        if version not in migrations:
            raise Refusal(f"This request has schema {version}, which can no longer be read.")
        fields = migrations[version](fields)
    return fields
