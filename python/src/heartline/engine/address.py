"""Addresses of collectors, as settings give them (`SPEC.md`, section 17)."""

from __future__ import annotations

COLLECTORS_MAX = 8
PORT_DEFAULT = 4327
ADDRESS_DEFAULT = f"127.0.0.1:{PORT_DEFAULT}"

_EXAMPLE = f"HOST:PORT, such as {ADDRESS_DEFAULT}"


def parse_addresses(text: str) -> tuple[list[str], list[str]]:
    """Parses a list with commas between its entries, and returns the good ones beside what is wrong
    with the others."""
    addresses: list[str] = []
    faults: list[str] = []
    for entry in filter(None, map(str.strip, text.split(","))):
        fault = _fault(entry)
        if fault is not None:
            faults.append(
                f"the collector's address {_quoted(entry)} {fault}: write {_mended(entry)}"
            )
        elif entry in addresses:
            faults.append(f"the collector {entry} is listed twice; it is used once")
        elif len(addresses) == COLLECTORS_MAX:
            faults.append(
                f"the collector {entry} is left out: at most {COLLECTORS_MAX} can be listed"
            )
        else:
            addresses.append(entry)
    if not addresses and not faults:
        faults.append(f"the list of collectors is empty: write {_EXAMPLE}")
    return addresses, faults


def split_address(address: str) -> tuple[str, int]:
    """Returns host and port of a well-formed address."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def is_ip_address(host: str) -> bool:
    """Returns whether a host is an IPv4 or IPv6 address, the latter with or without its zone."""
    return _is_ipv4(host) or _is_ipv6(host)


def _fault(text: str) -> str | None:
    """Returns what is wrong with an address."""
    if "://" in text:
        return "has a scheme"
    if any(map(str.isspace, text)):
        return "has white space in it"
    if "/" in text:
        return "has a path"
    if _is_ipv6(text):
        return "is an IPv6 address without brackets or port"
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        return "has no port"
    if _port(port) is None:
        return "has a port that is not a number from 1 to 65535"
    if host.startswith("[") and host.endswith("]"):
        return None if _is_ipv6(host[1:-1]) else "has brackets around what is no IPv6 address"
    if not host:
        return "has no host"
    if any(character in host for character in ":[]"):
        return "has too many colons"
    return None


def _mended(text: str) -> str:
    """Returns the address that a malformed one probably stands for."""
    text = "".join(text.rpartition("://")[2].partition("/")[0].partition("?")[0].split())
    if _is_ipv6(text):
        return f"[{text}]:{PORT_DEFAULT}"
    host, colon, tail = text.rpartition(":")
    port = _port(tail) if colon and not text.endswith("]") else None
    if not colon or text.endswith("]"):
        host = text
    host = host.strip("[]")
    if _is_ipv6(host):
        return f"[{host}]:{port or PORT_DEFAULT}"
    if ":" in host:
        return _EXAMPLE
    return f"{host or '127.0.0.1'}:{port or PORT_DEFAULT}"


def _port(text: str) -> int | None:
    """Returns a port from 1 to 65535."""
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[-6:]) <= 65_535:
        return None
    return int(text) if int(text) <= 65_535 else None


def _is_ipv4(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 4 and all(
        part.isascii() and part.isdigit() and len(part) <= 3 and int(part) <= 255 for part in parts
    )


def _is_ipv6(text: str) -> bool:
    # Most addresses are not: the parser is loaded for the others alone.
    if text.count(":") < 2:
        return False
    from _socket import AF_INET6, inet_pton

    try:
        inet_pton(AF_INET6, text.partition("%")[0])
    except (OSError, ValueError):
        return False
    return True


def _quoted(text: str) -> str:
    return '"' + text.encode("unicode_escape").decode().replace('"', '\\"') + '"'
