import pytest

from kerasad.data import Decoding
from kerasad.errors import InputError


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_value": 0},
        {"max_value": 70_000},
        {"max_value": 4095.5},
        {"pixel_limit": 0},
        {"pixel_limit": True},
    ],
)
def test_a_value_out_of_range_is_refused_by_name(arguments):
    with pytest.raises(InputError, match=f"`{next(iter(arguments))}` must be"):
        Decoding(**arguments)


def test_white_is_65535_unless_given():
    assert Decoding().white == 65535
    assert Decoding(max_value=4095).white == 4095
