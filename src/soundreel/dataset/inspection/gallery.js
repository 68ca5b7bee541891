// Reading needs no script. This one enlarges a moment, and collects what to leave out as a command.
"use strict";
const byId = (id) => document.getElementById(id);
const large = byId("large"), marks = byId("marks"), marked = new Map();
const quoted = (text) => /^[\w.,:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
let open = null;

function show() {
  let clips = 0, frames = 0, words = ["soundreel inspect", quoted(document.body.dataset.dataset)];
  for (const article of document.querySelectorAll("article")) {
    const chosen = marked.get(article.dataset.clip) ?? { whole: false, places: new Set() };
    article.classList.toggle("marked", chosen.whole);
    article.querySelector(".mark").textContent = chosen.whole ? "keep" : "leave out";
    for (const figure of article.querySelectorAll(".moment"))
      figure.classList.toggle("marked", chosen.places.has(figure.dataset.k));
    if (!chosen.whole && !chosen.places.size) continue;
    const places = [...chosen.places].map(Number).sort((a, b) => a - b).join(",");
    clips += chosen.whole;
    frames += chosen.whole ? 0 : chosen.places.size;
    words.push("--drop", quoted(article.dataset.clip + (chosen.whole ? "" : ":" + places)));
  }
  const count = (n, word) => n ? [`${n} ${word}${n === 1 ? "" : "s"}`] : [];
  marks.hidden = !clips && !frames;
  marks.querySelector("b").textContent =
    [...count(clips, "clip"), ...count(frames, "frame")].join(" and ");
  marks.querySelector("code").textContent = words.join(" ");
}

function mark(id, k) {
  const chosen = marked.get(id) ?? { whole: false, places: new Set() };
  if (k === null) chosen.whole = !chosen.whole;
  else if (!chosen.places.delete(k)) chosen.places.add(k);
  marked.set(id, chosen);
  show();
}

for (const article of document.querySelectorAll("article")) {
  const button = article.querySelector(".mark");
  button.hidden = false;
  button.onclick = () => mark(article.dataset.clip, null);
}
for (const figure of document.querySelectorAll(".moment")) {
  figure.tabIndex = 0;
  figure.onclick = () => {
    open = figure;
    for (const kind of ["frame", "sound"])
      large.querySelector("." + kind).src = figure.querySelector("." + kind).src;
    const article = figure.closest("article");
    large.querySelector("p").textContent =
      `${article.querySelector("h3").textContent}, ${figure.querySelector("figcaption").firstChild.textContent.trim()}`;
    large.querySelector(".mark").textContent =
      figure.classList.contains("marked") ? "keep this frame" : "leave this frame out";
    large.showModal();
  };
  figure.onkeydown = (event) => event.key === "Enter" && figure.onclick();
}
large.onclick = (event) => event.target.className !== "mark" && large.close();
large.querySelector(".mark").onclick = () => {
  mark(open.closest("article").dataset.clip, open.dataset.k);
  large.close();
};
marks.querySelector(".copy").onclick = () =>
  navigator.clipboard?.writeText(marks.querySelector("code").textContent);
marks.querySelector(".clear").onclick = () => (marked.clear(), show());
