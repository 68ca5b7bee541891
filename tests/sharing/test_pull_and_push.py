import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models_to_share import hub_here, model_here, report_here, run_here
from soundreel.errors import ModelError, SharingError, StorageError
from soundreel.networks.bundle import describe_model, load_model
from soundreel.sharing.address import HubAddress, hub_address, is_hub_address, repository_address
from soundreel.sharing.pull import local_model, pull
from soundreel.sharing.push import push

MODEL_FILES = ("README.md", "config.json", "model.safetensors")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with hub_here(tmp_path, monkeypatch) as here:
        yield here


def files_of(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in MODEL_FILES}


def cached(tmp_path) -> list[str]:
    """Names of everything that a pull has left, in whichever folder."""
    root = tmp_path / "hub_cache"
    return sorted(path.name for path in root.rglob("*") if path.is_file() or path.is_symlink())


# -- addresses --


def test_addresses():
    assert hub_address("hf://some-one/a_model.v2") == HubAddress("some-one", "a_model.v2")
    assert hub_address("hf://o/m@refs/pr/4") == HubAddress("o", "m", "refs/pr/4")
    assert str(hub_address("hf://o/m@v1")) == "hf://o/m@v1"
    assert hub_address(Path("hf://o/m")) == HubAddress("o", "m")  # a path keeps one slash
    assert repository_address("o/m") == repository_address("hf://o/m") == HubAddress("o", "m")
    assert is_hub_address("hf://o/m")
    assert not any(map(is_hub_address, ("runs/first", "/hf/o/m", "s3://o/m", Path("hf"))))


@pytest.mark.parametrize(
    "address",
    [
        "hf://",
        "hf://m",
        "hf://o/",
        "hf://o/m/x",
        "hf://o/../m",
        "hf://../m",
        "hf://o/m@",
        "hf://o/m@../../x",
        "hf://o/m@a b",
        "hf://o/a--b",
        "hf://o/m?x=1",
        "hf:///m",
        "hf://o/" + "m" * 200,
        "hf://ö/m",
    ],
)
def test_a_malformed_address_is_refused_before_anything_is_asked(address, hub):
    with pytest.raises(SharingError, match="not the address of a model: write hf://owner/name"):
        pull(address)
    assert not hub.asked


def test_a_push_names_no_revision(hub, tmp_path):
    with pytest.raises(SharingError, match="leave @v1 out"):
        push(model_here(tmp_path / "m"), "me/m@v1", token="good")
    with pytest.raises(SharingError, match="not the address"):
        push(tmp_path / "m", "m", token="good")
    assert not hub.asked


# -- there and back --


def test_what_was_pushed_is_pulled_to_the_byte_and_makes_the_same_pictures(hub, tmp_path):
    run = run_here(tmp_path / "run")
    weights = describe_model(run).weights_sha256
    film = tmp_path / "film.mp4"
    film.write_bytes(b"a film" * 100)
    made = push(
        run, "me/m", token="good", film=film, audit=report_here(tmp_path / "ask.html", weights)
    )
    there = hub.files("me/m")
    names = ["README.md", "config.json", "audit.json", "audit.html", "sheet.png", "film.mp4"]
    assert [*made.files] == [*names, "model.safetensors"]
    assert sorted(there) == sorted([".gitattributes", *made.files])
    assert there["sheet.png"] == (run / "samples" / "step-0000200.png").read_bytes()
    assert there["film.mp4"] == film.read_bytes()
    assert made.address == "hf://me/m"
    assert made.page == f"{hub.url}/me/m"
    assert made.changed

    steps = []
    folder = pull("hf://me/m", steps.append)
    assert folder.name == made.commit == hub.repositories["me/m"].commits[-1][0]
    assert {name: (folder / name).read_bytes() for name in (*MODEL_FILES, "sheet.png")} == {
        name: there[name] for name in (*MODEL_FILES, "sheet.png")
    }
    assert files_of(folder) | {"README.md": b""} == files_of(run / "model") | {"README.md": b""}
    assert (folder / "audit.json").read_bytes() == there["audit.json"]
    # A page may have scripts in it, and a film is not needed to make another one.
    assert not any((folder / name).exists() for name in ("audit.html", "film.mp4"))
    assert steps[-1].task == "pull model.safetensors"
    assert steps[-1].done == pytest.approx(steps[-1].total, abs=0.01)

    theirs, ours = load_model(folder, "fp32", "cpu"), load_model(run, "fp32", "cpu")
    x_B1SS = torch.rand(2, 1, 64, 64) * 2 - 1
    assert torch.equal(theirs.pictures(x_B1SS, [0, 0]), ours.pictures(x_B1SS, [0, 0]))
    assert local_model("hf://me/m") == folder
    assert local_model(run) == run


