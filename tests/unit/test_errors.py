"""The error tree is the one drawn at the top of its module."""

import re

from modelmill import errors


def _tree(cls: type[errors.ModelmillError]) -> dict[str, tuple[int, str]]:
    found = {cls.__name__: (cls.status, cls.code)}
    for child in cls.__subclasses__():
        if child.__module__ == errors.__name__:
            found |= _tree(child)
    return found


def test_the_drawing_is_the_tree() -> None:
    drawn = {
        name: (int(status), code) for name, status, code in re.findall(r"(\w+)\s+(\d{3})\s+(\w+)", errors.__doc__ or "")
    }

    assert drawn == _tree(errors.ModelmillError)


def test_codes_are_unique() -> None:
    codes = [code for _, code in _tree(errors.ModelmillError).values()]

    assert len(set(codes)) == len(codes)
