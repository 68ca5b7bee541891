"""Which addresses are contacted: seen from the servers that must not be asked."""

import http.client
import ipaddress
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clips_made_here import counting_clip
from local_site import Site, segmented, serving
from soundreel.errors import SourceError
from soundreel.sources import addresses
from soundreel.sources.addresses import check_host, guard, numeric, why_private
from soundreel.sources.fetch import fetch

# The special-purpose registries of IANA (RFC 6890 and after), not global, an address of each.
NOT_GLOBAL = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.0.9",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
GLOBAL = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.0.1",
    "172.32.0.1",
    "2606:4700::1",
    "64:ff9b::101:101",
]


@pytest.mark.parametrize("address", NOT_GLOBAL)
def test_addresses_that_are_not_of_the_internet(address):
    assert why_private(address) is not None


@pytest.mark.parametrize("address", [*GLOBAL, "::ffff:8.8.8.8"])
def test_addresses_of_the_internet(address):
    assert why_private(address) is None


@given(st.ip_addresses(v=4))
def test_however_an_address_is_written_it_is_judged_the_same(ip):
    number = int(ip)
    a, b, c, d = ip.packed
    spellings = [
        str(ip), str(number), hex(number), f"0x{a:x}.{b}.{c}.{d}", f"{a}.{number & 0xFFFFFF}",
        f"{a:#o}.{b}.{c}.{d}".replace("0o", "0"), f"{a}.{b}.{number & 0xFFFF}", f"{ip}.",
    ]  # fmt: skip
    assert {numeric(spelling) for spelling in spellings} == {str(ip)}
    assert why_private(f"::ffff:{ip}") == why_private(str(ip))
    mapped = ipaddress.ip_address(f"64:ff9b::{a:02x}{b:02x}:{c:02x}{d:02x}")
    assert why_private(str(mapped)) == why_private(str(ip))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "films.localhost", "127.1", "[::1]"])
def test_hosts_that_are_this_computer_by_name(host):
    with pytest.raises(SourceError, match="loopback"):
        check_host(host)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    return counting_clip(tmp_path_factory.mktemp("film") / "film.mp4", 2)


@pytest.fixture
def site(film):
    site = Site()
    site.files["/film.mp4"] = film.read_bytes()
    with serving(site):
        yield site


@pytest.fixture
def hidden(film):
    """A service of this computer that no link may reach."""
    site = Site()
    site.files |= {"/film.mp4": film.read_bytes(), "/0.ts": film.read_bytes()}
    with serving(site, "127.0.0.2"):
        yield site


@pytest.fixture
def internet(monkeypatch):
    """For these tests 127.0.0.1 is the open Internet, and 127.0.0.2 is this computer."""

    def judged(address: str) -> str | None:
        return None if address == "127.0.0.1" else why_private(address)

    monkeypatch.setattr(addresses, "why_private", judged)


def go(link: str, out: Path, **changes):
    return fetch([link], out, retries=2, pause_seconds=0, **changes).outcomes[0]


def test_this_computer_is_refused_without_a_connection(site, tmp_path):
    port = site.url.rpartition(":")[2]
    hosts = ["127.0.0.1", "localhost", "127.1", "0x7f000001", "[::ffff:127.0.0.1]", "0", "[::]"]
    done = fetch([f"http://{host}:{port}/film.mp4" for host in hosts], tmp_path, pause_seconds=0)
    assert [one.kind for one in done.outcomes] == ["refused"] * len(hosts), done.table()
    assert all("--allow-private" in (one.line or "") for one in done.outcomes)
    assert site.connections == 0
    assert go(f"{site.url}/film.mp4", tmp_path, allow_private=True).status == "came"


def test_a_redirect_into_this_computer_is_refused(internet, site, hidden, tmp_path):
    site.moved["/moved.mp4"] = f"{hidden.url}/film.mp4"
    done = go(f"{site.url}/moved.mp4", tmp_path)
    assert (done.status, done.kind) == ("failed", "refused")
    assert "127.0.0.2" in (done.line or "")
    assert (site.connections, hidden.connections) == (1, 0)
    assert go(f"{site.url}/film.mp4", tmp_path).status == "came", "the rest of the site is open"


