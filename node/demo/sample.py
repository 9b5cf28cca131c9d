"""The sample that ships with the program: a thousand and some rows as a factory exports them, bad ones among them."""

from pathlib import Path

_PLACES = (
    Path(__file__).parents[1] / "assets" / "sample",
    Path(__file__).parents[2] / "deploy" / "sample",
)
"""In an installed wheel, and in a source tree."""


def sample_file() -> Path:
    """The CSV file. Raises ``FileNotFoundError``."""
    for place in _PLACES:
        if (place / "products.csv").exists():
            return place / "products.csv"
    raise FileNotFoundError("the sample is missing from the installation")
