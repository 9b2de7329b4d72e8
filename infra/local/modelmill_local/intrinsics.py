"""Resolves the intrinsic functions of a CloudFormation template against the local stack."""

import re
from collections.abc import Mapping
from typing import Any, Protocol

ACCOUNT = "123456789012"
REGION = "us-east-1"
# What the local cloud's own clients and functions sign with; moto takes any other as well.
ACCESS_KEY = "local"
SECRET_KEY = ACCESS_KEY

_VARIABLE = re.compile(r"\$\{(!?)([^}]+)\}")
_MISSING = object()


class Names(Protocol):
    """What the names of the template stand for locally."""

    def ref(self, logical_id: str) -> str:
        """The physical id of a resource."""

    def attribute(self, logical_id: str, name: str) -> str:
        """An attribute of a resource."""


class TemplateError(Exception):
    """The template asks for something that the local cloud does not know."""


class Resolver:
    """Turns template values into plain ones; `AWS::NoValue` takes its key away."""

    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, str], stack: str, names: Names) -> None:
        declared = template.get("Parameters", {})
        self._parameters = {name: str(body.get("Default", "")) for name, body in declared.items()}
        unknown = sorted(set(parameters) - set(declared))
        if unknown:
            raise TemplateError(f"no such template parameters: {', '.join(unknown)}")
        self._parameters.update(parameters)
        self._types = {name: body.get("Type", "String") for name, body in declared.items()}
        self._mappings = template.get("Mappings", {})
        self._conditions = template.get("Conditions", {})
        self._names = names
        self._pseudo = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Region": REGION,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": stack,
            "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack}/local",
        }

    def resolve(self, value: Any) -> Any:
        """A copy of `value` without intrinsic functions. Raises: TemplateError."""
        resolved = self._value(value)
        return None if resolved is _MISSING else resolved

    def holds(self, condition: str) -> bool:
        """Whether a named condition of the template is true."""
        if condition not in self._conditions:
            raise TemplateError(f"no such condition: {condition}")
        return bool(self.resolve(self._conditions[condition]))

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self._value, value) if item is not _MISSING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, argument), *_ = value.items()
            if name == "Ref" or name.startswith("Fn::") or (name == "Condition" and isinstance(argument, str)):
                return self._call(name, argument)
        items = ((key, self._value(item)) for key, item in value.items())
        return {key: item for key, item in items if item is not _MISSING}

    def _call(self, name: str, argument: Any) -> Any:
        method = _FUNCTIONS.get(name)
        if method is None:
            raise TemplateError(f"{name} is not known to the local cloud")
        return getattr(self, method)(argument)

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _MISSING
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._parameters:
            text = self._parameters[name]
            return text.split(",") if self._types[name] == "CommaDelimitedList" else text
        return self._names.ref(name)

    def _get_att(self, argument: str | list[str]) -> str:
        logical_id, _, name = argument.partition(".") if isinstance(argument, str) else (argument[0], "", argument[1])
        return self._names.attribute(logical_id, name)

    def _sub(self, argument: str | list[Any]) -> str:
        text, variables = (argument, {}) if isinstance(argument, str) else (argument[0], self.resolve(argument[1]))

        def replace(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return "${" + name + "}"
            if name in variables:
                return str(variables[name])
            return str(self._get_att(name) if "." in name else self._ref(name))

        return _VARIABLE.sub(replace, text)

    def _if(self, argument: list[Any]) -> Any:
        return self._value(argument[1] if self.holds(argument[0]) else argument[2])

    def _find_in_map(self, argument: list[Any]) -> Any:
        table, row, column = (self.resolve(part) for part in argument[:3])
        try:
            return self._mappings[table][row][column]
        except KeyError:
            raise TemplateError(f"no {table}/{row}/{column} in the template's mappings") from None

    def _join(self, argument: list[Any]) -> str:
        return str(argument[0]).join(str(item) for item in self.resolve(argument[1]))

    def _split(self, argument: list[Any]) -> list[str]:
        return str(self.resolve(argument[1])).split(argument[0])

    def _select(self, argument: list[Any]) -> Any:
        return self.resolve(argument[1])[int(self.resolve(argument[0]))]

    def _equals(self, argument: list[Any]) -> bool:
        return bool(self.resolve(argument[0]) == self.resolve(argument[1]))

    def _not(self, argument: list[Any]) -> bool:
        return not self.resolve(argument[0])

    def _and(self, argument: list[Any]) -> bool:
        return all(self.resolve(item) for item in argument)

    def _or(self, argument: list[Any]) -> bool:
        return any(self.resolve(item) for item in argument)


_FUNCTIONS = {
    "Ref": "_ref",
    "Condition": "holds",
    "Fn::And": "_and",
    "Fn::Equals": "_equals",
    "Fn::FindInMap": "_find_in_map",
    "Fn::GetAtt": "_get_att",
    "Fn::If": "_if",
    "Fn::Join": "_join",
    "Fn::Not": "_not",
    "Fn::Or": "_or",
    "Fn::Select": "_select",
    "Fn::Split": "_split",
    "Fn::Sub": "_sub",
}
