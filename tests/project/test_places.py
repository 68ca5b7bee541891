"""Places here and in stores: the same content, the same order, and one line when it fails."""

import os
import string
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soundreel.errors import SettingsError, StorageError
from soundreel.parallel import map_items
from soundreel.places import (
    Place,
    exists,
    is_remote,
    list_files,
    local_copy,
    place_from,
    put_file,
    read_bytes,
    size,
    write_bytes,
)

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "a-key-id",
    "AWS_SECRET_ACCESS_KEY": "a-secret-key",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",  # without credentials nobody is asked for some
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_MAX_ATTEMPTS": "1",
}


@pytest.fixture(scope="module")
def s3():
    """An S3 server on this machine with the bucket `clips`, and the address it listens at."""
    pytest.importorskip("s3fs", reason="the extra `cluster` is not installed")
    server_module = pytest.importorskip("moto.server", reason="no S3 server to test with (moto)")
    import boto3  # pyright: ignore[reportMissingImports]  # comes with moto
    import s3fs  # pyright: ignore[reportMissingImports]  # an extra

    server = server_module.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("AWS_CA_BUNDLE", raising=False)
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}.items():
            environment.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        boto3.client("s3").create_bucket(Bucket="clips")
        yield f"http://{host}:{port}"
        s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture(params=["here", "memory", "s3"])
def folder(request, tmp_path) -> Place:
    """A folder of each kind that nobody else uses."""
    if request.param == "s3":
        request.getfixturevalue("s3")
        return place_from(f"s3://clips/{tmp_path.name}")
    if request.param == "memory":
        return place_from(f"memory://{tmp_path.name}")
    return place_from(tmp_path / "set")


def test_what_is_written_is_there(folder):
    for content in (b"", b"one", bytes(range(256)) * 100, b"over what is there"):
        write_bytes(folder / "a.bin", content)
        assert read_bytes(folder / "a.bin") == content
        assert size(folder / "a.bin") == len(content)
    assert exists(folder / "a.bin")
    assert exists(folder)
    assert not exists(folder / "b.bin")


def test_files_come_by_name_without_those_of_folders_inside(folder):
    names = ["b.mp4", "a.mp4", "a b.mp4", "Ä.mp4", "10.mp4", "9.mp4", "[x]*.mp4"]
    for name in names:
        write_bytes(folder / name, name.encode())
    write_bytes(folder / "inside" / "c.mp4", b"c")
    found = list_files(folder)
    assert [place.name for place in found] == sorted(names)
    assert [read_bytes(place).decode() for place in found] == sorted(names)
    assert list_files(folder / "b.mp4") == [folder / "b.mp4"]


def test_a_file_goes_there_and_back_unchanged(folder, tmp_path):
    source = tmp_path / "song.flac"
    source.write_bytes(os.urandom(300_000))
    put_file(source, folder / "song.flac")
    fetched = local_copy(folder / "song.flac", tmp_path / "fetched")
    assert fetched.name == "song.flac"
    assert fetched.read_bytes() == source.read_bytes()
    put_file(source, folder / "song.flac")
    assert [place.name for place in list_files(folder)] == ["song.flac"]


def test_a_large_file_goes_to_s3_in_parts_and_arrives_as_one(s3, tmp_path):
    source = tmp_path / "long.mp4"
    source.write_bytes(os.urandom(1_000_000) * 110)  # s3fs sends over 100 MiB in parts
    place = place_from("s3://clips/long.mp4")
    put_file(source, place)
    assert size(place) == 110_000_000
    assert local_copy(place, tmp_path / "back").read_bytes() == source.read_bytes()


def test_what_another_machine_wrote_meanwhile_is_seen(s3):
    import boto3  # pyright: ignore[reportMissingImports]  # comes with moto

    folder = place_from("s3://clips/shared")
    write_bytes(folder / "a.bin", b"a")
    assert list_files(folder) == [folder / "a.bin"]
    boto3.client("s3").put_object(Bucket="clips", Key="shared/b.bin", Body=b"b")
    assert list_files(folder) == [folder / "a.bin", folder / "b.bin"]
    assert exists(folder / "b.bin")


@pytest.mark.parametrize("act", [list_files, size, read_bytes], ids=lambda act: act.__name__)
def test_what_is_not_there_is_one_line_with_its_name(folder, act):
    with pytest.raises(StorageError, match=r"missing: nothing is there: check the name") as caught:
        act(folder / "missing")
    assert str(folder) in str(caught.value)


def test_a_folder_is_no_file(folder, tmp_path):
    write_bytes(folder / "a.bin", b"a")
    for act in (size, read_bytes, lambda place: local_copy(place, tmp_path / "fetched")):
        with pytest.raises(StorageError, match="nothing is there"):
            act(folder)
    assert not (tmp_path / "fetched" / folder.name).exists()


