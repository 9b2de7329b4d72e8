"""How the local cloud resolves a template."""

import json

import pytest

from modelmill_local.intrinsics import Resolver, TemplateError
from modelmill_local.schedules import ticks_of
from modelmill_local.template import Resource, Stack

TEMPLATE = {
    "Parameters": {
        "Origin": {"Type": "String", "Default": ""},
        "Rate": {"Type": "Number", "Default": 5},
        "Zones": {"Type": "CommaDelimitedList", "Default": "a,b"},
    },
    "Mappings": {"Images": {"us-east-1": {"Account": "1"}}},
    "Conditions": {
        "HasOrigin": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Origin"}, ""]}]},
        "Both": {"Fn::And": [{"Condition": "HasOrigin"}, {"Fn::Equals": [{"Ref": "Rate"}, "5"]}]},
        "Either": {"Fn::Or": [{"Condition": "HasOrigin"}, {"Condition": "Both"}]},
    },
}


class Names:
    def ref(self, logical_id: str) -> str:
        if logical_id != "Table":
            raise TemplateError(f"no {logical_id}")
        return "the-table"

    def attribute(self, logical_id: str, name: str) -> str:
        return f"{logical_id}/{name}"


def resolver(**parameters: str) -> Resolver:
    return Resolver(TEMPLATE, parameters, "stack", Names())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Table"}, "the-table"),
        ({"Ref": "Rate"}, "5"),
        ({"Ref": "Zones"}, ["a", "b"]),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Fn::GetAtt": ["Table", "Arn"]}, "Table/Arn"),
        ({"Fn::GetAtt": "Table.Arn"}, "Table/Arn"),
        ({"Fn::Sub": "${AWS::StackName}-${Table}-${Table.Arn}-${!literal}"}, "stack-the-table-Table/Arn-${literal}"),
        ({"Fn::Sub": ["${a}/${Rate}", {"a": {"Ref": "Table"}}]}, "the-table/5"),
        ({"Fn::FindInMap": ["Images", {"Ref": "AWS::Region"}, "Account"]}, "1"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Rate"}]]}, "a-5"),
        ({"Fn::Select": [1, {"Fn::Split": [",", "a,b"]}]}, "b"),
        ({"Fn::If": ["HasOrigin", "yes", {"Ref": "AWS::NoValue"}]}, None),
        ({"kept": 1, "gone": {"Ref": "AWS::NoValue"}}, {"kept": 1}),
        ([{"Ref": "AWS::NoValue"}, 1], [1]),
        ({"Condition": {"StringEquals": {"a": {"Ref": "Rate"}}}}, {"Condition": {"StringEquals": {"a": "5"}}}),
    ],
    ids=lambda value: json.dumps(value)[:50],
)
def test_intrinsic_functions(value, expected):
    assert resolver().resolve(value) == expected


def test_conditions_follow_the_parameters():
    without, with_origin = resolver(), resolver(Origin="https://x")
    assert [without.holds(name) for name in ("HasOrigin", "Both", "Either")] == [False] * 3
    assert [with_origin.holds(name) for name in ("HasOrigin", "Both", "Either")] == [True] * 3


@pytest.mark.parametrize(
    "value",
    [{"Ref": "Nothing"}, {"Fn::FindInMap": ["Images", "x", "y"]}, {"Fn::Cidr": []}, {"Fn::If": ["No", 1, 2]}],
    ids=lambda value: next(iter(value)),
)
def test_what_is_not_known_is_an_error(value):
    with pytest.raises(TemplateError):
        resolver().resolve(value)


def test_unknown_parameters_are_refused():
    with pytest.raises(TemplateError, match="Nope"):
        resolver(Nope="1")


def scheduled(expression: str, **properties) -> Stack:
    body = {"ScheduleExpression": expression, "Targets": [{"Arn": "arn:q", "Id": "q"}], **properties}
    return Stack({"Rule": Resource("Rule", "AWS::Events::Rule", "rule", "arn:rule", body)})


@pytest.mark.parametrize(
    ("expression", "seconds"), [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 hours)", 7200)]
)
def test_rates_tick(expression, seconds):
    assert [tick.seconds for tick in ticks_of(scheduled(expression))] == [seconds]


def test_disabled_rules_do_not_tick_and_other_expressions_are_refused():
    assert ticks_of(scheduled("rate(1 minute)", State="DISABLED")) == []
    with pytest.raises(ValueError, match="cron"):
        ticks_of(scheduled("cron(0 12 * * ? *)"))
