// The page itself: films one at a time, votes kept in this browser and as files, and the key.
const { keySha256, votesFormat, keyFormat } = document.body.dataset;
const byId = (id) => document.getElementById(id);
const forms = [...document.querySelectorAll("form.pair")];
const names = forms.map((form) => form.dataset.pair);
const choices = ["A", "B", "cannot tell"];
const storageName = `soundreel vote ${keySha256}`;
const many = (n, one, more = one + "s") => `${n.toLocaleString("en")} ${n === 1 ? one : more}`;
let votes = [], opened = false, isKept = true, sides = null;

// Films: never two at once.
const films = [...document.querySelectorAll("video")];
document.addEventListener("play", (event) => {
  for (const film of films) if (film !== event.target) film.pause();
}, true);
const stopFilms = () => films.forEach((film) => film.pause());

// Votes: one of each person on each pair; what is there already stays.
const isVote = (vote) => vote && typeof vote.person === "string" && vote.person.length <= 64
  && names.includes(vote.pair) && choices.includes(vote.choice);

function merge(more) {
  const known = new Set(votes.map(({ person, pair }) => JSON.stringify([person, pair])));
  let added = 0;
  for (const { person, pair, choice } of more.filter(isVote)) {
    const place = JSON.stringify([person, pair]);
    if (known.has(place)) continue;
    known.add(place);
    votes.push({ person, pair, choice });
    added++;
  }
  return added;
}

function fetchKept() {
  try {
    const kept = JSON.parse(localStorage.getItem(storageName) ?? "{}");
    if (Array.isArray(kept.votes)) merge(kept.votes);
    opened ||= kept.opened === true;
  } catch { isKept = false; }
}

function keep() {
  fetchKept();  // another window may have this page open too
  try {
    localStorage.setItem(storageName, JSON.stringify({ votes, opened }));
  } catch { isKept = false; }
}

const content = () => ({ format: votesFormat, key_sha256: keySha256, votes });

function show() {
  const people = new Set(votes.map((vote) => vote.person)).size;
  const answered = forms.filter((form) => form.elements.choice.value).length;
  byId("people").textContent = people
    ? `${many(people, "person has", "people have")} voted: ${many(votes.length, "answer")}.`
    : "Nobody has voted yet.";
  byId("not-kept").hidden = isKept;
  byId("answered").textContent = names.length > 1 ? `${answered} of ${names.length} answered` : "";
  byId("cast").disabled = !answered;
  byId("save").disabled = byId("again").disabled = !votes.length && !opened;
  byId("voting").hidden = opened;
  byId("closed").hidden = !opened;
  for (const form of forms) form.querySelector("fieldset").hidden = opened;
  if (sides) showResult();
}

const say = (id, text, isWrong = false) => {
  byId(id).textContent = text;
  byId(id).classList.toggle("wrong", isWrong);
};

for (const form of forms) {
  form.onchange = () => { say("cast-said", ""); show(); };
  form.onsubmit = (event) => event.preventDefault();
}

byId("cast").onclick = () => {
  const person = [...crypto.getRandomValues(new Uint8Array(8))]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
  merge(forms.map((form) => ({
    person, pair: form.dataset.pair, choice: form.elements.choice.value,
  })));
  keep();
  stopFilms();
  for (const form of forms) form.reset();
  for (const film of films) film.currentTime = 0;
  say("cast-said", "Thank you, your votes are in. The next person may begin at the top.");
  show();
};

byId("save").onclick = () => {
  const link = document.createElement("a");
  const text = JSON.stringify(content(), null, 2) + "\n";
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "votes.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
};

byId("again").onclick = () => {
  if (!confirm("Delete all votes that are kept in this browser?")) return;
  votes = [];
  opened = false;
  sides = null;
  try { localStorage.removeItem(storageName); } catch { isKept = false; }
  byId("result").hidden = true;
  for (const id of ["cast-said", "votes-said", "key-said"]) say(id, "");
  show();
};

