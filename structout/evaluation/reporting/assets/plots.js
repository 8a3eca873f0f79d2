// Figures. Each is an SVG whose axes fit its data.

// A step of 1, 2 or 5 times a power of ten, so that a span has at most `most` steps.
function step(span, most) {
  const power = 10 ** Math.floor(Math.log10(span / most));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => span / one <= most + 1e-9);
}

// Marks at round numbers that enclose the values, and a function from a value to a share of the axis.
function linear(low, high, most) {
  const by = step(high - low || high || 1, most);
  const [first, last] = [Math.floor(low / by + 1e-9), Math.max(Math.floor(low / by + 1e-9) + 1, Math.ceil(high / by - 1e-9))];
  const marks = Array.from({ length: last - first + 1 }, (_, place) => Number(((first + place) * by).toPrecision(12)));
  return { marks, at: (value) => (value - marks[0]) / (marks[marks.length - 1] - marks[0]) };
}

function logarithmic(low, high) {
  const [least, most] = [Math.log10(low), Math.log10(high)];
  const every = Array.from({ length: Math.ceil(most) - Math.floor(least) + 1 }, (_, place) => Math.floor(least) + place).flatMap((power) => [1, 2, 5].map((one) => Number((one * 10 ** power).toPrecision(3))));
  const marks = every.filter((one) => one >= low && one <= high);
  return { marks: marks.length > 7 ? marks.filter((one) => String(one).replace(/[0.]/g, "") === "1") : marks, at: (value) => (Math.log10(Math.max(value, low)) - least) / (most - least) };
}

// The scale of shares for rates with their intervals; no finer than tenths of the least span.
function shares(rates) {
  const [low, high] = [Math.min(...rates.map((rate) => rate[1])), Math.max(...rates.map((rate) => rate[2]))];
  const found = linear(Math.max(0, Math.min(low, high - 0.1)), Math.min(1, Math.max(high, low + 0.1)), 5);
  const marks = found.marks.filter((one) => one >= 0 && one <= 1);
  return { marks, at: (share) => (share - marks[0]) / (marks[marks.length - 1] - marks[0]) };
}

function axes(width, height, margin, scale) {
  const y = (share) => height - margin.bottom - scale.at(share) * (height - margin.bottom - margin.top);
  const marks = scale.marks.map((share) => [
    el("svg:line", { class: "axis", x1: margin.left, x2: width - margin.right, y1: y(share), y2: y(share) }),
    el("svg:text", { class: "faint", x: margin.left - 6, y: y(share) + 4, "text-anchor": "end" }, `${Number((100 * share).toPrecision(3))} %`),
  ]);
  return { y, marks: marks.flat() };
}

// A place for the number of each dot: on the dot, or beside it where numbers would hide one another.
function places(dots, box) {
  const taken = [];
  const far = (one, other, least) => Math.hypot(one[0] - other[0], one[1] - other[1]) >= least;
  return dots.map((dot) => {
    const others = dots.filter((other) => other !== dot);
    const rings = [0, 17, 27, 38, 50, 64, 80, 98].flatMap((radius) => (radius ? [0, 6, -1, -5, 1, 5, -2, -4, 2, 4, -3, 3].map((hour) => [dot[0] + radius * Math.cos((Math.PI * hour) / 6), dot[1] + radius * Math.sin((Math.PI * hour) / 6)]) : [dot]));
    const fits = (at) => at[0] >= box.left && at[0] <= box.right && at[1] >= box.top && at[1] <= box.bottom && taken.every((one) => far(one, at, 17)) && others.every((other) => far(other, at, at === dot ? 18 : 13));
    const found = rings.find(fits) || dot;
    taken.push(found);
    return found;
  });
}

