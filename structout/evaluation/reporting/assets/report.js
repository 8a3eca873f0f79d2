"use strict";
// All texts are inserted as text nodes, never as markup: the output of a model stays data.
const data = JSON.parse(document.getElementById("data").textContent);
// White text on each colour, and each colour on both grounds, has the contrast that WCAG 2 asks for.
const COLOURS = ["#0b6e99", "#b34d12", "#2f7433", "#8a4fae", "#86671c", "#c23b63", "#1b7676", "#636870", "#5566cc", "#5f7800"];
const ERROR_COLOURS = ["#5b8db8", "#c0504d", "#d98b3a", "#8c6bb1", "#b5a642", "#9aa5ad", "#4f7f6f", "#737b86", "#a05a7a"];
const LEFT = new Set(["strategy", "first", "second", "perturbation", "field"]);
const byId = (id) => document.getElementById(id);
const hide = (id) => { byId(id).hidden = true; document.querySelector(`nav a[href="#${id}"]`).hidden = true; };
const transcripts = data.about.transcripts !== false;
const plain = data.rows.map((row) => row.arm);
const several = new Set(data.arms.map((arm) => arm.model)).size > 1;

function el(tag, attributes, ...children) {
  const node = tag.startsWith("svg:") ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}
// Half a percent goes to the even number, as in the terminal.
const whole = (share) => { const exact = 100 * share, up = Math.round(exact); return up - exact === 0.5 && up % 2 ? up - 1 : up; };
const percent = (share) => `${whole(share)} %`;
const points = (share) => { const count = whole(share); return count === 0 ? "0" : `${count > 0 ? "+" : "−"}${Math.abs(count)}`; };
const number = (value, digits) => (value === null || value === undefined ? "–" : value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: 0 }));
const small = (value) => (value === null || value === undefined ? "–" : value >= 100 ? value.toFixed(0) : Number(value.toPrecision(2)).toString());
// The place of a combination among the rows; a perturbed one has the place of the same one unperturbed.
const rank = (arm) => Math.max(0, plain.findIndex((one) => data.arms[one].label === data.arms[arm].label && data.arms[one].model === data.arms[arm].model));
const colour = (arm) => COLOURS[rank(arm) % COLOURS.length];
const name = (arm) => data.arms[arm].label + (several ? ` · ${data.arms[arm].model}` : "") + (data.arms[arm].perturbation ? ` · ${data.arms[arm].perturbation}` : "");
const breakable = (text) => text.replace(/([(,])/g, "$1\u200b");
const shown = (value) => (value === null || value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value));
const isKnown = (rate) => rate[3] > 0; // a rate of no record says nothing
const rateCell = (rate) => (isKnown(rate) ? el("td", {}, percent(rate[0]), el("small", {}, `${whole(rate[1])}–${whole(rate[2])}`)) : el("td", {}, "–"));
const ofRate = (rate) => (isKnown(rate) ? percent(rate[0]) : "–");
const numbered = (arm) => el("i", { class: "number", style: `background:${colour(arm)}`, title: name(arm) }, rank(arm) + 1);
const numbers = () => el("ol", { class: "key" }, plain.map((arm) => el("li", {}, numbered(arm), name(arm))));

