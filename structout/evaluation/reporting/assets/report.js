"use strict";
// All texts are inserted as text nodes, never as markup: the output of a model stays data.
const data = JSON.parse(document.getElementById("data").textContent);
const COLOURS = ["#0b6e99", "#c2571a", "#3d8b40", "#8a4fae", "#b0893b", "#c23b63", "#2a9d9d", "#6b6f76", "#5566cc", "#7a9a01"];
const ERROR_COLOURS = ["#5b8db8", "#c0504d", "#d98b3a", "#8c6bb1", "#b5a642", "#9aa5ad", "#4f7f6f", "#3b3f46", "#a05a7a"];
const LEFT = new Set(["strategy", "first", "second", "perturbation", "field"]);
const byId = (id) => document.getElementById(id);
const transcripts = data.about.transcripts !== false;
const plain = data.rows.map((row) => row.arm);
const several = new Set(data.arms.map((arm) => arm.model)).size > 1;

function el(tag, attributes, ...children) {
  const node = tag.startsWith("svg:") ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}
const percent = (share) => `${Math.round(100 * share)} %`;
const points = (share) => { const whole = Math.round(100 * share); return whole === 0 ? "0" : `${whole > 0 ? "+" : "−"}${Math.abs(whole)}`; };
const number = (value, digits) => (value === null || value === undefined ? "–" : value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: 0 }));
const small = (value) => (value === null || value === undefined ? "–" : value >= 100 ? value.toFixed(0) : Number(value.toPrecision(2)).toString());
const colour = (arm) => COLOURS[Math.max(0, plain.indexOf(arm)) % COLOURS.length];
const name = (arm) => data.arms[arm].label + (several ? ` · ${data.arms[arm].model}` : "") + (data.arms[arm].perturbation ? ` · ${data.arms[arm].perturbation}` : "");
const breakable = (text) => text.replace(/([(,])/g, "$1\u200b");
const shown = (value) => (value === null || value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value));
const rateCell = (rate) => el("td", {}, percent(rate[0]), el("small", {}, `${Math.round(100 * rate[1])}–${Math.round(100 * rate[2])}`));
const numbered = (arm) => el("i", { class: "number", style: `background:${colour(arm)}`, title: name(arm) }, plain.indexOf(arm) + 1);
const numbers = () => el("ol", { class: "key" }, plain.map((arm) => el("li", {}, numbered(arm), name(arm))));