def test_the_client_tells_no_telemetry_and_prints_nothing(hub, tmp_path, capfd):
    push(run_here(tmp_path / "run"), "me/m", token="good")
    pull("hf://me/m")
    assert capfd.readouterr() == ("", "")
    assert not hub.requests("GET", "telemetry") + hub.requests("HEAD", "telemetry")
    assert not hub.requests("GET", "agent")
    assert all("torch" not in agent for agent in hub.agents)


def test_a_second_pull_asks_once_and_fetches_nothing(hub, tmp_path):
    push(model_here(tmp_path / "m"), "me/m", token="good")
    folder = pull("hf://me/m")
    hub.asked.clear()
    assert pull("hf://me/m") == folder
    assert [(method, path) for method, path, _ in hub.asked] == [
        ("HEAD", "/me/m/resolve/main/config.json")
    ]


def test_the_same_push_again_sends_nothing_and_another_model_only_what_changed(hub, tmp_path):
    run = run_here(tmp_path / "run")
    first = push(run, "me/m", token="good")
    assert len(hub.uploads) == 2  # weights and sheet
    again = push(run, "me/m", token="good")
    assert (again.commit, again.changed) == (first.commit, False)
    assert "nothing new" in again.summary
    assert len(hub.uploads) == 2
    model_here(run / "model", seed=1)
    third = push(run, "me/m", token="good")
    assert third.changed
    assert len(hub.uploads) == 3
    assert hub.uploads[2] == describe_model(run).weights_sha256
    # An older revision is still what it was.
    old, new = pull(f"hf://me/m@{first.commit}"), pull("hf://me/m")
    assert describe_model(old).weights_sha256 != describe_model(new).weights_sha256
    assert new.name == third.commit


def test_what_a_push_no_longer_names_goes_and_what_is_not_ours_stays(hub, tmp_path):
    run = run_here(tmp_path / "run")
    film = tmp_path / "film.gif"
    film.write_bytes(b"GIF89a")
    push(run, "me/m", token="good", film=film)
    repository = hub.repositories["me/m"]
    repository.commit({**repository.commits[-1][1], "LICENSE": (b"mine", False)})
    push(run, "me/m", token="good", sheet=False)
    assert sorted(hub.files("me/m")) == [".gitattributes", "LICENSE", *MODEL_FILES]
    card = hub.files("me/m")["README.md"].decode()
    assert "film.gif" not in card
    assert "sheet.png" not in card


# -- the card --


def test_the_card_shows_sheet_film_audit_and_rights(hub, tmp_path):
    run = run_here(tmp_path / "run")
    config = json.loads((run / "model" / "config.json").read_text())
    config["training"]["sources"] = ["https://example.org/v=1", str(tmp_path / "clip.mp4"), "x|y"]
    (run / "model" / "config.json").write_text(json.dumps(config))
    film = tmp_path / "film.mp4"
    film.write_bytes(b"film")
    report = report_here(tmp_path / "ask.html", describe_model(run).weights_sha256)
    push(run, "me/m", token="good", film=film, audit=report.with_suffix(".json"))
    card = hub.files("me/m")["README.md"].decode()
    assert card.startswith("---\nlibrary_name: soundreel\n")
    for text in (
        "soundreel render hf://me/m song.mp3",
        "](sheet.png)",
        f'<video controls src="{hub.url}/me/m/resolve/main/film.mp4">',
        "**USES IT**, asked with 3 songs",
        "| sensitivity | 41 % |",
        "| usefulness | 0.062 |",
        "| 95 % interval of it | 0.031 to 0.093 |",
        "| p-value | 0.0005 |",
        "| right moment | 71 % |",
        "| copied | 0.4 % |",
        "| sliced Wasserstein | 222 |",
        "| flicker | 0.95 |",
        "## Rights",
        "- <https://example.org/v=1>",
    ):
        assert text in card, text
    assert "| motion |" not in card  # it was not measured
    assert card.index("## What it makes") < card.index("## Use")
    # Pushed again from what was pulled, it says all once.
    push(pull("hf://me/m"), "me/again", token="good", audit=report)
    again = hub.files("me/again")["README.md"].decode()
    assert again.count("## Rights") == again.count("## Audit") == again.count("## Use") == 1
    assert "hf://me/m" not in again
    assert hub.files("me/again")["sheet.png"] == hub.files("me/m")["sheet.png"]


