"""The encoder of MessagePack, against another implementation of it."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from heartline.protocol.packing import BODY_MIN, pack, pack_body
from heartline.protocol.refused import Refused
from heartline.protocol.unpacking import U64_MAX, Reader
from hypothesis import given, settings
from hypothesis import strategies as st

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(0, U64_MAX), st.text(max_size=300), st.binary(max_size=300)
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=40), st.dictionaries(st.text(max_size=40), inner, max_size=40)
    ),
    max_leaves=60,
)


@settings(max_examples=200, deadline=None)
@given(values)
def test_values_are_packed_as_msgpack_packs_them(value: Any) -> None:
    assert pack(value) == msgpack.packb(value, use_bin_type=True)


@pytest.mark.parametrize("power", [7, 8, 16, 32, 64])
def test_integers_are_packed_in_the_shortest_form(power: int) -> None:
    for value in (2**power - 1, 2**power):
        if value <= U64_MAX:
            assert pack(value) == msgpack.packb(value)


@pytest.mark.parametrize("length", [31, 32, 255, 256, 65_535, 65_536])
def test_lengths_are_packed_in_the_shortest_form(length: int) -> None:
    for value in ("x" * length, b"x" * length, [None] * length):
        assert pack(value) == msgpack.packb(value, use_bin_type=True)


def test_what_no_integer_field_can_hold_is_refused() -> None:
    with pytest.raises(OverflowError):
        pack(U64_MAX + 1)


@settings(deadline=None)
@given(st.lists(scalars, max_size=70))
def test_bodies_have_a_long_header_and_are_padded(fields: list[Any]) -> None:
    body = pack_body(fields)
    assert body[0] == 0xDC and len(body) >= BODY_MIN
    unpacked = msgpack.unpackb(body, strict_map_key=False)
    assert unpacked[: len(fields)] == fields
    assert not any(field is not None for field in unpacked[len(fields) :])
    if len(unpacked) > len(fields):
        assert len(body) == BODY_MIN


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    reader = Reader(data)
    try:
        reader.skip()
        reader.end()
    except Refused:
        pass
