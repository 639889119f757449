"""Checks of arguments that raise `InputError` as "argument: expected ..., received ...".

`option` describes a field of a dataclass, for `check_fields` and for flags (`cli.define_fields`).
"""

import dataclasses
import math
import numbers
import typing

from animegan_tf.errors import InputError


def option(default=dataclasses.MISSING, text=None, *, choices=None, kind=None, **limits):
    """A field of a dataclass.

    `text` is what `--help` says; fields without one have no flag. `choices` are the strings that
    are allowed. `limits` are the `least`, `most`, `above` and `below` of `check_number`; `kind` is
    its `kind`, or "seconds", whose flag also takes h:mm:ss.
    """
    metadata = {"text": text, "choices": choices, "kind": kind, "limits": limits}
    return dataclasses.field(default=default, metadata=metadata)


def field_type(field):
    """bool, int, float, str or tuple: the type of a field besides None."""
    types = typing.get_args(field.type)
    first = types[0] if type(None) in types else field.type
    return typing.get_origin(first) or first


def check_fields(instance):
    """Check all fields of a dataclass that `option` describes; numbers of a tuple become floats.

    None passes where it is the default.
    """
    for field in dataclasses.fields(instance):
        value, described = getattr(instance, field.name), field.metadata
        if not described or (value is None and field.default is None):
            continue
        kind, limits = field_type(field), described["limits"]
        if described["choices"]:
            check_choice(field.name, value, described["choices"])
        elif kind is bool and not isinstance(value, bool):
            raise InputError(f"{field.name}: expected True or False, received {value!r}")
        elif kind is int:
            check_whole(field.name, value, **{"least": -math.inf, **limits})
        elif kind is float:
            check_number(field.name, value, **limits, kind=described["kind"] or "a number")
        elif kind is tuple:
            numbers_ = check_numbers(field.name, value, len(_item_types(field)), **limits)
            object.__setattr__(instance, field.name, numbers_)


def _item_types(field):
    """The types in `tuple[...]` or `tuple[...] | None`."""
    if typing.get_origin(field.type) is tuple:
        return typing.get_args(field.type)
    return typing.get_args(typing.get_args(field.type)[0])


def check_choice(name, value, choices):
    """Raise `InputError` unless `value` is in `choices`, strings."""
    if value not in choices:
        raise InputError(f"{name}: expected one of {', '.join(choices)}, received {value!r}")


def check_number(
    name,
    value,
    least=-math.inf,
    most=math.inf,
    *,
    above=-math.inf,
    below=math.inf,
    kind="a number",
):
    """Raise `InputError` unless `value` is a finite number, not a bool, within the limits.

    `least` and `most` are inclusive, `above` and `below` exclusive.
    """
    _check(name, value, numbers.Real, kind, least, most, above, below)


def check_seconds(name, value, least=-math.inf, *, above=-math.inf):
    """`check_number` for seconds."""
    _check(name, value, numbers.Real, "seconds", least, math.inf, above)


def check_whole(name, value, least, most=math.inf, *, kind="a whole number"):
    """Raise `InputError` unless `value` is an integer, not a bool, from `least` to `most`."""
    _check(name, value, numbers.Integral, kind, least, most, -math.inf)


def check_numbers(name, values, count, least=-math.inf):
    """Return `values`, which must be `count` finite numbers of at least `least`, as floats."""
    if not isinstance(values, (tuple, list)) or len(values) != count:
        raise InputError(f"{name}: expected {count} numbers, received {values!r}")
    for value in values:
        check_number(name, value, least, kind=f"{count} numbers")
    return tuple(float(value) for value in values)


def _check(name, value, accepted, kind, least, most, above, below=math.inf):
    is_number = isinstance(value, accepted) and not isinstance(value, bool)
    if is_number and math.isfinite(value) and least <= value <= most and above < value < below:
        return
    if math.isfinite(below):
        kind += f" of at least {least:g} and below {below:g}"
    elif math.isfinite(above):
        kind += f" above {above:g}"
    elif math.isfinite(most):
        kind += f" from {least:g} to {most:g}"
    elif math.isfinite(least):
        kind += f" of at least {least:g}"
    raise InputError(f"{name}: expected {kind}, received {value!r}")