def test_nothing_that_is_pushed_names_a_folder_of_this_machine(hub, tmp_path):
    run = run_here(tmp_path / "run")
    place = run / "model" / "config.json"
    config = json.loads(place.read_text())
    config["training"]["sources"] = [str(tmp_path / "clips" / "one.mp4")]
    config["recipe"]["selection"] |= {"only": "artist", "artist_photos": "~/private/photos"}
    place.write_text(json.dumps(config))
    push(run, "me/m", token="good")
    for name in ("README.md", "config.json"):
        text = hub.files("me/m")[name].decode()
        assert str(tmp_path) not in text
        assert "private" not in text
        assert str(Path.home()) not in text
    pulled = json.loads((pull("hf://me/m") / "config.json").read_text())
    assert pulled["recipe"]["selection"]["artist_photos"] == "photos"
    assert "does not say where the videos came from" in hub.files("me/m")["README.md"].decode()
    assert json.loads(place.read_text()) == config


# -- who may what --


def test_no_token_is_used_for_what_everybody_may_see(hub, tmp_path, monkeypatch):
    push(model_here(tmp_path / "m"), "me/m", token="good")
    monkeypatch.setenv("HF_TOKEN", "good")
    hub.asked.clear()
    pull("hf://me/m")
    assert hub.asked
    assert {said for _, _, said in hub.asked} == {None}


def test_a_private_model_is_pulled_with_the_token_that_is_set(hub, tmp_path, monkeypatch):
    made = push(model_here(tmp_path / "m"), "me/secret", token="good", private=True)
    assert hub.repositories["me/secret"].private
    with pytest.raises(SharingError, match=r"no such model, or it is private \(401\).*HF_TOKEN"):
        pull("hf://me/secret")
    monkeypatch.setenv("HF_TOKEN", "bad")
    with pytest.raises(SharingError, match=r"no such model, or it is private"):
        pull("hf://me/secret")
    monkeypatch.setenv("HF_TOKEN", "good")
    assert pull("hf://me/secret").name == made.commit
    # The host that large files come from is another one, and hears nothing of the token.
    assert {said for _, path, said in hub.asked if path.startswith("/lfs/")} == {None}
    monkeypatch.delenv("HF_TOKEN")
    # Not to be asked for any more, but what was pulled is still on this machine.
    with pytest.raises(SharingError, match="or it is private"):
        pull("hf://me/secret")
    assert pull("hf://me/secret", token="good").name == made.commit


def test_a_gated_model_says_whom_to_ask(hub, tmp_path):
    files = files_of(model_here(tmp_path / "m"))
    hub.holds("o/m", files, gated=True)
    with pytest.raises(SharingError, match="lets in only whom they know: ask on its page"):
        pull("hf://o/m")
    assert pull("hf://o/m", token="good").is_dir()


def test_what_is_not_there(hub, tmp_path):
    with pytest.raises(SharingError, match="hf://o/none: there is no such model, or it is private"):
        pull("hf://o/none")
    hub.holds("o/m", files_of(model_here(tmp_path / "m")))
    with pytest.raises(SharingError, match=r"hf://o/m@v9: there is no such revision: leave @"):
        pull("hf://o/m@v9")


@pytest.mark.parametrize(("token", "name"), [("bad", "me/m"), ("good", "other/m")])
def test_a_token_that_may_not_write(hub, tmp_path, token, name):
    with pytest.raises(SharingError, match="may not be written with this token") as caught:
        push(model_here(tmp_path / "m"), name, token=token)
    assert "\n" not in str(caught.value)
    assert not hub.repositories