function table(heads, lines) {
  return el("table", {}, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col", class: LEFT.has(head) ? "left" : null }, head)))), el("tbody", {}, lines));
}

function headline() {
  const rates = [...new Set(data.rows.flatMap((row) => Object.keys(row.rates)))];
  const priced = data.rows.some((row) => row.cost.price !== null);
  const [main, more] = [rates.slice(0, 6), rates.slice(6)]; // costs come before the further rates, where they are visible without scrolling
  const heads = ["strategy", "n", ...main, "calls", "tokens", "seconds", "p50 / p95", "s / correct", ...(priced ? ["price", "price / correct"] : []), ...more];
  const best = frontier(data.rows.map((row) => [row.cost.seconds, row.rates["record accuracy"][0], row.arm]));
  const lines = data.rows.map((row) => {
    const c = row.cost;
    const cells = (names) => names.map((one) => (row.rates[one] ? rateCell(row.rates[one]) : el("td", {}, "–")));
    return el("tr", { class: best.some((one) => one[2] === row.arm) ? "best" : null },
      el("td", { class: "name" }, numbered(row.arm), breakable(name(row.arm))), el("td", {}, row.n),
      cells(main),
      el("td", {}, c.checks ? `${(c.calls - c.checks).toFixed(2)} + ${c.checks.toFixed(2)}` : c.calls.toFixed(2)), el("td", {}, (c.estimated ? "≤ " : "") + number(c.tokens, 0)), el("td", {}, c.seconds.toFixed(2)),
      el("td", {}, `${c.p50.toFixed(2)} / ${c.p95.toFixed(2)}`), el("td", {}, small(c.seconds_per_correct)),
      priced ? [el("td", {}, small(c.price)), el("td", {}, small(c.price_per_correct))] : [], cells(more));
  });
  byId("headline-table").append(table(heads, lines));
  byId("headline").querySelector(".note").append(" ◆ marks a strategy that no other beats in both cost and record accuracy.");
}

// The entries [cost, value, ...] with a higher value than every entry of the same or a lower cost.
function frontier(found) {
  const best = [];
  for (const one of [...found].sort((a, b) => a[0] - b[0] || b[1] - a[1])) {
    if (!best.length || one[1] > best[best.length - 1][1]) best.push(one);
  }
  return best;
}

function axes(width, height, margin, yTicks) {
  const y = (share) => height - margin.bottom - share * (height - margin.bottom - margin.top);
  const marks = (yTicks || [0, 0.25, 0.5, 0.75, 1]).map((share) => [
    el("svg:line", { class: "axis", x1: margin.left, x2: width - margin.right, y1: y(share), y2: y(share) }),
    el("svg:text", { class: "faint", x: margin.left - 6, y: y(share) + 4, "text-anchor": "end" }, percent(share)),
  ]);
  return { y, marks: marks.flat() };
}

function scatter(metric, title) {
  const [width, height, margin] = [540, 320, { top: 14, right: 16, bottom: 40, left: 52 }];
  const costs = data.rows.map((row) => row.cost.seconds);
  const positive = costs.filter((cost) => cost > 0);
  const [least, most] = [Math.log10(Math.min(...positive, 1)), Math.log10(Math.max(...positive, Math.min(...positive, 1) * 10))];
  const x = (cost) => margin.left + 18 + ((Math.log10(Math.max(cost, 10 ** least)) - least) / (most - least || 1)) * (width - margin.left - margin.right - 36);
  const { y, marks } = axes(width, height, margin);
  const ticks = [];
  for (let power = Math.floor(least); power <= Math.ceil(most); power++) {
    for (const step of [1, 2, 5]) {
      const cost = step * 10 ** power;
      if (Math.log10(cost) < least - 0.001 || Math.log10(cost) > most + 0.001) continue;
      ticks.push(el("svg:text", { class: "faint", x: x(cost), y: height - margin.bottom + 17, "text-anchor": "middle" }, String(Number(cost.toPrecision(1)))));
    }
  }
  const best = frontier(data.rows.map((row) => [row.cost.seconds, row.rates[metric][0]]));
  const line = el("svg:polyline", { class: "frontier", points: best.map(([cost, share]) => `${x(cost)},${y(share)}`).join(" ") });
  const dots = data.rows.map((row, place) => {
    const [share, low, high] = row.rates[metric];
    const [cx, ink] = [x(row.cost.seconds), colour(row.arm)];
    return el("svg:g", {}, el("svg:title", {}, `${name(row.arm)}: ${percent(share)} (${percent(low)}–${percent(high)}), ${row.cost.seconds.toFixed(2)} s`),
      el("svg:line", { x1: cx, x2: cx, y1: y(low), y2: y(high), stroke: ink, "stroke-width": 1.5 }),
      el("svg:circle", { cx, cy: y(share), r: 8, fill: ink }),
      el("svg:text", { x: cx, y: y(share) + 4, "text-anchor": "middle", style: "fill:#fff;font-size:10px;font-weight:600" }, place + 1));
  });
  const label = el("svg:text", { class: "faint", x: (width + margin.left) / 2, y: height - 5, "text-anchor": "middle" }, "model seconds per record");
  return el("figure", {}, el("figcaption", {}, title), el("svg:svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title }, marks, ticks, line, dots, label));
}

function tradeoff() {
  byId("plot-compliance").append(scatter("compliance", "Compliance"));
  byId("plot-accuracy").append(scatter("record accuracy", "Record accuracy"));
  byId("tradeoff").querySelector(".pair").after(numbers());
}

function heat() {
  const names = [...new Set(plain.flatMap((arm) => data.fields[arm].map((field) => field.name)))];
  const lines = names.map((one) => el("tr", {}, el("td", { class: "name" }, one), plain.map((arm) => {
    const field = data.fields[arm].find((found) => found.name === one);
    if (!field) return el("td", { style: "cursor:default" }, "");
    const wrong = Object.entries(field.errors).map(([error, count]) => `${count} ${error}`).join(", ");
    const title = `${name(arm)}, ${one}: ${field.right} right${wrong ? `, ${wrong}` : ""}; precision ${percent(field.precision[0])}, recall ${percent(field.recall[0])}`;
    const choose = () => { if (!transcripts) return; byId("by-arm").value = arm; byId("by-field").value = one; byId("by-status").value = ""; list(); byId("transcripts").scrollIntoView(); };
    return el("td", { title, tabindex: 0, style: `background:rgba(var(--heat),${(0.75 * field.failed).toFixed(3)})`, onclick: choose, onkeydown: (event) => { if (event.key === "Enter") choose(); } }, percent(field.failed));
  })));
  const many = plain.length > 4; // names would not fit
  byId("heat").append(table(["field", ...plain.map(many ? numbered : name)], lines));
  if (many) byId("heat").after(numbers());
}

function taxonomy() {
  const totals = plain.map((arm) => {
    const counts = data.errors.map((error) => data.fields[arm].reduce((sum, field) => sum + (field.errors[error] || 0), 0));
    return { arm, counts, right: data.fields[arm].reduce((sum, field) => sum + field.right, 0) };
  });
  for (const { arm, counts, right } of totals) {
    const all = right + counts.reduce((one, other) => one + other, 0) || 1;
    const parts = counts.map((count, place) => (count ? el("b", { title: `${data.errors[place]}: ${count} (${percent(count / all)})`, style: `width:${(100 * count) / all}%;background:${ERROR_COLOURS[place]}` }) : null));
    byId("errors").append(el("div", { class: "bar" }, el("span", { class: "mono" }, name(arm)), el("div", {}, parts), el("span", {}, `${right} of ${all} right`)));
  }
  const used = data.errors.filter((_, place) => totals.some(({ counts }) => counts[place]));
  byId("errors").append(el("ul", { class: "key" }, used.map((error) => el("li", {}, el("i", { style: `background:${ERROR_COLOURS[data.errors.indexOf(error)]}` }), error))));
}

function pairs() {
  if (!data.pairs.length) { byId("pairs").hidden = true; return; }
  const line = (pair) => el("tr", {},
    el("td", { class: "name" }, name(pair.one)), el("td", { class: "name" }, name(pair.other)), el("td", {}, points(pair.value)),
    el("td", {}, `${points(pair.low)} to ${points(pair.high)}`), el("td", {}, pair.won), el("td", {}, pair.lost), el("td", {}, pair.n), el("td", {}, pair.p < 0.001 ? "< 0.001" : pair.p.toFixed(3)));
  const drawn = (some) => table(["first", "second", "points", "95 %", "won", "lost", "records", "p"], some.map(line));
  const sorted = [...data.pairs].sort((a, b) => a.p - b.p || Math.abs(b.value) - Math.abs(a.value));
  const first = sorted.filter((pair, place) => pair.p < 0.05 || place < 6); // many arms have too many pairs to list
  byId("pair-table").append(drawn(first));
  const rest = sorted.slice(first.length);
  if (rest.length) byId("pair-table").append(el("details", {}, el("summary", {}, `${rest.length} more pairs without a significant difference`), drawn(rest)));
}

function curve(axis, metric) {
  const rows = data.rows.filter((row) => row.setting.some(([one]) => one === axis));
  const value = (row) => row.setting.find(([one]) => one === axis)[1];
  const values = [...new Set(rows.map(value))];
  if (values.every((one) => typeof one === "number")) values.sort((a, b) => a - b);
  const series = new Map();
  for (const row of rows) {
    const rest = [row.strategy, ...row.setting.filter(([one]) => one !== axis).map(([one, at]) => `${one}=${at}`), ...(several ? [data.arms[row.arm].model] : [])].join(" ");
    series.set(rest, [...(series.get(rest) || []), row]);
  }
  const [width, height, margin] = [540, 260, { top: 12, right: 16, bottom: 38, left: 52 }];
  const { y, marks } = axes(width, height, margin);
  const x = (row, shift) => margin.left + 24 + shift + (values.indexOf(value(row)) / Math.max(values.length - 1, 1)) * (width - margin.left - margin.right - 48);
  const drawn = [...series.values()].map((of, place) => {
    const [ink, shift] = [COLOURS[place % COLOURS.length], 3 * (place - (series.size - 1) / 2)];
    const sorted = [...of].sort((a, b) => values.indexOf(value(a)) - values.indexOf(value(b)));
    return [el("svg:polyline", { fill: "none", stroke: ink, "stroke-width": 2, points: sorted.map((row) => `${x(row, shift)},${y(row.rates[metric][0])}`).join(" ") }),
      ...sorted.map((row) => el("svg:g", {}, el("svg:title", {}, `${name(row.arm)}: ${percent(row.rates[metric][0])}`),
        el("svg:line", { x1: x(row, shift), x2: x(row, shift), y1: y(row.rates[metric][1]), y2: y(row.rates[metric][2]), stroke: ink }),
        el("svg:circle", { cx: x(row, shift), cy: y(row.rates[metric][0]), r: 4, fill: ink })))];
  });
  const ticks = values.map((one) => el("svg:text", { class: "faint", "text-anchor": "middle", y: height - margin.bottom + 17, x: x({ setting: [[axis, one]] }, 0) }, String(one)));
  const key = el("ul", { class: "key" }, [...series.keys()].map((one, place) => el("li", {}, el("i", { style: `background:${COLOURS[place % COLOURS.length]}` }), one)));
  const title = `${metric} against ${axis}`;
  return el("figure", {}, el("figcaption", {}, title), el("svg:svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title }, marks, ticks, drawn.flat(),
    el("svg:text", { class: "faint", x: (width + margin.left) / 2, y: height - 5, "text-anchor": "middle" }, axis)), key);
}

function perturbations() {
  const lines = data.perturbed.map((one) => {
    const [width, reach] = [220, Math.max(0.1, ...data.perturbed.flatMap((two) => [Math.abs(two.low), Math.abs(two.high)]))];
    const x = (share) => width / 2 + (share / reach) * (width / 2 - 6);
    const bar = el("svg:svg", { viewBox: `0 0 ${width} 18`, style: "width:220px", role: "img", "aria-label": `${points(one.value)} points` },
      el("svg:line", { class: "axis", x1: width / 2, x2: width / 2, y1: 0, y2: 18 }),
      el("svg:line", { x1: x(one.low), x2: x(one.high), y1: 9, y2: 9, stroke: colour(one.arm), "stroke-width": 2 }),
      el("svg:circle", { cx: x(one.value), cy: 9, r: 4, fill: colour(one.arm) }));
    return el("tr", {}, el("td", { class: "name" }, name(one.arm)), el("td", { class: "left" }, one.name), el("td", {}, one.n), el("td", {}, points(one.value)), el("td", {}, bar), rateCell(one.flips), rateCell(one.changed));
  });
  return el("div", { class: "scroll" }, el("figcaption", {}, "Change in record accuracy under perturbation, against the same records unchanged"),
    table(["strategy", "perturbation", "records", "points", "95 %", "right ↔ wrong", "document changed"], lines));
}

function curves() {
  const drawn = [...new Set(data.rows.flatMap((row) => row.setting.map(([axis]) => axis)))];
  if (!drawn.length && !data.perturbed.length) { byId("curves").hidden = true; document.querySelector('nav a[href="#curves"]').hidden = true; return; }
  for (const axis of drawn) byId("curve-plots").append(el("div", { class: "pair" }, curve(axis, "compliance"), curve(axis, "record accuracy")));
  if (data.perturbed.length) byId("curve-plots").append(perturbations());
}

const encoded = (part) => encodeURIComponent(String(part).replace(/\p{Surrogate}/gu, "\ufffd"));
const link = (outcome) => `#t=${[outcome.arm, outcome.key, outcome.repeat].map(encoded).join(";")}`;
const sameLink = (hash) => data.outcomes.find((outcome) => link(outcome) === hash);

function filters() {
  const options = (values) => [el("option", { value: "" }, "all"), ...values.map(([value, text]) => el("option", { value }, text))];
  const states = [...new Set(data.outcomes.map((outcome) => outcome.status))];
  byId("by-arm").append(...options(data.arms.map((_, arm) => [arm, name(arm)])));
  byId("by-status").append(...options([["right", "right"], ["wrong", "accepted, but wrong"], ...states.map((one) => [`=${one}`, one])]));
  byId("by-field").append(...options([...new Set(data.outcomes.flatMap((o) => o.leaves.map((leaf) => leaf.field)))].map((one) => [one, one])));
  byId("filter").addEventListener("input", list);
  byId("filter").addEventListener("submit", (event) => event.preventDefault());
}

const accepted = (outcome) => outcome.status === "valid" || outcome.status === "repaired";
function fits(outcome) {
  const [arm, status, field, text] = ["by-arm", "by-status", "by-field", "by-text"].map((id) => byId(id).value);
  if (arm !== "" && outcome.arm !== Number(arm)) return false;
  if (status === "right" && !outcome.right) return false;
  if (status === "wrong" && (!accepted(outcome) || outcome.right)) return false;
  if (status.startsWith("=") && outcome.status !== status.slice(1)) return false;
  if (field && !outcome.leaves.some((leaf) => leaf.field === field && leaf.error)) return false;
  const found = text.toLowerCase();
  return !found || data.texts[outcome.text].toLowerCase().includes(found) || outcome.attempts.some((one) => one.text.toLowerCase().includes(found));
}
const verdict = (outcome) => (accepted(outcome) ? (outcome.right ? "right" : "wrong") : "");
const tags = (outcome) => [el("b", { class: `tag ${outcome.status}` }, outcome.status), " ", verdict(outcome) ? el("b", { class: `tag ${verdict(outcome)}` }, verdict(outcome)) : null];

function list() {
  const found = data.outcomes.filter(fits);
  byId("count").textContent = `${found.length} of ${data.outcomes.length}`;
  byId("list").replaceChildren(...found.slice(0, 500).map((outcome) => el("li", {}, el("button", { type: "button", "data-link": link(outcome), onclick: () => { location.hash = link(outcome); } },
    el("span", { style: "color:inherit" }, `${outcome.key}${outcome.repeat ? ` (run ${outcome.repeat + 1})` : ""} `, tags(outcome)), el("span", {}, data.texts[outcome.text]), el("span", { class: "mono" }, name(outcome.arm))))));
  if (found.length > 500) byId("list").append(el("li", { class: "note" }, "Only the first 500 are listed. Narrow the filter to see others."));
  current();
}
function current() {
  for (const button of byId("list").querySelectorAll("button")) button.setAttribute("aria-current", String(button.dataset.link === location.hash));
}

function highlighted(outcome) {
  const text = [...data.texts[outcome.text]]; // spans count code points
  const found = outcome.leaves.flatMap((leaf) => (leaf.span ? [{ first: leaf.span[0], last: leaf.span[1], leaf }] : [])).sort((a, b) => a.first - b.first || b.last - a.last);
  const parts = [];
  let at = 0;
  for (const { first, last, leaf } of found) {
    if (first < at) continue;
    parts.push(text.slice(at, first).join(""), el("mark", { class: leaf.error ? "wrong" : null, "data-pointer": leaf.pointer, title: `${leaf.pointer}${leaf.error ? `: ${leaf.error}` : ""}` }, text.slice(first, last).join("")));
    at = last;
  }
  return el("pre", { class: "source" }, parts, text.slice(at).join(""));
}

function attempt(one, place, of) {
  const limit = `at most ${one.sampling.max_tokens} tokens, temperature ${one.sampling.temperature}${one.constrained ? ", held to the schema" : ""}`;
  const usage = `${one.usage[0]} tokens read, ${one.usage[1]} written, ${one.usage[2].toFixed(2)} s${one.logprob === null || one.logprob === undefined ? "" : `, mean log-probability of the values ${one.logprob.toFixed(3)}`}`;
  return [el("h4", {}, `${one.check ? "Check" : "Attempt"} ${place + 1} of ${of}: ${one.model} `, one.finish === "stop" ? null : el("b", { class: "tag invalid" }, one.finish === "length" ? "cut off" : one.finish)),
    el("details", {}, el("summary", {}, `prompt (${one.messages.length} messages; ${limit})`), one.messages.map(([role, content]) => [el("h4", {}, role), el("pre", {}, data.texts[content])])),
    el("pre", { class: "answer" }, one.text || one.refusal || "(empty)"), el("p", { class: "note" }, usage)];
}

function open() {
  const outcome = sameLink(location.hash);
  if (!outcome) return;
  const leaves = outcome.leaves.map((leaf) => el("tr", { onmouseenter: () => hot(leaf.pointer, true), onmouseleave: () => hot(leaf.pointer, false) },
    el("td", { class: "mono" }, leaf.pointer || "(document)"), el("td", {}, shown(leaf.expected)), el("td", {}, shown(leaf.answer)),
    el("td", {}, leaf.sure === null || leaf.sure === undefined ? "" : leaf.sure.toFixed(2)),
    el("td", {}, leaf.error ? el("b", { class: "tag wrong" }, leaf.error) : el("b", { class: "tag right" }, "right"))));
  byId("transcript").replaceChildren(
    el("h3", {}, `${outcome.key} · ${name(outcome.arm)}${outcome.repeat ? ` · run ${outcome.repeat + 1}` : ""} `, tags(outcome), " ", el("a", { href: link(outcome), title: "link to this transcript" }, "#")),
    el("h4", {}, "Record"), highlighted(outcome),
    ...outcome.attempts.flatMap((one, place) => attempt(one, place, outcome.attempts.length)).flat(),
    ...(outcome.issues.length ? [el("h4", {}, "Issues"), el("ul", {}, outcome.issues.map((issue) => el("li", {}, el("code", {}, issue.pointer || "(document)"), ` ${issue.kind}: ${issue.message}`)))] : []),
    ...(outcome.edits.length ? [el("h4", {}, "Repair's edits"), table(["grade", "kind", "where", "before", "after"], outcome.edits.map((edit) => el("tr", {}, ["grade", "kind", "where", "before", "after"].map((key) => el("td", { class: "mono" }, shown(edit[key]))))))] : []),
    el("h4", {}, "Leaves"), leaves.length ? el("div", { class: "scroll" }, table(["place", "expected", "answer", "confidence", "verdict"], leaves)) : el("p", { class: "note" }, "no leaves expected, none answered"));
  current();
  if (byId("transcript").getBoundingClientRect().top > innerHeight || byId("transcript").getBoundingClientRect().bottom < 0) byId("transcripts").scrollIntoView();
}
function hot(pointer, on) {
  for (const mark of document.querySelectorAll("mark")) if (mark.dataset.pointer === pointer) mark.classList.toggle("hot", on);
}

function prompts() {
  if (!data.prompts.length) { byId("prompts").hidden = true; return; }
  const line = (written) => el("span", { class: { "+": "added", "-": "removed" }[written[0]] || null }, written.replace(/^-/, "−") + "\n");
  for (const one of data.prompts) {
    byId("prompt-texts").append(el("details", { open: one.diff.length ? "" : null }, el("summary", {}, name(one.arm)),
      el("pre", {}, one.diff.length ? one.diff.map(line) : one.text)));
  }
}

function provenance() {
  const { experiment, ...about } = data.about;
  byId("about").append(el("dl", {}, Object.entries(about).filter(([, value]) => shown(value) !== "{}").flatMap(([key, value]) => [el("dt", {}, key), el("dd", { class: "mono" }, Array.isArray(value) ? value.join("\n") : shown(value))])));
  if (experiment) byId("about").append(el("h4", {}, "The experiment as a file (run it with structout bench experiment.toml)"), el("pre", {}, experiment));
}

byId("summary").textContent = `${data.rows.length} arms, ${data.outcomes.length} outcomes, structout ${data.about.structout}`;
headline(); tradeoff(); heat(); taxonomy(); pairs(); curves(); prompts(); provenance();
if (transcripts) {
  filters(); list(); open();
  addEventListener("hashchange", open);
}
