"""Which addresses may be contacted: those of the open Internet, unless a person asks for more.

A list of links, a page, a redirect or a manifest comes from somewhere else. Without a guard it
could make this computer ask its own services, its router or a cloud's metadata server for things
(server-side request forgery). Names cannot be trusted either: one may resolve to a public address
when it is checked and to a private one when it is used (DNS rebinding). So what is checked is the
numeric address, in the moment in which a socket is about to connect to it.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

from soundreel.errors import SourceError

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_LOCAL_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")
_INTERNET = (socket.AF_INET, socket.AF_INET6)
# The guard replaces methods for the whole process, so one fetch has it after the other.
_ONE_AT_A_TIME = threading.RLock()


def why_private(address: str) -> str | None:
    """Why a numeric address is not one of the open Internet; None where it is.

    An IPv6 address that stands for an IPv4 one (mapped, 6to4, Teredo, NAT64) is judged by that.

    Raises: ValueError if it is no numeric address.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inside = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inside is None and ip in _NAT64:
            inside = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inside is not None:
            return why_private(str(inside))
    for name, is_so in (
        ("unspecified", ip.is_unspecified),
        ("loopback", ip.is_loopback),
        ("link-local", ip.is_link_local),
        ("multicast", ip.is_multicast),
        ("private", ip.is_private or getattr(ip, "is_site_local", False)),
        ("reserved", ip.is_reserved or not ip.is_global),
    ):
        if is_so:
            return name
    return None


def numeric(host: str) -> str | None:
    """A host that is written as a number, in the usual way; None for a name.

    Also the old ways that resolvers still take: 127.1, 0x7f000001, 2130706433.
    """
    host = host.strip("[]").rstrip(".")
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None


def check_host(host: str) -> None:
    """Refuse a host that is this computer's or a private network's by what is written in it.

    Raises: SourceError.
    """
    address = numeric(host)
    kind = why_private(address) if address else None
    name = host.rstrip(".").lower()
    if name in _LOCAL_NAMES or name.endswith(".localhost"):
        kind = "loopback"
    if kind:
        raise refused(host, kind)


def refused(host: str, kind: str) -> SourceError:
    """The error for an address that may not be contacted."""
    return SourceError(
        f"leads to {host}, a {kind} address: it is not contacted; "
        "where the server is your own, allow it with --allow-private"
    )


@contextmanager
def guard(allow_private: bool, proxies: Mapping[str, str]) -> Iterator[None]:
    """While the block runs, sockets of this process connect to the open Internet only.

    proxies: scheme -> URL, as `urllib.request.getproxies()` gives them: the proxies' own addresses
    may be contacted. What is asked of a proxy is checked as far as one can from here: hosts
    written as numbers and `localhost`. Names are resolved by the proxy, and its own rules hold.

    Connections to sockets in the file system (a desktop's key ring) are none of the guard's
    business. It holds for all threads of the process. allow_private: no guard at all.

    Raises: SourceError, out of whatever was connecting.
    """
    with _ONE_AT_A_TIME, ExitStack() as patches:
        if allow_private:
            yield
            return
        exempt = _addresses_of(proxies)

        def check_socket(sock: socket.socket, address: Any) -> Any:
            return _checked(sock, address, exempt) if sock.family in _INTERNET else address

        connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
        put_request = http.client.HTTPConnection.putrequest
        set_tunnel = http.client.HTTPConnection.set_tunnel

        def guarded_connect(self: socket.socket, address: Any) -> None:
            connect(self, check_socket(self, address))

        def guarded_connect_ex(self: socket.socket, address: Any) -> int:
            return connect_ex(self, check_socket(self, address))

        def guarded_put_request(
            self: http.client.HTTPConnection, method: str, url: str, *more: Any, **named: Any
        ) -> None:
            check_host(_asked_host(self, url))
            put_request(self, method, url, *more, **named)

        def guarded_set_tunnel(
            self: http.client.HTTPConnection, host: str, *more: Any, **named: Any
        ) -> None:
            check_host(host)
            set_tunnel(self, host, *more, **named)

        for owner, name, replacement in (
            (socket.socket, "connect", guarded_connect),
            (socket.socket, "connect_ex", guarded_connect_ex),
            (http.client.HTTPConnection, "putrequest", guarded_put_request),
            (http.client.HTTPConnection, "set_tunnel", guarded_set_tunnel),
        ):
            patches.enter_context(_replaced(owner, name, replacement))
        yield


def _checked(sock: socket.socket, address: Any, exempt: set[tuple[str, int]]) -> Any:
    """The address to connect to, numeric and allowed."""
    host, port = str(address[0]), int(address[1])
    literal = numeric(host)
    if literal is None:  # resolved once, here, so that what is checked is what is used
        address = socket.getaddrinfo(host, port, sock.family, socket.SOCK_STREAM)[0][4]
        literal = str(ipaddress.ip_address(str(address[0]).partition("%")[0]))
    kind = why_private(literal)
    if kind and (literal, port) not in exempt:
        raise refused(literal if literal == host else f"{host} ({literal})", kind)
    return address


def _asked_host(connection: http.client.HTTPConnection, url: str) -> str:
    """Whom a request is for: a proxy is asked for a whole URL, or for a tunnel to a host."""
    if url.lower().startswith(("http://", "https://")):
        return urlsplit(url).hostname or ""
    return getattr(connection, "_tunnel_host", None) or connection.host


def _addresses_of(proxies: Mapping[str, str]) -> set[tuple[str, int]]:
    addresses: set[tuple[str, int]] = set()
    for scheme, url in proxies.items():
        if scheme == "no":
            continue
        # A proxy that does not resolve is left to the request that needs it: it says so better.
        with contextlib.suppress(ValueError, OSError):
            parts = urlsplit(url if "://" in url else f"http://{url}")
            default = 1080 if parts.scheme.startswith("socks") else 443 * (parts.scheme == "https")
            port = parts.port or default or 80
            for found in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM):
                addresses.add((str(ipaddress.ip_address(str(found[4][0]).partition("%")[0])), port))
    return addresses


@contextmanager
def _replaced(owner: type, name: str, replacement: Callable[..., Any]) -> Iterator[None]:
    """A method of a class is another one while the block runs."""
    own = name in vars(owner)
    before = getattr(owner, name)
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        if own:
            setattr(owner, name, before)
        else:
            delattr(owner, name)  # it was inherited, as `connect` is from the C class