def test_a_source_that_is_missing_is_named_itself(folder, tmp_path):
    with pytest.raises(StorageError, match=r"song\.flac: nothing is there"):
        put_file(tmp_path / "song.flac", folder / "other.flac")


def test_a_bucket_that_does_not_exist_is_named(s3, tmp_path):
    place = place_from("s3://nobody/a.bin")
    for act in (list_files, size, read_bytes, lambda place: write_bytes(place, b"a")):
        with pytest.raises(StorageError, match=r"^s3://nobody/a\.bin: nothing is there.*bucket"):
            act(place)
    with pytest.raises(StorageError, match=r"^s3://No!/a\.bin: the store refused") as caught:
        write_bytes(place_from("s3://No!/a.bin"), b"a")
    assert "\n" not in str(caught.value)


def test_a_store_that_does_not_answer_says_so(s3, monkeypatch, tmp_path):
    import s3fs  # pyright: ignore[reportMissingImports]  # an extra

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(StorageError, match=r"^s3://clips/a: the store does not answer"):
            local_copy(place_from("s3://clips/a"), tmp_path)
        assert list(tmp_path.iterdir()) == []
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_a_store_that_refuses_the_credentials_says_so_without_them(s3, monkeypatch):
    import s3fs  # pyright: ignore[reportMissingImports]  # an extra

    def demand_credentials(after_actions: str) -> None:
        where = f"{s3}/moto-api/reset-auth"
        kind = {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(where, after_actions.encode(), kind)).close()

    place = place_from("s3://clips/secret.bin")
    write_bytes(place, b"a")
    demand_credentials("0")
    try:
        for act in (read_bytes, list_files, exists):
            with pytest.raises(StorageError, match=r"^s3://clips/secret\.bin: no perm") as caught:
                act(place)
            assert "a-secret-key" not in str(caught.value)
    finally:
        demand_credentials("inf")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(StorageError, match="no permission"):
            read_bytes(place)
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_a_file_that_comes_in_part_is_no_file(monkeypatch, tmp_path):
    from fsspec.implementations.memory import MemoryFileSystem

    place = place_from("memory://part/a.bin")
    write_bytes(place, b"whole")
    monkeypatch.setattr(
        MemoryFileSystem, "get_file", lambda self, path, local: Path(local).write_bytes(b"who")
    )
    with pytest.raises(StorageError, match=r"a\.bin: came only in part \(3 of 5 bytes\)"):
        local_copy(place, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_copy_of_what_is_here_is_itself(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"a")
    assert local_copy(place_from(tmp_path / "a.bin"), tmp_path / "fetched") == tmp_path / "a.bin"
    assert not (tmp_path / "fetched").exists()


def test_workers_reach_a_store_too(s3):
    places = [place_from(f"s3://clips/many/{n}.bin") for n in range(6)]
    for n, place in enumerate(places):
        write_bytes(place, bytes(n))
    assert list(map_items(size, places, 2)) == [0, 1, 2, 3, 4, 5]


NAMES = st.text(string.ascii_letters + string.digits + " ._-*?[]é@:", min_size=1, max_size=8)


@given(st.sampled_from(["s3", "gs", "memory"]), st.lists(NAMES, min_size=1, max_size=4))
def test_a_place_is_the_same_after_it_was_written_down(scheme, names):
    place = Place(scheme, "bucket")
    for name in names:
        place /= name
    assert place_from(str(place)) == place
    assert place.name == names[-1]
    assert is_remote(str(place))


def test_paths_and_file_addresses_lie_here():
    for text in ("clips/a.mp4", "/clips/a.mp4", Path("clips"), "file:///clips/a.mp4", "C:/a.mp4"):
        assert not is_remote(text)
    assert place_from("file:///clips/a.mp4") == place_from("/clips/a.mp4")
    assert place_from("S3://Bucket/A") == place_from("s3://Bucket/A")


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("https://example.org/a.mp4", "soundreel fetch"),
        ("s3://me:mine@clips/a", "in the environment instead"),
    ],
)
def test_what_is_no_place_is_refused(address, says):
    with pytest.raises(SettingsError, match=says) as caught:
        place_from(address)
    assert "mine" not in str(caught.value)


def test_a_store_that_is_not_known_is_one_line():
    with pytest.raises(SettingsError, match=r"xyz://a: xyz:// is not known"):
        list_files(place_from("xyz://a"))


def test_without_s3fs_the_extra_is_named():
    code = (
        "import sys; sys.modules['s3fs'] = None\n"
        "from soundreel.places import list_files, place_from\n"
        "list_files(place_from('s3://clips/a'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].endswith(
        's3://clips/a: s3fs is not installed: pip install "soundreel[cluster]"'
    )
