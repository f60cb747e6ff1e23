"""Who counts as one client, by the address it comes from."""

import ipaddress


def origin(address: str) -> str | None:
    """What is counted as one client: an IPv4 address, or the /64 that an IPv6 client can choose from."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False).network_address)
    return str(ip)