def test_a_push_without_any_token_says_where_to_get_one(hub, tmp_path):
    with pytest.raises(SharingError, match=r"needs a token .*`hf auth login`"):
        push(model_here(tmp_path / "m"), "me/m")
    assert not hub.asked


def test_a_private_push_does_not_go_to_a_public_repository(hub, tmp_path):
    push(model_here(tmp_path / "m"), "me/m", token="good")
    sent, commits = len(hub.uploads), len(hub.repositories["me/m"].commits)
    model_here(tmp_path / "m", seed=1)
    with pytest.raises(SharingError, match="there already and public"):
        push(tmp_path / "m", "me/m", token="good", private=True)
    assert (len(hub.uploads), len(hub.repositories["me/m"].commits)) == (sent, commits)


@pytest.mark.parametrize(
    "files",
    [
        {"config.json": b'{"model_type": "bert"}', "model.safetensors": b"theirs"},
        {"model.safetensors": b"theirs"},
        {"config.json": b"[]"},
        {"config.json": b"no JSON"},
    ],
)
def test_another_programs_model_is_not_overwritten(hub, tmp_path, files):
    hub.holds("me/bert", files)
    with pytest.raises(SharingError, match="holds another program's model: choose another name"):
        push(model_here(tmp_path / "m"), "me/bert", token="good")
    assert hub.files("me/bert") == files


# -- trouble on the way --


def test_trouble_that_passes_is_waited_for(hub, tmp_path):
    model = model_here(tmp_path / "m")
    for part in ("/api/repos/create", "/preupload/", "/objects/batch", "/commit/"):
        hub.busy = {part: 1}
        made = push(model, f"me/m{len(hub.repositories)}", token="good")
        assert hub.busy == {part: 0}
    for part in ("/resolve/", "/paths-info/", "/lfs/"):
        hub.busy = {part: 2}
        assert pull(made.address).name == made.commit
        for path in (tmp_path / "hub_cache").iterdir():
            path.rename(tmp_path / f"old {part.strip('/')} {path.name}")
    assert all(left == 0 for left in hub.busy.values())


def test_a_commit_that_was_made_but_never_confirmed_is_not_made_twice(hub, tmp_path):
    hub.lost_answers = 1
    made = push(model_here(tmp_path / "m"), "me/m", token="good")
    assert len(hub.repositories["me/m"].commits) == 2  # the empty first one, and this
    assert made.commit == hub.repositories["me/m"].commits[-1][0]


def test_trouble_that_stays_is_one_line(hub, tmp_path):
    push(model_here(tmp_path / "m"), "me/m", token="good")
    hub.busy, hub.status = {"/": 1000}, 503
    with pytest.raises(SharingError, match=r"trouble of its own \(503\).*again later"):
        pull("hf://me/m")
    with pytest.raises(SharingError, match=r"trouble of its own \(503\).*again later"):
        push(tmp_path / "m", "me/m", token="good")
    hub.status = 418
    with pytest.raises(SharingError, match=r"the Hub refuses"):
        pull("hf://me/m")


def test_a_download_that_breaks_off_goes_on_where_it_was(hub, tmp_path):
    push(model_here(tmp_path / "m"), "me/m", token="good")
    weights = describe_model(tmp_path / "m").weights_sha256
    hub.half = {weights: 1}
    folder = pull("hf://me/m")
    assert hub.half == {weights: 0}
    assert files_of(folder)["model.safetensors"] == files_of(tmp_path / "m")["model.safetensors"]
    assert not [name for name in cached(tmp_path) if "incomplete" in name]


def test_a_pull_that_was_cut_short_is_no_model(hub, tmp_path):
    push(model_here(tmp_path / "m"), "me/m", token="good")
    hub.busy = {"/lfs/": 1000}
    with pytest.raises(SharingError, match="trouble of its own"):
        pull("hf://me/m")
    assert "config.json" in cached(tmp_path)
    assert "model.safetensors" not in cached(tmp_path)
    hub.busy = {"/": 1000}  # and then nothing at all: half a model is not taken for a copy
    with pytest.raises(SharingError, match="trouble of its own"):
        pull("hf://me/m")
    hub.busy = {}
    assert load_model(pull("hf://me/m")).folder.is_dir()


