"""Frameworks' filters as ours: trees of AND, OR and NOT over comparisons, as far as all our conditions must be met."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sparseembed.errors import ConfigError
from sparseembed.index.filters import ANYTHING, Filter, FilterLike, filters_of
from sparseembed.text import shown

_OPERATORS = {
    **dict.fromkeys(("==", "eq", "in", "any", "contains"), "="),
    **dict.fromkeys(("!=", "ne", "nin", "not in"), "!="),
    **{name: name for name in ("<", "<=", ">", ">=")},
    **{"lt": "<", "lte": "<=", "gt": ">", "gte": ">="},
}
_OPPOSITES = {"=": "!=", "!=": "="}
_ONLY = "all conditions of a search must be met; OR joins values of one field (==, in), NOT takes one == or !="

_Node = TypeVar("_Node")


def comparison(field: str, operator: str, value: Any) -> list[Filter]:
    """Return a comparison of a framework as conditions.

    :param field: The field of the metadata.
    :param operator: As the framework spells it: `==`, `eq`, `in`, `all`, `is_empty` and others.
    :param value: What the field is compared with; None for a field that is not there.
    :raises ConfigError: There is no such operator, or no such comparison.
    """
    if operator == "all":
        return [Filter(field, "=", each) for each in value]
    if operator == "is_empty":
        return [Filter(field, "!=", ANYTHING)]
    if operator not in _OPERATORS:
        known = ", ".join([*_OPERATORS, "all", "is_empty"])
        raise ConfigError(f"the filter of {shown(field)} has the operator {shown(operator)}: operators are {known}")
    ours = _OPERATORS[operator]
    if value is None and ours in _OPPOSITES:
        return [Filter(field, _OPPOSITES[ours], ANYTHING)]
    return [Filter(field, ours, value)]


def logic(operator: str, parts: Sequence[_Node], read: Callable[[_Node], list[Filter]]) -> list[Filter]:
    """Return a branch of a tree of conditions as conditions that must all be met.

    :param operator: `and`, `or` or `not`.
    :param parts: What it joins.
    :param read: Reads one of them.
    :raises ConfigError: It cannot be had by conditions that must all be met.
    """
    each = [read(part) for part in parts]
    joined = [condition for conditions in each for condition in conditions]
    if operator == "and" or (operator == "or" and len(each) == 1):
        return joined
    if operator == "not" and len(joined) == 1 and joined[0].operator in _OPPOSITES:
        (only,) = joined
        return [Filter(only.field, _OPPOSITES[only.operator], only.value)]
    same = {(condition.field, condition.operator) for condition in joined}
    if operator == "or" and len(same) == 1 and all(len(conditions) == 1 for conditions in each):
        ((field, ours),) = same
        if ours == "=":
            return [Filter(field, ours, [value for condition in joined for value in condition.value])]
    raise ConfigError(f"a filter with {operator.upper()} over {len(each)} conditions cannot be searched with: {_ONLY}")


def of_mapping(given: FilterLike | Mapping[str, Any] | None) -> FilterLike | None:
    """Read a filter in the form of LangChain's vector stores, or in our own.

    `{"lang": "de", "year": {"$gte": 2019}}` stands for two conditions; `$and`, `$or` and `$not` join others.

    :param given: The filter.
    :raises ConfigError: It cannot be read.
    """
    return _mapping(given) if isinstance(given, Mapping) else given


def _mapping(given: Mapping[str, Any]) -> list[Filter]:
    found: list[Filter] = []
    for field, value in given.items():
        if field in ("$and", "$or", "$not"):
            parts = [value] if isinstance(value, Mapping) else value
            found += logic(field[1:], parts, _mapping)
        elif field.startswith("$"):
            raise ConfigError(f"a filter joins conditions by {shown(field)}: $and, $or and $not can be used")
        elif isinstance(value, Mapping):
            for operator, operand in value.items():
                found += comparison(field, operator.removeprefix("$"), operand)
        else:
            found += comparison(field, "==", value)
    return found


def both(*given: FilterLike | None) -> FilterLike | None:
    """Join filters: all of them must be met."""
    joined = [condition for each in given if each is not None for condition in filters_of(each)]
    return joined or None
