import numpy as np
import pytest

from animegan_tf import validation
from animegan_tf.errors import InputError


def said(check, *arguments, **named):
    with pytest.raises(InputError) as caught:
        check("name", *arguments, **named)
    return str(caught.value)


def test_choices():
    validation.check_choice("name", "a", ("a", "b"))
    assert said(validation.check_choice, "c", ("a", "b")) == (
        "name: expected one of a, b, received 'c'"
    )


def test_numbers_are_finite_and_no_truth_values():
    for good in (0, 1.5, np.float32(2), np.int64(3)):
        validation.check_number("name", good, 0, 3)
    for bad in (-0.1, 3.1, float("nan"), float("inf"), True, "1", None):
        message = said(validation.check_number, bad, 0, 3)
        assert message == f"name: expected a number from 0 to 3, received {bad!r}"
    assert said(validation.check_number, 0, above=0, kind="gigabytes") == (
        "name: expected gigabytes above 0, received 0"
    )
    assert said(validation.check_number, "x") == "name: expected a number, received 'x'"
    assert said(validation.check_seconds, -1, 0) == (
        "name: expected seconds of at least 0, received -1"
    )


def test_whole_numbers():
    validation.check_whole("name", np.int32(4), 4)
    for bad in (3, 4.0, True, None):
        assert said(validation.check_whole, bad, 4) == (
            f"name: expected a whole number of at least 4, received {bad!r}"
        )


def test_several_numbers():
    assert validation.check_numbers("name", [1, 2], 2) == (1.0, 2.0)
    for bad in ((1,), "12", (1, "2")):
        assert said(validation.check_numbers, bad, 2).startswith("name: expected 2 numbers, rec")
