// The page's numbers: the same as those of soundreel.evidence.proportion, and SHA-256.
"use strict";

// P(X >= successes) of a binomial X, by its terms.
function upperTail(successes, trials, chance) {
  if (successes === 0 || chance === 1) return 1;
  if (chance === 0) return 0;
  const logFactorial = [0];
  for (let i = 1; i <= trials; i++) logFactorial.push(logFactorial[i - 1] + Math.log(i));
  let sum = 0;
  for (let i = successes; i <= trials; i++)
    sum += Math.exp(logFactorial[trials] - logFactorial[i] - logFactorial[trials - i]
      + i * Math.log(chance) + (trials - i) * Math.log1p(-chance));
  return Math.min(1, sum);
}

// Clopper & Pearson, Biometrika 26 (1934): the ends of the exact interval.
function binomialInterval(successes, trials, confidence = 0.95) {
  const tail = (1 - confidence) / 2;
  const root = (rising) => {
    let low = 0, high = 1;
    for (let i = 0; i < 60; i++) {
      const middle = (low + high) / 2;
      if (rising(middle) < 0) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  };
  return [
    successes === 0 ? 0 : root((p) => upperTail(successes, trials, p) - tail),
    successes === trials ? 1 : root((p) => tail - upperTail(trials - successes, trials, 1 - p)),
  ];
}

// votes: [right, wrong] of each pair. Only which film was the song's own is drawn anew.
function sidesPValue(votes) {
  let chanceOf = new Map([[0, 1]]), observed = 0;
  for (const [right, wrong] of votes) {
    const after = new Map();
    for (const [total, chance] of chanceOf)
      for (const more of [right, wrong])
        after.set(total + more, (after.get(total + more) ?? 0) + chance / 2);
    chanceOf = after;
    observed += right;
  }
  let sum = 0;
  for (const [total, chance] of chanceOf) if (total >= observed) sum += chance;
  return Math.min(1, sum);
}

function tallyOf(votes, sides) {
  const pairs = new Map(), people = new Set();
  for (const name of Object.keys(sides)) pairs.set(name, { right: 0, wrong: 0, cannotTell: 0 });
  for (const { person, pair, choice } of votes) {
    people.add(person);
    if (choice !== "A" && choice !== "B") pairs.get(pair).cannotTell++;
    else if (choice === sides[pair]) pairs.get(pair).right++;
    else pairs.get(pair).wrong++;
  }
  const counts = [...pairs.values()];
  const sum = (of) => counts.reduce((total, pair) => total + pair[of], 0);
  const right = sum("right"), total = right + sum("wrong");
  const [low, high] = binomialInterval(right, total);
  return {
    right, votes: total, cannotTell: sum("cannotTell"), people: people.size, low, high,
    pValue: upperTail(right, total, 0.5),
    sidesPValue: sidesPValue(counts.map((pair) => [pair.right, pair.wrong])),
    pairs,
  };
}

// FIPS 180-4. Browsers offer their own only where a page is opened from this machine or by https.
function sha256(bytes) {
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
  const fraction = (x) => (x - Math.floor(x)) * 2 ** 32 | 0;
  const hash = primes.slice(0, 8).map((p) => fraction(Math.sqrt(p)));
  const constants = primes.map((p) => fraction(Math.cbrt(p)));
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(padded.length - 4, bytes.length * 8);
  const turn = (x, n) => x >>> n | x << 32 - n;
  for (let at = 0; at < padded.length; at += 64) {
    const w = [];
    for (let t = 0; t < 64; t++) {
      if (t < 16) { w.push(view.getInt32(at + 4 * t)); continue; }
      const s0 = turn(w[t - 15], 7) ^ turn(w[t - 15], 18) ^ w[t - 15] >>> 3;
      const s1 = turn(w[t - 2], 17) ^ turn(w[t - 2], 19) ^ w[t - 2] >>> 10;
      w.push(w[t - 16] + s0 + w[t - 7] + s1 | 0);
    }
    let [a, b, c, d, e, f, g, h] = hash;
    for (let t = 0; t < 64; t++) {
      const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
      const t1 = h + s1 + (e & f ^ ~e & g) + constants[t] + w[t] | 0;
      const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
      const t2 = s0 + (a & b ^ a & c ^ b & c) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, d + t1 | 0, c, b, a, t1 + t2 | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((x, i) => { hash[i] = hash[i] + x | 0; });
  }
  return hash.map((x) => (x >>> 0).toString(16).padStart(8, "0")).join("");
}
