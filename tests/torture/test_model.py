"""The model itself: what it takes for right, and what for wrong."""

import pytest

from tests.torture.model import Change, History, Stretch

HAPPENED = [
    Change(kind, id, version)
    for version, (kind, id) in enumerate(
        [
            ("ADDED", "a"), ("ADDED", "b"), ("EDITED", "a"), ("ADDED", "c"),
            ("DELETED", "b"), ("EDITED", "a"), ("RESTORED", "b"), ("EDITED", "c"),
        ],
        1,
    )
]  # fmt: skip
HISTORY = History(HAPPENED)
NEW_A = Change("ADDED", "a", 6)
NEW_B = Change("ADDED", "b", 7)
NEW_C = Change("ADDED", "c", 8)


def heard(*versions: int | Change) -> list[Change]:
    return [HAPPENED[at - 1] if isinstance(at, int) else at for at in versions]


@pytest.mark.parametrize(
    ("after", "known", "changes"),
    [
        (None, 0, heard()),
        (None, 0, heard(1, 2, 3, 4, 5, 6, 7, 8)),
        (None, 4, heard(5, 6, 7, 8)),
        (0, 0, heard(1, 2, 3, 4, 5, 6, 7, 8)),
        (0, 8, [NEW_A, NEW_B, NEW_C]),
        (0, 7, heard(4, NEW_A, NEW_B, 8)),
        (0, 5, heard(Change("ADDED", "a", 3), 4, 5, 6, 7)),
        (0, 6, [Change("ADDED", "c", 4), Change("DELETED", "b", 5), NEW_A]),
        (2, 8, heard(6, 7, NEW_C)),
        (2, 0, heard(3, 4)),
        (7, 0, heard(8)),
    ],
)
def test_right(after: int | None, known: int, changes: list[Change]) -> None:
    assert HISTORY.faults(Stretch(after, known, changes)) == []


@pytest.mark.parametrize(
    ("after", "known", "changes"),
    [
        (None, 5, heard(5, 6)),
        (None, 0, heard(5, 7)),
        (None, 0, heard(5, 6, 6)),
        (None, 0, heard(5, 7, 6)),
        (None, 0, heard(5, NEW_A)),
        (0, 0, heard(1, 2, 4)),
        (0, 5, heard(1, 2, 3)),
        (0, 0, [Change("EDITED", "a", 6), NEW_B]),
        (0, 0, [*heard(4), NEW_B]),
        (0, 0, heard(2, 3, NEW_A)),
        (2, 0, heard(2, 3)),
        (2, 0, heard(4, NEW_A)),
        (4, 0, [Change("RESTORED", "b", 5)]),
        (4, 0, [Change("DELETED", "a", 5)]),
        (7, 0, heard(8, Change("EDITED", "c", 9))),
    ],
)
def test_wrong(after: int | None, known: int, changes: list[Change]) -> None:
    assert len(HISTORY.faults(Stretch(after, known, changes))) == 1