def test_segments_within_this_computer_are_refused(internet, site, hidden, film, tmp_path):
    made = segmented(film, tmp_path / "made", "a.m3u8", "va", hls_time="1", hls_list_size="0")
    site.files |= {f"/{name}": data for name, data in made.items()}
    own = site.files["/a.m3u8"].decode()
    site.files["/a.m3u8"] = own.replace("a1.ts", f"{hidden.url}/0.ts").encode()
    done = go(f"{site.url}/a.m3u8", tmp_path / "out")
    assert (done.status, done.kind) == ("failed", "refused")
    assert hidden.connections == 0
    site.files["/a.m3u8"] = own.encode()
    assert go(f"{site.url}/a.m3u8", tmp_path / "out").status == "came"


def test_a_name_that_is_resolved_anew_each_time(internet, site, hidden, tmp_path, monkeypatch):
    """DNS rebinding: the first answers are harmless, a later one is this computer."""
    resolve, answers = socket.getaddrinfo, []

    def rebinding(host, port, *more, **named):
        if host == "films.example":
            answers.append(host)
            host = "127.0.0.1" if len(answers) < 2 else "127.0.0.2"
        return resolve(host, port, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    port = site.url.rpartition(":")[2]
    site.files["/film.mp4"] += bytes(8)
    # Each connection ends after its answer, so the download has to resolve the name again.
    site.slow.add("/film.mp4")
    done = go(f"http://films.example:{port}/film.mp4", tmp_path)
    assert len(answers) >= 2
    assert (done.status, done.kind) == ("failed", "refused")
    assert hidden.connections == 0


def test_a_proxy_is_used_but_not_to_reach_this_computer(site, hidden, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", site.url)
    site.moved["/moved.mp4"] = "http://169.254.169.254/latest"
    assert go("http://films.example/film.mp4", tmp_path).status == "came"
    for link in ("http://10.0.0.5/a.mp4", "http://films.example/moved.mp4", "http://localhost/a"):
        done = go(link, tmp_path)
        assert (done.status, done.kind) == ("failed", "refused"), link
    hosts = {asked.split("/")[2] for asked, _ in site.asked}
    assert hosts == {"films.example"}
    assert hidden.connections == 0


def test_a_tunnel_into_this_computer_is_refused(site, hidden):
    port = int(hidden.url.rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", int(site.url.rpartition(":")[2]))
    with guard(False, {"https": site.url}), pytest.raises(SourceError):
        connection.set_tunnel("127.0.0.2", port)
    assert site.connections == 0


def test_the_guard_holds_for_sockets_and_ends_with_the_block(site, hidden, tmp_path):
    port = int(hidden.url.rpartition(":")[2])
    before = dict(vars(socket.socket)), dict(vars(http.client.HTTPConnection))
    with guard(False, {}):
        for connect in ("connect", "connect_ex"):
            with socket.socket() as one, pytest.raises(SourceError):
                getattr(one, connect)(("127.0.0.2", port))
        with socket.socket() as one, pytest.raises(SourceError):
            one.connect(("localhost", port))
        with pytest.raises(SourceError):
            socket.create_connection(("localhost", port))
        place = str(tmp_path / "key ring")
        with socket.socket(socket.AF_UNIX) as ring, socket.socket(socket.AF_UNIX) as desktop:
            ring.bind(place)
            ring.listen()
            desktop.connect(place)  # a desktop's key ring is no address of the network
    assert (dict(vars(socket.socket)), dict(vars(http.client.HTTPConnection))) == before
    assert hidden.connections == 0
    with socket.create_connection(("127.0.0.2", port)):
        pass


def test_live_streams_are_not_handed_to_a_program(site, film, tmp_path, monkeypatch):
    """yt-dlp would start ffmpeg for them, which makes connections of its own."""
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch '{tmp_path}/started'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    made = segmented(film, tmp_path / "made", "a.m3u8", "va", hls_time="1", hls_list_size="0")
    site.files |= {f"/{name}": data for name, data in made.items()}
    own = site.files["/a.m3u8"].decode()
    for kind, old, new in (
        ("live", "#EXT-X-ENDLIST", ""),
        ("encrypted", "#EXTINF", '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"\n#EXTINF'),
    ):
        site.files["/live.m3u8"] = own.replace(old, new, 1).encode()
        done = go(f"{site.url}/live.m3u8", tmp_path / "out", allow_private=True)
        assert (done.status, done.kind) == ("failed", kind), done
    assert not (tmp_path / "started").exists()
