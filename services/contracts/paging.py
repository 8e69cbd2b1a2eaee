"""Pages of long lists: the caller hands back `next_cursor` to read on."""

from __future__ import annotations

from services.contracts.schema import ContractSchema, ListOf, Part, WholeNumber
from services.contracts.values import Opaque

MOST_ITEMS = 200
USUAL_ITEMS = 50


class PageQuery(ContractSchema):
    """Which page of a list: at most `limit` items, after the place that `cursor` marks."""

    limit = WholeNumber(1, MOST_ITEMS, load_default=USUAL_ITEMS, about="Most items on the page.")
    cursor = Opaque(about="`next_cursor` of the page before; left out for the first page.")


def items_of(schema: type[ContractSchema]) -> ListOf:
    """The items of a page."""
    return ListOf(Part(schema), most=MOST_ITEMS, required=True)


def next_cursor() -> Opaque:
    """Marks where the next page begins; null on the last page."""
    return Opaque(required=True, allow_none=True, about="Hand it back as `cursor` to read on; null on the last page.")
