"""Hypothesis here does not measure time: a busy machine is no failure."""

from hypothesis import settings

settings.register_profile("core", deadline=None, max_examples=60)
settings.load_profile("core")
