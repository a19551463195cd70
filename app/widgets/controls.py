"""The controls every stage is made of, in one place to import them from."""

from app.widgets.choices import Choice
from app.widgets.labels import PrimaryButton, align, label
from app.widgets.sections import MoreSection, Unfolded
from app.widgets.seed_box import MAX_SEED, SeedBox
from app.widgets.sliders import NumberEdit, Track, ValueSlider

__all__ = [
    "MAX_SEED",
    "Choice",
    "MoreSection",
    "NumberEdit",
    "PrimaryButton",
    "SeedBox",
    "Track",
    "Unfolded",
    "ValueSlider",
    "align",
    "label",
]
