"""What commands ask again and again is planned once."""

import uuid

import pytest
import sqlalchemy as sa

pytestmark = pytest.mark.integration

PLANNED = sa.text("SELECT statement, custom_plans, generic_plans FROM pg_prepared_statements WHERE custom_plans + generic_plans > 8")

CUSTOM_AT_MOST = 5
"""So often PostgreSQL plans a statement with its values before it compares."""


def test_a_journey_s_statements_keep_their_plans(new_mall, new_regency):
    mall = new_mall(regency=new_regency())
    ktp, kk = mall.agency("CPL", "A", "KTP", "KK")
    counter = mall.counter(1, ktp, kk, agency="CPL")
    for _ in range(12):
        mall.take(ktp, command_id=uuid.uuid4().hex)
        mall.complete(mall.start(mall.call_next(counter)))
    with mall.database.regency_work(mall.regency) as work:
        planned = work.execute(PLANNED).all()
    assert len(planned) > 10
    assert [row.statement for row in planned if row.custom_plans > CUSTOM_AT_MOST] == []
