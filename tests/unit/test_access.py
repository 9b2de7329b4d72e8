"""Keys and usage on the data plane: what is remembered, for how long, and what a month may hold."""

import pytest

from modelmill.errors import QuotaExceeded, Unauthenticated, Unavailable
from modelmill.tenancy.access import REMEMBERED_SECONDS, Access
from tests.serving_fakes import Clock, FakeKeys

NOVEMBER_25 = 1_795_600_000.0


class Setup:
    """Two environments of one stack; a tenant `acme` with the key `mm_a`."""

    def __init__(self, quota: int = 0) -> None:
        self.clock, self.keys = Clock(), FakeKeys()
        self.clock.now = NOVEMBER_25
        self.keys.give("mm_a", "acme", "predict")
        self.access, self.other = (Access(self.keys, quota, self.clock) for _ in range(2))

    def predict(self, count: int = 1, secret: str = "mm_a", access: Access | None = None) -> None:
        access = access or self.access
        tenant = access.key(secret).tenant
        access.check_quota(tenant, count)
        access.count(tenant, count)


def test_a_warm_key_is_read_once_and_use_is_written_once_in_a_while():
    setup = Setup()

    for _ in range(100):
        setup.predict()
        setup.clock.now += 0.125

    assert setup.keys.calls == ["find", "use", "find", "use", "use"]
    assert setup.keys.used == {("acme", "2026-11"): 96}


def test_no_prediction_is_counted_twice_or_lost_while_requests_come():
    setup = Setup()
    for count in (3, 5, 7):
        setup.predict(count)
        setup.clock.now += REMEMBERED_SECONDS
        setup.predict(0)

    assert setup.keys.used == {("acme", "2026-11"): 15}


def test_a_failed_write_keeps_what_is_pending():
    setup = Setup()
    setup.predict(3)
    setup.clock.now += 5
    setup.keys.down = True
    with pytest.raises(Unavailable):
        setup.predict()

    setup.keys.down = False
    setup.predict(1)
    setup.clock.now += 5
    setup.predict(0)

    assert setup.keys.used == {("acme", "2026-11"): 4}


@pytest.mark.parametrize("warm", [0, 1, 2, 3])
@pytest.mark.parametrize("moment", [0.0, 0.1, 3.9])
def test_a_revoked_key_is_refused_within_five_seconds(warm: int, moment: float):
    setup = Setup()
    for _ in range(warm):
        setup.predict()
        setup.clock.now += 5
    setup.predict()
    setup.clock.now += moment
    setup.keys.revoke("mm_a")
    setup.clock.now += 5

    with pytest.raises(Unauthenticated):
        setup.predict()


def test_another_key_of_the_tenant_stays_good_when_one_is_revoked():
    setup = Setup()
    setup.keys.give("mm_b", "acme", "predict")
    for _ in range(3):
        setup.predict(secret="mm_a")
        setup.predict(secret="mm_b")
        setup.clock.now += 5
    setup.keys.revoke("mm_a")

    setup.clock.now += 5
    setup.predict(secret="mm_b")
    with pytest.raises(Unauthenticated):
        setup.predict(secret="mm_a")


def test_a_key_revoked_before_another_is_first_seen_is_still_noticed():
    setup = Setup()
    setup.keys.give("mm_b", "acme", "predict")
    setup.predict(secret="mm_a")
    setup.clock.now += 3
    setup.keys.revoke("mm_a")
    setup.predict(secret="mm_b")
    setup.clock.now += 2

    with pytest.raises(Unauthenticated):
        setup.predict(secret="mm_a")


def test_an_unknown_key_is_asked_for_again_after_some_seconds_only():
    setup = Setup()
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            setup.predict(secret="mm_new")
    assert setup.keys.calls == ["find"]

    setup.keys.give("mm_new", "acme", "predict")
    setup.clock.now += 5
    setup.predict(secret="mm_new")


def test_the_quota_holds_within_one_environment():
    setup = Setup(quota=10)
    setup.predict(9)

    with pytest.raises(QuotaExceeded):
        setup.predict(2)
    setup.predict(1)
    with pytest.raises(QuotaExceeded) as error:
        setup.predict(1)

    assert 0 < (error.value.retry_after or 0) <= 3600


def test_the_quota_holds_over_environments_once_they_have_looked():
    setup = Setup(quota=10)
    setup.predict(6)
    setup.predict(4, access=setup.other)
    setup.clock.now += 5
    setup.predict(0)
    setup.predict(0, access=setup.other)
    setup.clock.now += 5

    for access in (setup.access, setup.other):
        with pytest.raises(QuotaExceeded):
            setup.predict(1, access=access)


def test_a_new_month_starts_from_nothing():
    setup = Setup(quota=10)
    setup.predict(10)
    setup.clock.now += 5
    with pytest.raises(QuotaExceeded):
        setup.predict(1)

    setup.clock.now += 6 * 24 * 3600

    setup.predict(10)
    setup.clock.now += 5
    setup.predict(0)
    assert setup.keys.used == {("acme", "2026-11"): 10, ("acme", "2026-12"): 10}


def test_retry_after_ends_with_the_month():
    setup = Setup(quota=1)
    setup.clock.now = 1_796_083_190.0  # ten seconds before December
    setup.predict(1)

    with pytest.raises(QuotaExceeded) as error:
        setup.predict(1)

    assert error.value.retry_after == 10
