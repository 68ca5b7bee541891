"""Blind pairs: what the page gives away (nothing), and that a browser counts as Python does."""

import hashlib
import json
import os
import random
import re
import shutil
import time
from collections.abc import Sequence
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from browser_here import Page, browser_page

from flash_and_click import steady_times, write_flash_and_click
from soundreel.errors import MediaError, SettingsError
from soundreel.evidence.proportion import (
    VOTES_FORMAT,
    binomial_interval,
    binomial_p_value,
    sides_p_value,
    tally,
)
from soundreel.rendering.blind import Pair, draw_sides, film_names, write_vote_page

NAMES = ("Blue hour", 'Tram & <sea> "quoted"', "a:b?#.mp3")
NONCE = "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """A film of 0.4 s with sound."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    return write_flash_and_click(path, steady_times(Fraction(25), 10)).path


def pairs_in(folder: Path, film: Path, sides: Sequence[Any], names=NAMES) -> list[Pair]:
    folder.mkdir(exist_ok=True)
    pairs = []
    for number, (name, side) in enumerate(zip(names, sides, strict=True)):
        places = [folder / file_name for file_name in film_names(name).values()]
        # The real film was made first: its date would tell it.
        for when, place in enumerate(places if side == "A" else places[::-1]):
            shutil.copy(film, place)
            os.utime(place, (1000 * number + when, 1000 * number + when))
        pairs.append(Pair(name, places[0], places[1], side))
    return pairs


def test_the_page_and_the_files_do_not_tell_which_film_is_real(film, tmp_path):
    pages = []
    for sides in ("AAA", "BBB", "ABA"):
        folder = tmp_path / sides
        write_vote_page(folder, pairs_in(folder, film, sides), tmp_path / f"{sides}.json")
        key = (tmp_path / f"{sides}.json").read_bytes()
        page = (folder / "vote.html").read_text()
        key_sha256 = hashlib.sha256(key).hexdigest()
        assert key_sha256 in page
        assert json.loads(key)["sides"] == dict(zip(NAMES, sides, strict=True))
        assert json.loads(key)["nonce"] not in page
        pages.append(page.replace(key_sha256, "").replace(f"{sides}.json", ""))
        dates = {path.stat().st_mtime_ns for path in folder.glob("*.mp4")}
        assert len(dates) == 1
        assert sorted(path.name for path in folder.iterdir()) == sorted(
            ["vote.html", *(file for name in NAMES for file in film_names(name).values())]
        )
    assert pages[0] == pages[1] == pages[2]


def test_the_hash_cannot_be_found_by_trying_the_answers(film, tmp_path):
    pairs = pairs_in(tmp_path / "page", film, "ABA")
    hashes = set()
    for nonce in (None, None, NONCE, NONCE):
        write_vote_page(tmp_path / "page", pairs, tmp_path / "key.json", nonce=nonce)
        hashes.add(hashlib.sha256((tmp_path / "key.json").read_bytes()).hexdigest())
    assert len(hashes) == 3, "a nonce of its own for each key; the same one where it is given"
    assert len(json.loads((tmp_path / "key.json").read_bytes())["nonce"]) == 64


def test_sides_are_fair_coins_that_a_seed_repeats():
    names = [f"song {n}" for n in range(2000)]
    sides = draw_sides(7, names)
    assert draw_sides(7, names[::-1])["song 3"] == sides["song 3"]
    assert draw_sides(8, names) != sides
    for drawn in (sides, draw_sides(None, names)):
        assert set(drawn.values()) == {"A", "B"}
        assert 900 < sum(side == "A" for side in drawn.values()) < 1100
    assert draw_sides(None, names) != draw_sides(None, names)


def test_file_names_are_plain_and_each_pairs_own():
    assert film_names("Blue hour") == {"A": "Blue hour A.mp4", "B": "Blue hour B.mp4"}
    names = ["a/b", "a-b", "..", "", "/", "x" * 300, "x" * 299, "Ünïcode 歌", "a  b", "a b"]
    made = [file for name in names for file in film_names(name, ".webm").values()]
    assert len(set(made)) == 2 * len(names)
    for file in made:
        assert "/" not in file
        assert not file.startswith(".")
        assert len(file.encode()) < 255


def test_the_page_asks_nobody_and_escapes_names(film, tmp_path):
    pairs = pairs_in(tmp_path, film, "ABA")
    write_vote_page(tmp_path, pairs, tmp_path / "key.json")
    page = (tmp_path / "vote.html").read_text()
    assert not re.search(r"https?:|//\w|@import|url\(|fetch\(|XMLHttp|sendBeacon", page)
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert "default-src 'none'; media-src 'self';" in policy[0]
    assert "<sea>" not in page
    sources = re.findall(r'<video src="([^"]*)"', page)
    assert len(sources) == 6
    assert all(re.fullmatch(r"[\w%.-]+", source) for source in sources)