byId("votes-file").onchange = async (event) => {
  let added = 0, wrong = "";
  for (const file of event.target.files) {
    try {
      const read = JSON.parse(await file.text());
      if (read.format !== votesFormat || !Array.isArray(read.votes)) throw new Error();
      if (read.key_sha256 === keySha256) added += merge(read.votes);
      else wrong = `${file.name}: these votes were cast on another page.`;
    } catch { wrong = `${file.name}: this is no file of votes.`; }
  }
  event.target.value = "";
  keep();
  say("votes-said", wrong || `${many(added, "new answer")} added.`, wrong !== "");
  show();
};

byId("key-file").onchange = async (event) => {
  const file = event.target.files[0];
  if (!file) return;
  const bytes = new Uint8Array(await file.arrayBuffer());
  event.target.value = "";
  const hash = sha256(bytes);
  if (hash !== keySha256) {
    say("key-said", `${file.name}: this is not this page's key, or it was changed: its SHA-256 `
      + `is ${hash}.`, true);
    return;
  }
  const key = JSON.parse(new TextDecoder().decode(bytes));
  if (key.format !== keyFormat || names.some((name) => !["A", "B"].includes(key.sides[name]))) {
    say("key-said", `${file.name}: this key has another form than the page knows.`, true);
    return;
  }
  sides = key.sides;
  opened = true;
  stopFilms();
  keep();
  say("key-said", "The key is the one whose SHA-256 is printed here.");
  show();
  byId("result").focus();
};

// The result.
const percent = (share) => `${(100 * share).toFixed(0)}%`;
const pWritten = (p) => p < 0.001 ? "less than 0.001" : p.toFixed(3);
const cell = (kind, text) => Object.assign(document.createElement(kind), { textContent: text });

function showResult() {
  const result = tallyOf(votes, sides);
  byId("result").hidden = false;
  byId("right").textContent = `${result.right} of ${result.votes}`;
  byId("counted").hidden = !result.votes;
  byId("interval").textContent = `${percent(result.low)} to ${percent(result.high)}`;
  byId("p").textContent = pWritten(result.pValue);
  byId("p-sides").textContent = pWritten(result.sidesPValue);
  byId("songs").hidden = result.people < 2;
  byId("band").style.left = `${100 * result.low}%`;
  byId("band").style.width = `${100 * (result.high - result.low)}%`;
  byId("dot").style.left = `${100 * result.right / Math.max(1, result.votes)}%`;
  byId("in-words").textContent = !result.votes
    ? "There is no vote for A or B yet: nothing can be said."
    : `${percent(result.right / result.votes)} of the votes were right; guessing gives 50%. `
      + `By guessing alone, ${result.right} or more of ${result.votes} would be right with a `
      + `chance of ${pWritten(result.pValue)}.`;
  byId("left-out").textContent = result.cannotTell
    ? `${many(result.cannotTell, "more answer was", "more answers were")} “cannot tell”: not among `
      + `the ${result.votes}.`
    : "Nobody answered “cannot tell”.";
  byId("by-pair").replaceChildren(...names.map((name) => {
    const row = document.createElement("tr"), pair = result.pairs.get(name);
    const named = cell("th", name);
    named.scope = "row";
    row.append(named, ...[sides[name], pair.right, pair.wrong, pair.cannotTell]
      .map((value) => cell("td", value)));
    return row;
  }));
  for (const film of document.querySelectorAll(".film")) {
    const isReal = sides[film.closest("form").dataset.pair] === film.dataset.side;
    film.querySelector(".told").textContent = isReal ? "made from this song" : "made from another";
    film.classList.toggle("real", isReal);
  }
}

addEventListener("storage", (event) => {
  if (event.key === storageName && event.newValue) { fetchKept(); show(); }
});
for (const form of forms) form.reset();  // a reloaded page remembers what was chosen
fetchKept();
show();