function scatter(metric, title) {
  const [width, height, margin] = [380, 290, { top: 14, right: 14, bottom: 40, left: 48 }];
  const costs = data.rows.map((row) => row.amount);
  const [least, most] = [Math.min(...costs), Math.max(...costs)];
  const isWide = least > 0 && most / least >= 5; // a linear axis would crowd the cheap ones
  const scale = isWide ? logarithmic(least, most) : linear(least, most, 5);
  const x = (cost) => margin.left + 14 + scale.at(cost) * (width - margin.left - margin.right - 28);
  const { y, marks } = axes(width, height, margin, shares(data.rows.map((row) => row.rates[metric])));
  const ticks = scale.marks.map((cost) => el("svg:text", { class: "faint", x: x(cost), y: height - margin.bottom + 17, "text-anchor": "middle" }, String(cost)));
  const best = frontier(data.rows.map((row) => [row.amount, row.rates[metric][0]]));
  const line = el("svg:polyline", { class: "frontier", points: best.map(([cost, share]) => `${x(cost)},${y(share)}`).join(" ") });
  const centres = data.rows.map((row) => [x(row.amount), y(row.rates[metric][0])]);
  const labels = places(centres, { left: margin.left + 9, right: width - margin.right - 9, top: 9, bottom: height - margin.bottom - 4 });
  const bars = data.rows.map((row, place) => el("svg:line", { x1: centres[place][0], x2: centres[place][0], y1: y(row.rates[metric][1]), y2: y(row.rates[metric][2]), stroke: colour(row.arm), "stroke-width": 1.5, opacity: 0.7 }));
  const dots = data.rows.map((row, place) => {
    const [[cx, cy], [lx, ly], [share, low, high]] = [centres[place], labels[place], row.rates[metric]];
    const apart = lx !== cx || ly !== cy;
    return el("svg:g", {}, el("svg:title", {}, `${name(row.arm)}: ${percent(share)} (${percent(low)}–${percent(high)}), ${row.spent}`),
      apart ? [el("svg:line", { class: "leader", x1: cx, y1: cy, x2: lx, y2: ly }), el("svg:circle", { cx, cy, r: 3.5, fill: colour(row.arm) })] : [],
      el("svg:circle", { class: "dot", cx: lx, cy: ly, r: 8, fill: colour(row.arm) }),
      el("svg:text", { x: lx, y: ly + 4, "text-anchor": "middle", style: "fill:#fff;font-size:10px;font-weight:600" }, place + 1));
  });
  const label = el("svg:text", { class: "faint", x: (width + margin.left) / 2, y: height - 5, "text-anchor": "middle" }, `${data.unit}${isWide ? ", logarithmic" : ""}`);
  return el("figure", {}, el("figcaption", {}, title), el("svg:svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title} against cost` }, marks, bars, line, ticks, dots, label));
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
  const [width, height, margin] = [380, 260, { top: 12, right: 14, bottom: 38, left: 48 }];
  const { y, marks } = axes(width, height, margin, shares(rows.map((row) => row.rates[metric])));
  const spread = Math.min(7, 40 / series.size); // side by side, so that equal values do not hide one another
  const x = (row, shift) => margin.left + 30 + shift + (values.indexOf(value(row)) / Math.max(values.length - 1, 1)) * (width - margin.left - margin.right - 60);
  const drawn = [...series.values()].map((of, place) => {
    const [ink, shift] = [COLOURS[place % COLOURS.length], spread * (place - (series.size - 1) / 2)];
    const sorted = [...of].sort((a, b) => values.indexOf(value(a)) - values.indexOf(value(b)));
    return [el("svg:polyline", { fill: "none", stroke: ink, "stroke-width": 2, points: sorted.map((row) => `${x(row, shift)},${y(row.rates[metric][0])}`).join(" ") }),
      ...sorted.map((row) => el("svg:g", {}, el("svg:title", {}, `${name(row.arm)}: ${percent(row.rates[metric][0])}`),
        el("svg:line", { x1: x(row, shift), x2: x(row, shift), y1: y(row.rates[metric][1]), y2: y(row.rates[metric][2]), stroke: ink }),
        el("svg:circle", { cx: x(row, shift), cy: y(row.rates[metric][0]), r: 3.5, fill: ink })))];
  });
  const short = (one) => (String(one).length > 14 ? `…${String(one).slice(-13)}` : String(one));
  const ticks = values.map((one) => el("svg:text", { class: "faint", "text-anchor": "middle", y: height - margin.bottom + 17, x: x({ setting: [[axis, one]] }, 0) }, el("svg:title", {}, String(one)), short(one)));
  const title = `${metric} against ${axis}`;
  return el("figure", {}, el("figcaption", {}, title), el("svg:svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title }, marks, ticks, drawn.flat(),
    el("svg:text", { class: "faint", x: (width + margin.left) / 2, y: height - 5, "text-anchor": "middle" }, axis)),
    el("ul", { class: "key" }, [...series.keys()].map((one, place) => el("li", {}, el("i", { style: `background:${COLOURS[place % COLOURS.length]}` }), one))));
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
  return el("figure", {}, el("figcaption", {}, "Change in record accuracy under perturbation, against the same records unchanged"),
    el("div", { class: "scroll" }, table(["strategy", "perturbation", "records", "points", "95 %", "right ↔ wrong", "document changed"], lines)));
}