def test_offline_the_copy_that_is_here_is_taken_and_said_so(hub, tmp_path, monkeypatch):
    first = push(model_here(tmp_path / "m"), "me/m", token="good")
    folder = pull("hf://me/m")
    push(model_here(tmp_path / "m", seed=1), "me/m", token="good")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    steps = []
    assert pull("hf://me/m", steps.append) == folder
    assert "cannot be reached" in steps[-1].note
    assert f"taking the copy of {first.commit[:8]}" in steps[-1].note
    assert pull(f"hf://me/m@{first.commit}") == folder
    with pytest.raises(SharingError, match=r"hf://me/other: the Hub cannot be reached"):
        pull("hf://me/other")
    with pytest.raises(SharingError, match=r"hf://me/m: the Hub cannot be reached"):
        push(tmp_path / "m", "me/m", token="good")


def test_a_program_that_is_told_to_stay_offline_asks_nobody(hub, tmp_path):
    push(model_here(tmp_path / "m"), "me/m", token="good")
    folder = pull("hf://me/m")
    hub.asked.clear()
    code = """if True:
        import sys
        from soundreel.sharing.pull import pull
        print(pull("hf://me/m", lambda step: print(step.note, file=sys.stderr)))
        pull("hf://me/other")"""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert ended.stdout.strip() == str(folder)
    assert "HF_HUB_OFFLINE is set: taking the copy" in ended.stderr
    assert "hf://me/other: HF_HUB_OFFLINE is set: unset it" in ended.stderr
    assert not hub.asked


def test_a_site_that_is_no_hub_is_named(tmp_path, monkeypatch):
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    class Portal(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(b"hello")

        do_HEAD = do_POST = do_GET

        def log_message(self, format, *args):  # noqa: A002 - the base class has it
            pass

    with hub_here(tmp_path, monkeypatch), HTTPServer(("127.0.0.1", 0), Portal) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        try:
            with pytest.raises(SharingError, match=r"no Hub answers at .*: check HF_ENDPOINT"):
                pull("hf://o/m")
            with pytest.raises(SharingError, match=r"makes no sense .*: check HF_ENDPOINT"):
                push(model_here(tmp_path / "m"), "me/m", token="good")
        finally:
            server.shutdown()


# -- strangers' repositories --


def test_only_files_of_known_names_are_fetched(hub, tmp_path):
    files = files_of(model_here(tmp_path / "m"))
    hostile = {
        "../../../../evil.txt": b"x",
        "/etc/evil": b"x",
        "pytorch_model.bin": b"a pickle",
        "model.pkl": b"a pickle",
        "modeling.py": b"import os",
        "best/config.json": files["config.json"],
        "model/config.json": files["config.json"],
        **{f"shards/{n}.png": b"x" for n in range(5000)},
    }
    hub.holds("o/m", {**files, **hostile})
    folder = pull("hf://o/m")
    assert sorted(path.name for path in folder.iterdir()) == sorted(MODEL_FILES)
    assert load_model(folder).folder == folder
    assert not hub.requests("GET", "/tree/")  # nobody reads the list
    assert not [path for _, path, _ in hub.asked if "evil" in path or "pickle" in path]
    assert not list(tmp_path.rglob("*evil*"))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"README.md": b"# Hello"}, r"holds no Soundreel model \(no config.json\)"),
        ({"config.json": b'{"model_type": "bert"}'}, "not the config of a Soundreel model"),
        ({"config.json": b"\x80\x04pickle"}, "not JSON"),
        ({"config.json": b" " * (2**24 + 1)}, r"holds no Soundreel model \(config.json has"),
    ],
)
def test_a_repository_that_holds_no_soundreel_model(hub, tmp_path, files, said):
    hub.holds("o/m", {"pytorch_model.bin": b"a pickle", "model.safetensors": b"big", **files})
    with pytest.raises(ModelError, match=f"^hf://o/m: {said}") as caught:
        pull("hf://o/m")
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert "model.safetensors" not in cached(tmp_path)


