"""Checks of arguments that raise `InputError` as "argument: expected ..., received ..."."""

import math
import numbers

from animegan_tf.errors import InputError


def check_choice(name, value, choices):
    """`value` is one of `choices`, strings."""
    if value not in choices:
        raise InputError(f"{name}: expected one of {', '.join(choices)}, received {value!r}")


def check_number(name, value, least=-math.inf, most=math.inf, *, above=-math.inf, kind="a number"):
    """`value` is finite, no bool, from `least` to `most`, and more than `above`."""
    _check(name, value, numbers.Real, kind, least, most, above)


def check_seconds(name, value, least=-math.inf, *, above=-math.inf):
    """`value` is a finite number of seconds, at least `least`, and more than `above`."""
    _check(name, value, numbers.Real, "seconds", least, math.inf, above)


def check_whole(name, value, least, most=math.inf, *, kind="a whole number"):
    """`value` is a whole number from `least` to `most`; a bool is none."""
    _check(name, value, numbers.Integral, kind, least, most, -math.inf)


def check_numbers(name, values, count):
    """`values` are `count` finite numbers; returns them as a tuple of floats."""
    if not isinstance(values, (tuple, list)) or len(values) != count:
        raise InputError(f"{name}: expected {count} numbers, received {values!r}")
    for value in values:
        check_number(name, value, kind=f"{count} numbers")
    return tuple(float(value) for value in values)


def _check(name, value, accepted, kind, least, most, above):
    is_number = isinstance(value, accepted) and not isinstance(value, bool)
    if is_number and math.isfinite(value) and least <= value <= most and value > above:
        return
    if math.isfinite(above):
        kind += f" above {above:g}"
    elif math.isfinite(most):
        kind += f" from {least:g} to {most:g}"
    elif math.isfinite(least):
        kind += f" of at least {least:g}"
    raise InputError(f"{name}: expected {kind}, received {value!r}")
