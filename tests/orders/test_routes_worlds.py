"""A few of the orders of `make prove-routes`: on recorded books nobody is worse off for the route that was taken."""

import pytest

from tests.factories import make_user
from tests.orders.worlds import Contest, compare_everything, store


@pytest.mark.django_db
def test_no_order_is_worse_off_by_more_than_a_tick_and_each_kind_of_route_is_taken() -> None:
    store()
    compare_everything(make_user("carol", is_staff=True))
    tally = Contest(make_user("alice"), make_user("bob"), seed=7).play(60)
    assert not tally.told
    assert set(tally.kinds) == {"DIRECT", "SOR", "TWO_LEGS", "CROSS"}
    assert all(kind.saved_bps >= 0 for kind in tally.kinds.values())
