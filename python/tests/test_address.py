"""Addresses of collectors, as settings give them."""

from __future__ import annotations

import pytest
from heartline.engine.address import parse_addresses


@pytest.mark.parametrize(
    "address", ["127.0.0.1:4327", "collector-1:1", "[::1]:65535", "[fe80::1%2]:4327"]
)
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    assert parse_addresses(f" {address}\n") == ([address], [])


@pytest.mark.parametrize(
    ("text", "wrong", "right"),
    [
        ("http://collector:4327/", "a scheme", "collector:4327"),
        ("udp://collector", "a scheme", "collector:4327"),
        ("collector", "no port", "collector:4327"),
        ("10.0.0.1", "no port", "10.0.0.1:4327"),
        ("collector:", "a port that is not", "collector:4327"),
        ("collector:0", "a port that is not", "collector:4327"),
        ("collector:70000", "a port that is not", "collector:4327"),
        ("collector: 4327", "white space", "collector:4327"),
        ("collector:4327/beats", "a path", "collector:4327"),
        (":4327", "no host", "127.0.0.1:4327"),
        ("::1", "without brackets", "[::1]:4327"),
        ("[::1]", "no port", "[::1]:4327"),
        ("[collector]:4327", "brackets", "collector:4327"),
        ("a:b:4327", "too many colons", "HOST:PORT, such as 127.0.0.1:4327"),
    ],
)
def test_an_error_says_what_is_wrong_and_what_to_write_instead(
    text: str, wrong: str, right: str
) -> None:
    addresses, (fault,) = parse_addresses(text)
    assert addresses == [] and wrong in fault and fault.endswith(f"write {right}")


def test_a_list_keeps_its_good_entries_and_names_the_others() -> None:
    addresses, faults = parse_addresses(" a:1, b:2,,a:1, http://c:3 ,")
    assert addresses == ["a:1", "b:2"]
    assert "listed twice" in faults[0] and "has a scheme" in faults[1]
    addresses, faults = parse_addresses(",".join(f"a:{port}" for port in range(1, 10)))
    assert len(addresses) == 8
    assert faults == ["the collector a:9 is left out: at most 8 can be listed"]
