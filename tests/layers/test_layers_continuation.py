"""Fields continued behind their upper ends."""

import torch

from pdeops.layers import continue_field, crop


def test_walls_keep_the_last_value_and_periods_begin_anew() -> None:
    values = torch.arange(12.0).reshape(1, 3, 4, 1)
    rows = torch.tensor([0, 1, 2, 2, 2])
    columns = torch.arange(11) % 4
    result = continue_field(values, (5, 11), (False, True))
    torch.testing.assert_close(result[0, ..., 0], values[0, ..., 0][rows][:, columns], rtol=0, atol=0)
    torch.testing.assert_close(crop(result, (3, 4)), values, rtol=0, atol=0)
    assert continue_field(values, (3, 4), (False, True)) is values
