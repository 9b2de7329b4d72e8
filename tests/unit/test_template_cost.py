"""What an idle month costs, by the template."""

from infra import cost
from tests.template_setup import EVERYTHING_ON, ROOT


def test_an_idle_month_costs_less_than_a_dollar() -> None:
    assert 0.1 < cost.total(cost.idle_month()) < 1.0


def test_the_documented_bill_is_the_computed_one() -> None:
    assert cost.table(cost.idle_month()) in (ROOT / "docs" / "operations.md").read_text("utf-8")


def test_what_is_off_by_default_shows_on_the_bill_when_it_is_on() -> None:
    extra = {item.what for item in cost.idle_month(EVERYTHING_ON)} - {item.what for item in cost.idle_month()}

    assert extra == {"KMS key", "dashboard"}