def test_what_cannot_be_voted_on_is_refused_before_anything_is_written(film, tmp_path):
    folder = tmp_path / "page"
    pair, other, _ = pairs_in(folder, film, "ABA")
    gif = folder / "film.gif"
    shorter = folder / "short.mp4"
    write_flash_and_click(shorter, steady_times(Fraction(25), 5), click_seconds=Fraction(1, 10))
    silent = folder / "silent.mp4"
    write_flash_and_click(silent, steady_times(Fraction(25), 10), with_sound=False)
    (folder / "empty.mp4").touch()
    cases = [
        (SettingsError, "plays films with sound", [Pair("x", gif, gif, "A")]),
        (MediaError, "is empty", [Pair("x", folder / "empty.mp4", pair.film_b, "A")]),
        (ValueError, "at least one", []),
        (ValueError, "name of its own", [pair, Pair(pair.name, other.film_a, other.film_b, "A")]),
        (ValueError, "not in the subpath", [Pair("x", film, pair.film_b, "A")]),
        (ValueError, "tell themselves", [Pair("x", pair.film_a, shorter, "A")]),
        (ValueError, "no sound", [Pair("x", silent, silent, "A")]),
    ]
    for error, says, pairs in cases:
        with pytest.raises(error, match=says):
            write_vote_page(folder, pairs, tmp_path / "key.json")
        assert not (folder / "vote.html").exists()
        assert not (tmp_path / "key.json").exists()


