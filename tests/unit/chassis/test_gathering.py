"""What waits for one key goes together; nothing waits for another key, and nothing for ever."""

import threading
from collections.abc import Callable, Iterator

import pytest

from services.chassis.gathering import MOST_AT_FIRST, MOST_QUIET, Gathering
from tests.processes import eventually

pytestmark = pytest.mark.unit


class Desk:
    """Handles groups of numbers; those of a key that is held only when it is let go."""

    def __init__(self, *, most: int = 4, patience: float = 30.0, pace: float = 0.0) -> None:
        self.begun: list[tuple[str, list[int]]] = []
        self.handled: list[tuple[str, list[int]]] = []
        self.given_up: list[int] = []
        self.held: dict[str, threading.Event] = {}
        self.threads: list[threading.Thread] = []
        self.gathering: Gathering[int] = Gathering(
            self._spawn, self._handle, lambda key, items: self.given_up.extend(items), most=most, patience=patience, pace=pace
        )

    def _spawn(self, action: Callable[[], None]) -> None:
        thread = threading.Thread(target=action, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _handle(self, key: str, items) -> None:
        self.begun.append((key, list(items)))
        if key in self.held:
            self.held[key].wait(30)
        self.handled.append((key, list(items)))

    def hold(self, key: str) -> threading.Event:
        self.held[key] = threading.Event()
        return self.held[key]

    def add(self, key: str, *items: int) -> None:
        for item in items:
            self.gathering.add(key, item)

    def settled(self) -> None:
        eventually(lambda: not any(thread.is_alive() for thread in self.threads))


@pytest.fixture(autouse=True)
def nothing_takes_long(monkeypatch) -> None:
    monkeypatch.setattr("services.chassis.gathering.LONG_SECONDS", 60.0)


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    for gate in desk.held.values():
        gate.set()


def test_what_comes_while_nothing_is_under_way_goes_at_once(desk):
    desk.add("a", 1)
    desk.settled()
    desk.add("a", 2)
    desk.settled()
    assert desk.handled == [("a", [1]), ("a", [2])]


def grown(desk: Desk, key: str) -> None:
    """Let the groups of a key become as large as they may."""
    for _ in range(5):
        desk.add(key, 0)
        desk.settled()
    desk.begun.clear()
    desk.handled.clear()


def test_what_comes_meanwhile_goes_together_and_in_order(desk):
    grown(desk, "a")
    gate = desk.hold("a")
    desk.add("a", 1)
    eventually(lambda: desk.begun == [("a", [1])])
    desk.add("a", 2, 3, 4)
    gate.set()
    desk.settled()
    assert desk.handled == [("a", [1]), ("a", [2, 3, 4])]


def sizes_of_groups(desk: Desk, waiting: int) -> list[int]:
    gate = desk.hold("a")
    desk.add("a", 0)
    eventually(lambda: desk.begun == [("a", [0])])
    desk.add("a", *range(1, waiting + 1))
    gate.set()
    desk.settled()
    assert [item for _, items in desk.handled for item in items] == list(range(waiting + 1))
    return [len(items) for _, items in desk.handled[1:]]


def test_groups_grow_to_their_limit_and_the_rest_goes_next():
    assert sizes_of_groups(Desk(most=4 * MOST_AT_FIRST), 8 * MOST_AT_FIRST) == [2 * MOST_AT_FIRST, 4 * MOST_AT_FIRST, 2 * MOST_AT_FIRST]


def test_groups_that_take_long_become_smaller(desk, monkeypatch):
    grown(desk, "a")
    desk.begun.clear()
    monkeypatch.setattr("services.chassis.gathering.LONG_SECONDS", 0.0)
    assert sizes_of_groups(desk, 4) == [1, 1, 1, 1]


def test_one_key_does_not_wait_for_another(desk):
    desk.hold("a")
    desk.add("a", 1, 2)
    desk.add("b", 3)
    eventually(lambda: desk.handled == [("b", [3])])


def test_of_one_key_one_group_at_a_time(desk):
    gate = desk.hold("a")
    desk.add("a", 1)
    eventually(lambda: desk.begun == [("a", [1])])
    desk.add("a", *range(2, 12))
    assert desk.begun == [("a", [1])]
    gate.set()
    desk.settled()


def test_what_has_waited_too_long_is_given_up_and_the_next_is_served(desk):
    impatient = Desk(patience=0.05)
    gate = impatient.hold("a")
    impatient.add("a", 1)
    eventually(lambda: impatient.begun == [("a", [1])])
    impatient.add("a", 2, 3)
    eventually(lambda: impatient.given_up == [2, 3])
    gate.set()
    impatient.settled()
    impatient.add("a", 4)
    impatient.settled()
    assert impatient.handled == [("a", [1]), ("a", [4])]


def test_what_comes_shortly_after_a_group_waits_for_more():
    desk = Desk(pace=0.2)
    desk.add("a", 1)
    eventually(lambda: desk.handled == [("a", [1])])
    desk.add("a", 2, 3)
    desk.settled()
    assert [item for _, items in desk.handled for item in items] == [1, 2, 3]


def test_another_key_and_a_full_group_do_not_wait_for_the_pace():
    desk = Desk(most=2, pace=60.0)
    gate = desk.hold("a")
    desk.add("a", 1)
    eventually(lambda: desk.begun == [("a", [1])])
    desk.add("a", 2, 3)
    desk.add("b", 6)
    eventually(lambda: desk.handled == [("b", [6])])
    gate.set()
    desk.settled()
    assert desk.handled == [("b", [6]), ("a", [1]), ("a", [2, 3])]
    desk.add("a", 7)
    desk.add("b", 8)
    desk.add("c", 9)
    eventually(lambda: desk.handled[3:] == [("c", [9])])


def test_what_is_quiet_takes_no_room(desk):
    for number in range(3 * MOST_QUIET):
        desk.add(f"key-{number}", number)
        desk.settled()
    assert len(desk.gathering._lines) <= MOST_QUIET


def test_nothing_is_lost_and_nothing_is_handled_twice_when_many_bring_at_once(desk):
    start = threading.Barrier(8)

    def bring(first: int) -> None:
        start.wait(10)
        for number in range(first, first + 200):
            desk.add("ab"[number % 2], number)

    bringers = [threading.Thread(target=bring, args=(1000 * each,)) for each in range(8)]
    for bringer in bringers:
        bringer.start()
    for bringer in bringers:
        bringer.join(30)
    desk.settled()
    assert sorted(item for _, items in desk.handled for item in items) == [
        1000 * each + number for each in range(8) for number in range(200)
    ]
