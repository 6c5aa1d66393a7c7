"""Internet addresses as they come to us, and the networks they lie in. No Django here."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: plain, with a port, in brackets, or an IPv4 one dressed as IPv6."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_listed(address: IPv4Address | IPv6Address | None, networks: Sequence[str]) -> bool:
    """Whether the address lies in one of the networks. Raises ValueError where one of those is none."""
    return address is not None and any(address in network for network in _networks(tuple(networks)))


@lru_cache
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(text, strict=False) for text in texts)