// plots.js
function table(heads, lines) {
  return el("table", {}, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col", class: LEFT.has(head) ? "left" : null }, head)))), el("tbody", {}, lines));
}

function headline() {
  const rates = [...new Set(data.rows.flatMap((row) => Object.keys(row.rates)))];
  const priced = data.rows.some((row) => row.cost.price !== null);
  const [main, more] = [rates.slice(0, 6), rates.slice(6)]; // costs come before the further rates, where they are visible without scrolling
  const heads = ["strategy", "n", ...main, "calls", "tokens", "seconds", "p50 / p95", "s / correct", ...(priced ? ["price", "price / correct"] : []), ...more];
  const best = frontier(data.rows.map((row) => [row.amount, row.rates["record accuracy"][0], row.arm]));
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
  if (data.constant) {
    const cells = heads.slice(2).map((one) => (data.constant[one] ? rateCell(data.constant[one]) : el("td", {}, "–")));
    lines.push(el("tr", { class: "constant" }, el("td", { class: "name" }, "constant answer"), el("td", {}, Object.values(data.constant)[0][3]), cells));
  }
  byId("headline-table").append(table(heads, lines));
  const note = byId("headline").querySelector(".note");
  if (best.length) note.append(` ◆ marks a strategy that no other beats in both record accuracy and cost (${data.unit}).`);
  if (data.constant) note.append(" The constant answer reads no text: it gives the most frequent label of the other records, and for value accuracy the most frequent value of each field.");
  if (more.includes("hallucinated")) note.append(" Hallucinated: of the accepted texts and numbers, those that are neither right nor found in the record's text.");
}

// The entries [cost, value, ...] with a higher value, above 0, than every entry of the same or a lower cost.
function frontier(found) {
  const best = [];
  for (const one of [...found].sort((a, b) => a[0] - b[0] || b[1] - a[1])) {
    if (one[1] > (best.length ? best[best.length - 1][1] : 0)) best.push(one);
  }
  return best;
}

function tradeoff() {
  for (const metric of ["compliance", "value accuracy", "record accuracy"]) byId("plots").append(scatter(metric, metric[0].toUpperCase() + metric.slice(1)));
  byId("plots").after(numbers());
}

function heat() {
  const names = [...new Set(plain.flatMap((arm) => data.fields[arm].map((field) => field.name)))];
  const lines = names.map((one) => el("tr", {}, el("td", { class: "name" }, one), plain.map((arm) => {
    const field = data.fields[arm].find((found) => found.name === one);
    if (!field) return el("td", {}, "");
    const wrong = Object.entries(field.errors).map(([error, count]) => `${count} ${error}`).join(", ");
    const title = `${name(arm)}, ${one}: ${field.right} right${wrong ? `, ${wrong}` : ""}; precision ${ofRate(field.precision)}, recall ${ofRate(field.recall)}`;
    const style = `--share:${field.failed.toFixed(3)}`;
    if (!transcripts) return el("td", { title, style: `background:rgba(var(--heat),calc(var(--hottest)*${field.failed.toFixed(3)}))` }, percent(field.failed));
    const choose = () => { byId("by-arm").value = arm; byId("by-field").value = one; byId("by-status").value = ""; list(); byId("transcripts").scrollIntoView(); };
    return el("td", {}, el("button", { type: "button", title, style, onclick: choose }, percent(field.failed)));
  })));
  const many = plain.length > 4; // names would not fit
  byId("heat").append(table(["field", ...plain.map(many ? numbered : name)], lines));
  const closed = [...new Set(plain.flatMap((arm) => data.fields[arm].flatMap((field) => Object.keys(field.values).map((value) => JSON.stringify([field.name, value])))))];
  if (closed.length) byId("fields").append(el("h3", {}, "Values of closed fields"), el("div", { class: "scroll", id: "by-value" }, table(["value", "records", ...plain.map(many ? numbered : name)], closed.map((key) => recall(...JSON.parse(key))))),
    el("p", { class: "note" }, "How many of the records that expect a value of an enum or a boolean got it. A value that is never found may hide behind a high accuracy, where another value is frequent."));
  if (many) byId("heat").after(numbers());
}

// A line of the values of closed fields: of the records that expect a value, those that got it, for each combination.
function recall(field, value) {
  const rates = plain.map((arm) => (data.fields[arm].find((one) => one.name === field) || { values: {} }).values[value]);
  const known = rates.find((rate) => rate);
  return el("tr", {}, el("td", { class: "name" }, `${field} = ${value}`), el("td", {}, known[3]), rates.map((rate) => (rate ? rateCell(rate) : el("td", {}, "–"))));
}

function taxonomy() {
  const totals = plain.map((arm) => {
    const counts = data.errors.map((error) => data.fields[arm].reduce((sum, field) => sum + (field.errors[error] || 0), 0));
    return { arm, counts, right: data.fields[arm].reduce((sum, field) => sum + field.right, 0) };
  });
  for (const { arm, counts, right } of totals) {
    const all = right + counts.reduce((one, other) => one + other, 0) || 1;
    const parts = counts.map((count, place) => (count ? el("b", { title: `${data.errors[place]}: ${count} (${percent(count / all)})`, style: `width:${(100 * count) / all}%;background:${ERROR_COLOURS[place]}` }) : null));
    byId("errors").append(el("div", { class: "bar" }, el("span", { class: "mono" }, name(arm)), el("div", {}, parts), el("span", {}, `${right} of ${all} values right`)));
  }
  const used = data.errors.filter((_, place) => totals.some(({ counts }) => counts[place]));
  byId("errors").append(el("ul", { class: "key" }, used.map((error) => el("li", {}, el("i", { style: `background:${ERROR_COLOURS[data.errors.indexOf(error)]}` }), error))));
}

function pairs() {
  if (!data.pairs.length) { hide("pairs"); return; }
  const p = (value) => (value < 0.001 ? "< 0.001" : value.toFixed(3));
  const line = ({ one, other, right, wrong }) => el("tr", {},
    el("td", { class: "name" }, name(one)), el("td", { class: "name" }, name(other)), [right, wrong].map((side) => [
      el("td", {}, points(side.value), el("small", {}, `${points(side.low)} to ${points(side.high)}`)), el("td", {}, `${side.won} : ${side.lost}`), el("td", {}, p(side.p))]), el("td", {}, right.n));
  const drawn = (some) => table(["first", "second", "right records", "more : fewer", "p", "wrong-but-valid", "more : fewer", "p", "records"], some.map(line));
  const least = (pair) => Math.min(pair.right.p, pair.wrong.p);
  const sorted = [...data.pairs].sort((a, b) => least(a) - least(b) || Math.abs(b.right.value) - Math.abs(a.right.value));
  const first = sorted.filter((pair, place) => least(pair) < 0.05 || place < 6); // many arms have too many pairs to list
  byId("pair-table").append(drawn(first));
  const rest = sorted.slice(first.length);
  if (rest.length) byId("pair-table").append(el("details", {}, el("summary", {}, `${rest.length} more pairs without a significant difference`), drawn(rest)));
}

function curves() {
  const drawn = [...new Set(data.rows.flatMap((row) => row.setting.map(([axis]) => axis)))];
  if (!drawn.length && !data.perturbed.length) { hide("curves"); return; }
  for (const axis of drawn) byId("curve-plots").append(el("div", { class: "plots" }, ["compliance", "value accuracy", "record accuracy"].map((metric) => curve(axis, metric))));
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
  const now = sameLink(location.hash) ? location.hash : byId("transcript").dataset.link;
  for (const button of byId("list").querySelectorAll("button")) button.setAttribute("aria-current", String(button.dataset.link === now));
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

const message = (role, content) => [el("h4", {}, role), el("pre", {}, content)];

function attempt(one, place, of) {
  const limit = `at most ${one.sampling.max_tokens} tokens, temperature ${one.sampling.temperature}${one.constrained ? ", held to the schema" : ""}`;
  const usage = `${one.usage[0]} tokens read, ${one.usage[1]} written, ${one.usage[2].toFixed(2)} s${one.logprob === null || one.logprob === undefined ? "" : `, mean log-probability of the values ${one.logprob.toFixed(3)}`}`;
  return [el("h4", {}, `${one.check ? "Check" : "Attempt"} ${place + 1} of ${of}: ${one.model} `, one.finish === "stop" ? null : el("b", { class: "tag invalid" }, one.finish === "length" ? "cut off" : one.finish)),
    el("details", {}, el("summary", {}, `prompt (${one.messages.length} messages; ${limit})`), one.messages.map(([role, content]) => message(role, data.texts[content]))),
    el("pre", { class: "answer" }, one.text || one.refusal || "(empty)"), el("p", { class: "note" }, usage)];
}

// Show the transcript that the address names; at first, without an address, the first transcript.
function open() {
  const named = sameLink(location.hash);
  if (!named && byId("transcript").dataset.link) return;
  const outcome = named || data.outcomes[0];
  byId("transcript").dataset.link = link(outcome);
  const leaves = outcome.leaves.map((leaf) => el("tr", { onmouseenter: () => hot(leaf.pointer, true), onmouseleave: () => hot(leaf.pointer, false) },
    el("td", { class: "mono" }, leaf.pointer || "(document)"), el("td", {}, shown(leaf.expected)), el("td", {}, shown(leaf.answer)),
    el("td", {}, leaf.sure === null || leaf.sure === undefined ? "" : leaf.sure.toFixed(2)),
    el("td", {}, leaf.error ? el("b", { class: "tag wrong" }, leaf.error) : el("b", { class: "tag right" }, "right"))));
  byId("transcript").replaceChildren(
    el("h3", {}, `${outcome.key} · ${name(outcome.arm)}${outcome.repeat ? ` · run ${outcome.repeat + 1}` : ""} `, tags(outcome), " ", el("a", { href: link(outcome), title: "link to this transcript" }, "#"),
      " ", el("a", { href: "#comparison", onclick: () => { byId("by-record").value = group(outcome); compare(); } }, "every strategy side by side")),
    el("h4", {}, "Record"), highlighted(outcome),
    ...outcome.attempts.flatMap((one, place) => attempt(one, place, outcome.attempts.length)),
    ...(outcome.issues.length ? [el("h4", {}, "Issues"), el("ul", {}, outcome.issues.map((issue) => el("li", {}, el("code", {}, issue.pointer || "(document)"), ` ${issue.kind}: ${issue.message}`)))] : []),
    ...(outcome.edits.length ? [el("h4", {}, "Repair's edits"), table(["grade", "kind", "where", "before", "after"], outcome.edits.map((edit) => el("tr", {}, ["grade", "kind", "where", "before", "after"].map((key) => el("td", { class: "mono" }, shown(edit[key]))))))] : []),
    el("h4", {}, "Leaves"), leaves.length ? el("div", { class: "scroll" }, table(["place", "expected", "answer", "confidence", "verdict"], leaves)) : el("p", { class: "note" }, "no leaves expected, none answered"));
  current();
  scrolls();
  if (named && (byId("transcript").getBoundingClientRect().top > innerHeight || byId("transcript").getBoundingClientRect().bottom < 0)) byId("transcripts").scrollIntoView();
}

// The results of one record, in one repeat, under one perturbation.
const group = (outcome) => JSON.stringify([outcome.key, outcome.repeat, data.arms[outcome.arm].perturbation]);
function comparison() {
  const groups = new Map(data.outcomes.map((outcome) => [group(outcome), outcome]));
  byId("by-record").append(...[...groups].map(([value, one]) => el("option", { value }, [one.key, one.repeat ? `run ${one.repeat + 1}` : "", data.arms[one.arm].perturbation].filter(Boolean).join(" · "))));
  const move = (by) => { const select = byId("by-record"); select.selectedIndex = Math.min(Math.max(0, select.selectedIndex + by), select.length - 1); compare(); };
  byId("earlier").addEventListener("click", () => move(-1));
  byId("later").addEventListener("click", () => move(1));
  byId("choice").addEventListener("input", compare);
  byId("choice").addEventListener("submit", (event) => event.preventDefault());
  compare();
}
function compare() {
  const found = data.outcomes.filter((outcome) => group(outcome) === byId("by-record").value);
  const seen = new Map(found.flatMap((outcome) => outcome.leaves).filter((leaf) => leaf.span && !leaf.error).map((leaf) => [String(leaf.span), leaf]));
  byId("record").replaceChildren(highlighted({ text: found[0].text, leaves: [...seen.values()] }));
  const pointers = [...new Set(found.flatMap((outcome) => outcome.leaves.map((leaf) => leaf.pointer)))];
  const first = (pointer, key) => found.flatMap((outcome) => outcome.leaves).find((leaf) => leaf.pointer === pointer && leaf[key] !== null && leaf[key] !== undefined);
  const answer = (leaf) => (leaf ? el("td", {}, el("span", { class: leaf.error ? "wrong" : "right" }, `${leaf.error ? "✗" : "✓"} ${shown(leaf.answer)}`), leaf.error ? el(...(shown(leaf.answer) === "" ? ["span", { class: "note" }] : ["small", {}]), leaf.error) : null) : el("td", {}, ""));
  const lines = pointers.map((pointer) => el("tr", {}, el("td", { class: "mono" }, pointer || "(document)"), el("td", {}, shown((first(pointer, "expected") || {}).expected)), found.map((outcome) => answer(outcome.leaves.find((leaf) => leaf.pointer === pointer)))));
  const status = el("tr", {}, el("td", {}, "status"), el("td", {}, ""), found.map((outcome) => el("td", {}, el("a", { href: link(outcome) }, tags(outcome)))));
  byId("compared").replaceChildren(table(["value", "expected", ...found.map((outcome) => [numbered(outcome.arm), breakable(name(outcome.arm))])], [status, ...lines]));
  scrolls();
}

// A region that scrolls sideways can be reached by keyboard, and says that it scrolls.
function scrolls() {
  for (const region of document.querySelectorAll(".scroll")) {
    const isWide = region.scrollWidth > region.clientWidth + 1;
    region.classList.toggle("wide", isWide);
    for (const [attribute, value] of [["tabindex", "0"], ["role", "region"], ["aria-label", `${(region.closest("section").querySelector("h2") || {}).textContent}, a table that scrolls sideways`]]) {
      if (isWide) region.setAttribute(attribute, value);
      else region.removeAttribute(attribute);
    }
    const hint = region.previousElementSibling && region.previousElementSibling.matches(".more") ? region.previousElementSibling : null;
    if (isWide && !hint) region.before(el("p", { class: "more" }, "the table scrolls sideways →"));
    if (!isWide && hint) hint.remove();
  }
  for (const text of document.querySelectorAll("pre")) if (text.scrollHeight > text.clientHeight) text.tabIndex = 0;
}
function hot(pointer, on) {
  for (const mark of document.querySelectorAll("mark")) if (mark.dataset.pointer === pointer) mark.classList.toggle("hot", on);
}

function prompts() {
  if (!data.prompts.length) { hide("prompts"); return; }
  const line = (written) => el("span", { class: { "+": "added", "-": "removed" }[written[0]] || null }, written.replace(/^-/, "−") + "\n");
  for (const one of data.prompts) {
    byId("prompt-texts").append(el("details", { open: one.diff.length ? "" : null }, el("summary", {}, name(one.arm)),
      one.diff.length ? el("pre", {}, one.diff.map(line)) : one.messages.map(([role, content]) => message(role, content))));
  }
}

function provenance() {
  const { experiment, ...about } = data.about;
  byId("about").append(el("dl", {}, Object.entries(about).filter(([, value]) => shown(value) !== "{}").flatMap(([key, value]) => [el("dt", {}, key), el("dd", { class: "mono" }, Array.isArray(value) ? value.join("\n") : shown(value))])));
  if (experiment) byId("about").append(el("h4", {}, "The experiment as a file (run it with structout bench experiment.toml)"), el("pre", {}, experiment));
}

const count = (number, thing) => `${number.toLocaleString("en")} ${thing}${number === 1 ? "" : "s"}`;
const is = data.rows.length === new Set(data.rows.map((row) => row.strategy)).size;
byId("summary").textContent = `${count(data.rows.length, is ? "strategy" : "combination").replace("strategys", "strategies")}${is ? "" : " of strategy, model and setting"}, ${count(data.outcomes.length, "result")}, structout ${data.about.structout}`;
headline(); tradeoff(); heat(); taxonomy(); pairs(); curves(); prompts(); provenance();
if (transcripts && data.outcomes.length) {
  filters(); list(); comparison(); open();
  addEventListener("hashchange", open);
}
scrolls();
addEventListener("resize", scrolls);
