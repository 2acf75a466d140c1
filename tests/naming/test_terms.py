"""Words of captions, whatever their spelling does to their length."""

from __future__ import annotations

import pytest

from blindspots_hub.naming.terms import terms_of


@pytest.mark.parametrize(
    ("caption", "terms"),
    [
        ("Große Straße", ["grosse", "grosse strasse", "strasse"]),
        ("ßßß ßßß ßßß", ["ssssss", "ssssss ssssss", "ssssss", "ssssss ssssss", "ssssss"]),
        ("ßß/Tree", ["ssss", "tree"]),  # nothing but a space or a hyphen joins two words
        ("ﬁne day", ["fine", "fine day", "day"]),
    ],
)
def test_words_side_by_side_where_case_folding_changes_lengths(
    caption: str, terms: list[str]
) -> None:
    assert list(terms_of(caption)) == terms
