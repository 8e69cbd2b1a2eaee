"""The audit log: what a row says, and that nobody changes the log without being found out."""

import json
from contextlib import suppress

import pytest
import sqlalchemy as sa

from services.chassis import audit, audit_chain, audit_sealing
from services.chassis.audit_chain import Anchor
from services.chassis.audit_sealing import Sealer, seal
from services.chassis.context import SYSTEM, Actor, CallContext
from services.chassis.extensions import upkeep
from tests.integration.chassis.conftest import call, schema

pytestmark = pytest.mark.integration

OFFICER = Actor("budi@x", "officer", "x")


def act(database, regency: str, action: str = "add_entry", *notes, actor: Actor = OFFICER, answer=None) -> None:
    """One action of somebody."""
    context = CallContext(regency, actor, "k", traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01", client="10.1.2.0/24").within(5)
    with database.regency_work(regency, context=context) as work:
        for note in notes:
            audit.note(work, *note)
        audit.record(work, action, {"counter": "main-01"}, answer)


def rows(administration, regency: str) -> list[dict]:
    return [dict(row._mapping) for row in administration.run(f"SELECT * FROM {schema(regency)}.audit_log ORDER BY id")]


def sealed(database, regency: str) -> int:
    with database.regency_work(regency) as work:
        done = seal(work, regency, "ledger")
    assert done is not None
    return done[0]


def verify(database, regency: str, anchor: Anchor | None = None) -> audit_chain.Report:
    with database.regency_work(regency, read_only=True) as work:
        report = audit_chain.verify(work, "ledger")
        if anchor is not None:
            report.broken = report.broken or audit_chain.compare(work, report, anchor)
    return report


def head(database, regency: str) -> Anchor:
    with database.regency_work(regency, read_only=True) as work:
        newest = audit_chain.head(work)
    return Anchor(regency, "ledger", newest.sequence, newest.hash.hex())


@pytest.fixture
def chained(database, regency) -> str:
    """A regency with a sealed chain of five rows."""
    for number in range(5):
        act(database, regency, "change", ("entry", f"e{number}", ({"amount": number}, {"amount": number + 1})))
    assert sealed(database, regency) == 5
    return regency


class TestARow:
    def test_says_who_did_what_where_and_from_where(self, database, administration, regency):
        act(database, regency, "change", ("entry", "e1", ({"amount": 1}, {"amount": 2}), {"site": "main", "agency": "CPL"}))
        [row] = rows(administration, regency)
        assert (row["actor"], row["role"], row["action"], row["kind"], row["subject"]) == ("budi@x", "officer", "change", "entry", "e1")
        assert (row["before"], row["after"]) == ({"amount": 1}, {"amount": 2})
        assert (row["site"], row["agency"], row["counter"]) == ("main", "CPL", None)
        assert (row["client"], row["command_id"], row["refused"]) == ("10.1.2.0/24", "k", None)
        assert row["traceparent"].startswith("00-aaaa")

    def test_there_is_one_for_each_object(self, database, administration, regency):
        notes = [("ticket", "a", ({"status": "called"}, {"status": "serving"})), ("ticket", "b", (None, {"status": "waiting"}))]
        act(database, regency, "transfer", *notes, ("ticket", "a", ({"lane": "regular"}, {"lane": "priority"})))
        found = [(row["subject"], row["before"], row["after"]) for row in rows(administration, regency)]
        assert found == [
            ("a", {"status": "called", "lane": "regular"}, {"status": "serving", "lane": "priority"}),
            ("b", None, {"status": "waiting"}),
        ]

    def test_an_action_that_changes_nothing_has_one_too(self, database, administration, regency):
        act(database, regency, "call_next")
        [row] = rows(administration, regency)
        assert (row["kind"], row["subject"], row["counter"], row["before"], row["after"]) == ("counter", "main-01", "main-01", None, None)

    def test_what_must_not_be_kept_is_not(self):
        before, after = {"name": "Siti", "password": "a", "active": True}, {"name": "Sari", "password": "a", "active": False}
        assert audit.differing(before, after, {"name", "password"}) == (
            {"active": True, "name": audit.WITHHELD},
            {"active": False, "name": audit.WITHHELD},
        )

    def test_is_not_there_for_what_the_platform_does(self, database, administration, regency):
        act(database, regency, "change", ("entry", "e1", ({"amount": 1}, {"amount": 2})), actor=SYSTEM)
        assert rows(administration, regency) == []

    def test_what_is_undone_was_not_done(self, database, administration, regency):
        with database.regency_work(regency, context=call(regency, actor=OFFICER)) as work:
            with suppress(ValueError), work.attempt():
                audit.note(work, "entry", "e1", ({"amount": 1}, {"amount": 2}))
                raise ValueError
            audit.record(work, "change", {"id": "e2"}, None)
        assert [row["subject"] for row in rows(administration, regency)] == ["e2"]


class TestARefusal:
    def test_of_what_the_account_may_not_do_is_kept(self, database, administration, regency):
        audit.refuse(database, call(regency, actor=OFFICER), "cancel_ticket", {"id": "t1", "reason": "x" * 9}, "agency_forbidden")
        [row] = rows(administration, regency)
        assert (row["actor"], row["action"], row["subject"], row["refused"]) == ("budi@x", "cancel_ticket", "t1", "agency_forbidden")
        assert (row["before"], row["after"]) == (None, None)

    @pytest.mark.parametrize(
        ("code", "actor"), [("ticket_state_conflict", OFFICER), ("regency_forbidden", OFFICER), ("role_forbidden", SYSTEM)]
    )
    def test_that_is_everyday_work_or_nobody_s_is_not(self, database, administration, regency, code, actor):
        audit.refuse(database, call(regency, actor=actor), "cancel_ticket", {"id": "t1"}, code)
        assert rows(administration, regency) == []

    def test_keeps_no_text_that_is_no_id(self, database, administration, regency):
        audit.refuse(database, call(regency, actor=OFFICER), "x", {"id": "a" * 101, "site": ["main"]}, "role_forbidden")
        [row] = rows(administration, regency)
        assert (row["subject"], row["site"]) == (None, None)


class TestTheChain:
    def test_holds(self, database, chained):
        report = verify(database, chained)
        assert (report.rows, report.first, report.head.sequence, report.unsealed, report.broken) == (5, 1, 5, 0, None)

    def test_counts_what_is_not_sealed_yet(self, database, chained):
        act(database, chained)
        report = verify(database, chained)
        assert (report.rows, report.unsealed, report.broken) == (5, 1, None)
        assert sealed(database, chained) == 1
        assert sealed(database, chained) == 0, "once"
        assert verify(database, chained).head.sequence == 6

    @pytest.mark.parametrize(
        ("forgery", "row"),
        [
            ("UPDATE {}.audit_log SET actor = 'other@x' WHERE subject = 'e2'", 3),
            ("UPDATE {}.audit_log SET at = at - interval '1 hour' WHERE subject = 'e2'", 3),
            ("UPDATE {}.audit_log SET after = '{{\"amount\": 9}}' WHERE subject = 'e2'", 3),
            ("DELETE FROM {}.audit_log WHERE subject = 'e2'", 3),
            ("DELETE FROM {}.audit_seal WHERE sequence = 3", 3),
            ("UPDATE {}.audit_seal SET entry = -1 WHERE sequence = 3", 3),
            ("UPDATE {}.audit_seal SET hash = sha256('x') WHERE sequence = 5", 5),
            ("DELETE FROM {0}.audit_seal WHERE sequence = 1", 1),
            ("UPDATE {}.audit_log SET subject = 'e9' WHERE subject = 'e0'", 1),
        ],
    )
    def test_breaks_where_somebody_has_changed_the_past(self, database, administration, chained, forgery, row):
        administration.run(forgery.format(schema(chained)))
        report = verify(database, chained)
        assert report.broken is not None
        assert f"row {row} " in report.broken
        assert report.rows == row - 1

    def test_that_was_made_anew_is_another_than_the_anchor_s(self, database, administration, chained):
        anchor = head(database, chained)
        assert verify(database, chained, anchor).broken is None
        administration.run(f"UPDATE {schema(chained)}.audit_log SET actor = 'other@x' WHERE subject = 'e0'")
        administration.run(f"DELETE FROM {schema(chained)}.audit_seal")
        assert sealed(database, chained) == 5
        assert verify(database, chained).broken is None, "in itself it fits"
        assert "the chain was made anew" in str(verify(database, chained, anchor).broken)

    def test_whose_end_was_cut_off_is_shorter_than_the_anchor_s(self, database, administration, chained):
        anchor = head(database, chained)
        administration.run(f"DELETE FROM {schema(chained)}.audit_seal WHERE sequence > 3")
        administration.run(f"DELETE FROM {schema(chained)}.audit_log WHERE subject IN ('e3', 'e4')")
        assert verify(database, chained).broken is None
        assert "an anchor knows row 5" in str(verify(database, chained, anchor).broken)

    def test_can_be_followed_with_nothing_but_its_rows(self, database, administration, chained):
        """As a page for auditors says: canonical JSON of a row, with the hash of the row before in it."""
        with database.regency_work(chained, read_only=True) as work:
            links = work.execute(audit_chain._LINKS, {"after": 0, "limit": 10}).mappings().all()
        previous = bytes(32)
        for row in links:
            linked = json.loads(json.dumps(audit_chain.link(chained, "ledger", row["sequence"], previous, dict(row))))
            previous = audit_chain.hash_of(linked)
            assert previous == bytes(row["hash"])


class TestSealing:
    def test_takes_turns(self, database, regency):
        act(database, regency)
        with database.regency_work(regency) as first:
            assert seal(first, regency, "ledger") is not None
            with database.regency_work(regency) as second:
                assert seal(second, regency, "ledger") is None
        assert verify(database, regency).rows == 1

    def test_does_not_pass_over_who_commits_late(self, database, regency):
        with database.regency_work(regency, context=call(regency, actor=OFFICER)) as late:
            audit.record(late, "late", {}, {"id": "late"})
            late.flush()
            act(database, regency, answer={"id": "early"})
            assert sealed(database, regency) == 1
        assert sealed(database, regency) == 1
        assert verify(database, regency).unsealed == 0

    def test_a_sealer_seals_what_this_process_has_written_and_what_others_left(
        self, database, provisioner, ledger_url, regency, new_regency
    ):
        left = new_regency()
        act(database, left)  # by a process that has died since
        sealer = Sealer(database)
        act(database, regency)
        sealer.round()
        for _ in range(200):
            if verify(database, left).rows:
                break
            sealer.round()
        assert verify(database, regency).rows == verify(database, left).rows == 1

    def test_of_many_regencies_some_have_their_turn_and_nobody_is_forgotten(self, database, provisioner, new_regency, monkeypatch):
        monkeypatch.setattr(audit_sealing, "SEALED_IN_A_ROUND", 2)
        monkeypatch.setattr(audit_sealing, "LOOKS_IN_A_ROUND", 0)
        names = [new_regency() for _ in range(5)]
        sealer = Sealer(database)
        for name in names:
            act(database, name)
        sealer.round()
        done = [name for name in names if verify(database, name).rows]
        assert len(done) == 2
        for name in done:
            act(database, name)  # who is busy does not come before the others
        sealer.round()
        sealer.round()
        assert all(verify(database, name).rows for name in names)
        sealer.round(last=True)
        assert [verify(database, name).unsealed for name in names] == [0] * 5

    def test_a_row_that_was_committed_after_many_others_is_sealed_within_a_minute(self, database, regency, monkeypatch):
        monkeypatch.setattr(audit_sealing, "LATE_ROWS", 3)
        sealer = Sealer(database)
        sealer.round()  # has looked back far; a minute from now it does again
        with database.regency_work(regency, context=call(regency, actor=OFFICER)) as late:
            audit.record(late, "late", {}, {"id": "late"})
            late.flush()
            for _ in range(5):
                act(database, regency)
            sealer.round()
        sealer.remember(regency)
        sealer.round()
        assert verify(database, regency).unsealed == 1
        monkeypatch.setattr(audit_sealing, "LATER_SECONDS", 0.0)
        sealer.remember(regency)
        sealer.round()
        assert verify(database, regency).unsealed == 0

    def test_a_service_cannot_change_what_is_sealed(self, database, chained):
        for table in ("audit_log", "audit_seal", "audit_cut"):
            for statement in (f"DELETE FROM {table}", f"TRUNCATE {table}"):
                with pytest.raises(sa.exc.ProgrammingError), database.regency_work(chained) as work:
                    work.execute(sa.text(statement))
        with pytest.raises(sa.exc.ProgrammingError), database.regency_work(chained) as work:
            work.execute(sa.text("UPDATE audit_seal SET hash = hash"))
        with pytest.raises(sa.exc.ProgrammingError), database.platform_work() as platform:
            platform.execute(sa.text("DELETE FROM audit_log"))


class TestRetention:
    def grown_old(self, administration, regency: str, subjects: str, years: int) -> None:
        administration.run(f"UPDATE {schema(regency)}.audit_log SET at = now() - interval '{years} years' WHERE subject IN ({subjects})")

    def old(self, database, administration, regency: str) -> None:
        """Three rows of six years ago, two of four, sealed."""
        for number in range(5):
            act(database, regency, "change", ("entry", f"e{number}", ({"amount": number}, {"amount": number + 1})))
        self.grown_old(administration, regency, "'e0', 'e1', 'e2'", 6)
        self.grown_old(administration, regency, "'e3', 'e4'", 4)
        assert sealed(database, regency) == 5

    def test_what_is_older_is_removed_and_the_chain_begins_later(self, database, administration, regency):
        self.old(database, administration, regency)
        anchors = head(database, regency)
        upkeep(database, 24, 60)
        sealed(database, regency)
        report = verify(database, regency, anchors)
        assert (report.broken, report.cut_before, report.first, report.rows) == (None, 3, 4, 3)
        assert [(row["action"], row["subject"]) for row in rows(administration, regency)] == [
            ("change", "e3"),
            ("change", "e4"),
            ("audit_cut", None),
        ]
        upkeep(database, 24, 60)
        assert len(rows(administration, regency)) == 3, "once"

    def test_a_chain_of_which_nothing_is_left_goes_on_with_its_number(self, database, administration, regency):
        self.old(database, administration, regency)
        upkeep(database, 24, 36)
        sealed(database, regency)
        report = verify(database, regency)
        assert (report.broken, report.cut_before, report.head.sequence, report.rows) == (None, 5, 6, 1)

    def test_nothing_of_the_last_year_is_removed_whatever_is_asked_for(self, database, administration, regency):
        act(database, regency)
        sealed(database, regency)
        with database.platform_work() as work:
            work.execute(sa.text("SELECT platform.cut_audit_log(:schema, now())"), {"schema": schema(regency)})
        assert len(rows(administration, regency)) == 1

    def test_a_beginning_that_was_removed_otherwise_is_missing(self, database, administration, regency):
        self.old(database, administration, regency)
        upkeep(database, 24, 60)
        administration.run(f"DELETE FROM {schema(regency)}.audit_cut")
        assert "row 1 is missing" in str(verify(database, regency).broken)