def test_a_model_of_a_newer_version_without_weights_or_with_others(hub, tmp_path):
    files = files_of(model_here(tmp_path / "m"))
    config = json.loads(files["config.json"])
    newer = json.dumps({**config, "format_version": 99}).encode()
    hub.holds("o/newer", {**files, "config.json": newer})
    with pytest.raises(ModelError, match=r"^hf://o/newer: format 99 is newer.*update soundreel"):
        pull("hf://o/newer")
    bare = {name: files[name] for name in ("config.json", "README.md")}
    hub.holds("o/bare", {**bare, "pytorch_model.bin": b"a pickle"})
    with pytest.raises(ModelError, match=r"^hf://o/bare: has no model.safetensors"):
        pull("hf://o/bare")
    others = files_of(model_here(tmp_path / "others", seed=1))["model.safetensors"]
    hub.holds("o/mixed", {**files, "model.safetensors": others})
    for _ in range(2):  # it is not taken for whole the second time
        with pytest.raises(ModelError, match=r"^hf://o/mixed: .*SHA-256 differs"):
            pull("hf://o/mixed")


def test_what_is_too_large_to_go_with_a_model_is_left_there(hub, tmp_path):
    files = files_of(model_here(tmp_path / "m"))
    hub.holds("o/m", {**files, "README.md": b"x" * (2**20 + 1), "sheet.png": b"small"})
    folder = pull("hf://o/m")
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["config.json", "model.safetensors", "sheet.png"]


def test_a_copy_that_was_altered_here_is_fetched_again(hub, tmp_path):
    push(model_here(tmp_path / "m"), "me/m", token="good")
    weights = pull("hf://me/m") / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.resolve().write_bytes(content)
    assert load_model(pull("hf://me/m")).folder.is_dir()


# -- what is given --


def test_a_model_that_is_not_whole_is_not_pushed(hub, tmp_path):
    with pytest.raises(ModelError, match="there is no such folder"):
        push(tmp_path / "nowhere", "me/m", token="good")
    weights = model_here(tmp_path / "m") / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + b"x")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        push(tmp_path / "m", "me/m", token="good")
    weights.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        push(tmp_path / "m", "me/m", token="good")
    assert not hub.asked


def test_films_and_reports_that_do_not_fit(hub, tmp_path):
    model = model_here(tmp_path / "m")
    huge = tmp_path / "huge.mp4"
    with huge.open("wb") as file:
        file.truncate(101 * 2**20)
    for film, said in (
        (tmp_path / "film.mov", "a page shows .mp4, .webm, .gif"),
        (tmp_path / "none.mp4", "there is no such film"),
        (huge, "has 101 MB, at most 100 fit"),
    ):
        with pytest.raises(SharingError, match=said):
            push(model, "me/m", token="good", film=film)
    other = report_here(tmp_path / "other.html", "0" * 64)
    with pytest.raises(SharingError, match="is a report on another model"):
        push(model, "me/m", token="good", audit=other)
    with pytest.raises(SharingError, match="cannot be read"):
        push(model, "me/m", token="good", audit=tmp_path / "none.html")
    for text in ("no JSON", "[]", '{"format": "soundreel-evidence", "kind": "dataset"}'):
        (tmp_path / "odd.json").write_text(text)
        with pytest.raises(SharingError, match="no report on a model"):
            push(model, "me/m", token="good", audit=tmp_path / "odd.json")
    assert not hub.asked


def test_an_audit_that_found_a_leak_says_so_on_the_card(hub, tmp_path):
    model = model_here(tmp_path / "m")
    told = {"format": "soundreel-evidence", "kind": "model", "verdict": "INVALID", "songs": ["a"]}
    (tmp_path / "ask.json").write_text(json.dumps(told))
    push(model, "me/m", token="good", audit=tmp_path / "ask.json")
    card = hub.files("me/m")["README.md"].decode()
    assert "**INVALID**" in card
    assert "| sensitivity |" not in card
    assert "audit.html" not in card


def test_a_cache_that_cannot_be_written_is_a_persons_error(hub, tmp_path, monkeypatch):
    push(model_here(tmp_path / "m"), "me/m", token="good")
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "a file" / "cache"))
    with pytest.raises(StorageError, match="is a file, not a folder"):
        pull("hf://me/m")