def test_a_browser_computes_the_same_numbers(tmp_path):
    rng = random.Random(0)
    counts = [(0, 1), (1, 1), (0, 10), (10, 10), (12, 14), (55, 100), (700, 1300)]
    votes = [[(rng.randint(0, 9), rng.randint(0, 9)) for _ in range(n)] for n in (1, 4, 9)]
    texts = ["", "abc", "x" * 55, "x" * 56, "x" * 64, "Ünïcode 歌" * 40, "y" * 3000]
    numbers = files("soundreel.rendering").joinpath("vote_numbers.js").read_text()
    (tmp_path / "page.html").write_text(f"<!doctype html><script>{numbers}</script>")
    with browser_page(tmp_path / "page.html", tmp_path / "profile") as page:
        said = page.run(f"""
        return {{
          interval: {json.dumps(counts)}.map(([k, n]) => binomialInterval(k, n)),
          p: {json.dumps(counts)}.map(([k, n]) => upperTail(k, n, 0.5)),
          sides: {json.dumps(votes)}.map(sidesPValue),
          sha256: {json.dumps(texts)}.map((text) => sha256(new TextEncoder().encode(text))),
          nothing: [binomialInterval(0, 0), upperTail(0, 0, 0.5), sidesPValue([])],
        }};""")
    for (successes, trials), interval, p in zip(counts, said["interval"], said["p"], strict=True):
        assert interval == pytest.approx(binomial_interval(successes, trials), abs=1e-10)
        assert p == pytest.approx(binomial_p_value(successes, trials), rel=1e-9)
    assert said["sides"] == pytest.approx([sides_p_value(of) for of in votes])
    assert said["sha256"] == [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    assert said["nothing"] == [[0, 1], 1, 1]


class Voting:
    """The page in a person's hands: what is chosen, given to it and read from it."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page, self.folder = page, folder

    def vote(self, *choices: str | None) -> str:
        """Choose for each pair, cast, and read how many have voted."""
        for number, choice in enumerate(choices):
            if choice:
                self.page.run(f"forms[{number}].querySelector('[value=\"{choice}\"]').click()")
        self.page.run("byId('cast').click()")
        return self.text("people")

    def text(self, name: str) -> str:
        return self.page.run(f"return byId('{name}').textContent")

    def hidden(self, *names: str) -> list[bool]:
        return self.page.run(f"return {json.dumps(names)}.map((id) => byId(id).hidden)")

    def give(self, kind: str, *contents: str) -> str:
        """Give the page files of votes or a key, and read what it says of them."""
        given = []
        for number, content in enumerate(contents):
            given.append(self.folder / f"{number}.json")
            given[-1].write_text(content)
        self.page.run(f"say('{kind}-said', '')")
        self.page.give(f"#{kind}-file", *given)
        for _ in range(200):
            said = self.text(f"{kind}-said")
            if said:
                return said
            time.sleep(0.02)
        raise AssertionError("the page says nothing of the file")

    def saved(self) -> str:
        """What the page saves as a file."""
        return self.page.run("""
        let saved;
        const before = URL.createObjectURL;
        URL.createObjectURL = (of) => { saved = of; return before.call(URL, of); };
        byId("save").click();
        URL.createObjectURL = before;
        return await saved.text();""")


def test_people_vote_on_the_page_and_the_key_counts_their_votes(film, tmp_path):
    folder = tmp_path / "page"
    write_vote_page(folder, pairs_in(folder, film, "ABA"), tmp_path / "key.json")
    key = (tmp_path / "key.json").read_text()

    def votes_file(**changes: Any) -> str:
        votes = [
            {"person": "elsewhere", "pair": name, "choice": choice}
            for name, choice in ((NAMES[0], "B"), (NAMES[1], "cannot tell"), ("none", "A"))
        ]
        key_sha256 = hashlib.sha256(key.encode()).hexdigest()
        content = {"format": VOTES_FORMAT, "key_sha256": key_sha256, "votes": votes}
        return json.dumps({**content, **changes})

    with browser_page(folder / "vote.html", tmp_path / "profile") as page:
        here = Voting(page, tmp_path)
        assert here.text("people") == "Nobody has voted yet."
        assert page.run("return [byId('cast').disabled, byId('save').disabled]") == [True, True]
        assert here.vote("A", "B", "A") == "1 person has voted: 3 answers."
        chosen = page.run("return forms.map((form) => form.elements.choice.value)")
        assert chosen == ["", "", ""], "the next person starts anew"
        here.vote("A", None, "cannot tell")
        assert here.vote("A", "B", "B") == "3 people have voted: 8 answers."

        assert "another page" in here.give("votes", votes_file(key_sha256="0" * 64))
        assert "no file of votes" in here.give("votes", key)
        assert here.give("votes", votes_file()) == "2 new answers added."
        assert here.give("votes", votes_file(), votes_file()) == "0 new answers added."

        assert "or it was changed" in here.give("key", key.replace('"A"', '"B"'))
        assert here.hidden("result", "voting", "closed") == [True, False, True]
        assert page.run("return document.querySelector('.told:not(:empty)') === null")

        counted = tally(here.saved(), key)
        assert (counted.right, counted.votes, counted.cannot_tell, counted.people) == (6, 8, 2, 4)
        assert "is the one whose SHA-256" in here.give("key", key)
        assert here.hidden("result", "voting", "closed") == [False, True, False]
        assert page.run("return document.activeElement.id") == "result"
        assert page.run("return forms.every((form) => form.querySelector('fieldset').hidden)")
        assert here.text("right") == "6 of 8"
        assert here.text("interval") == f"{100 * counted.low:.0f}% to {100 * counted.high:.0f}%"
        assert here.text("p") == f"{counted.p_value:.3f}"
        assert here.text("p-sides") == f"{counted.sides_p_value:.3f}"
        assert here.text("left-out").startswith("2 more answers")
        rows = page.run(
            "return [...byId('by-pair').rows].map((r) => [...r.cells].map((c) => c.textContent))"
        )
        assert rows == [
            [name, side, *(str(n) for n in (of.right, of.wrong, of.cannot_tell))]
            for (name, of), side in zip(counted.pairs.items(), "ABA", strict=True)
        ]
        real = page.run("return [...document.querySelectorAll('.real')].map((f) => f.dataset.side)")
        assert real == ["A", "B", "A"]

    with browser_page(folder / "vote.html", tmp_path / "profile") as page:
        here = Voting(page, tmp_path)
        assert here.text("people") == "4 people have voted: 10 answers.", "kept by the browser"
        assert here.hidden("result", "voting", "closed") == [True, True, False]
        page.run("window.confirm = () => true; byId('again').click()")
        assert here.text("people") == "Nobody has voted yet."
        assert here.hidden("voting", "closed") == [False, True]


def test_films_play_one_at_a_time_and_nothing_on_the_page_is_refused(film, tmp_path):
    write_vote_page(tmp_path, pairs_in(tmp_path, film, "ABA"), tmp_path / "key.json")
    with browser_page(tmp_path / "vote.html", tmp_path / "profile") as page:
        widths = page.run("""
        await Promise.all(films.map((film) => film.readyState > 0
          || new Promise((done) => film.addEventListener("loadedmetadata", done))));
        return films.map((film) => film.videoWidth);""")
        assert widths == [192] * 6, "the page's policy lets it play its films"
        for place in (0, 1, 4):
            playing = page.run(f"""
            films[{place}].loop = true;
            await films[{place}].play();
            await new Promise((done) => setTimeout(done, 50));
            return films.map((film) => !film.paused);""")
            assert playing == [number == place for number in range(6)]
        page.run("forms[0].querySelector('input').click(); byId('cast').click()")
        assert page.run("return films.every((film) => film.paused)")
        refused = page.run("""
        let refused = "";
        document.addEventListener("securitypolicyviolation",
          (event) => { refused = event.violatedDirective; });
        const picture = document.createElement("img");
        picture.src = "https://example.org/x.png";
        document.body.append(picture);
        await new Promise((done) => setTimeout(done, 200));
        return refused;""")
        assert refused.startswith("img-src"), "it could not ask anybody if it wanted to"
