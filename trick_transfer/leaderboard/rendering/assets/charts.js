"use strict";
// The charts of a board. Colours are CSS variables, so that they follow the theme.

const MOST_INTERVALS = 40;
const NARROW_PX = 560;
const COLOURS = {
  classification: "var(--classification)",
  detection: "var(--detection)",
  segmentation: "var(--segmentation)",
};
const FONT = { fontFamily: "inherit", fontSize: "12px", background: "none" };

function points(table, recipes, metric) {
  const kept = new Set(recipes);
  const rows = table.rows.filter((row) => kept.has(row.recipe) && metric in row.cells);
  return rows.map((row) => ({ recipe: row.recipe, ...row.cells[metric] }));
}

const percent = (value) => value.toFixed(2);
const range = ({ low, high }) => (low === undefined ? "" : ` (${percent(low)} to ${percent(high)})`);

const rank = ({ rank_low, rank_high }, compared) => (rank_low ? `, rank ${[...new Set([rank_low, rank_high])].join("–")} of ${compared}` : "");
const comparedRows = (rows, metric) => rows.filter(({ cells }) => cells[metric]?.rank_low).length;

function intervalChart(board, width) {
  const table = tableOf(board);
  const name = board.querySelector(".intervals input:checked").value;
  const metric = table.metrics.find((each) => each.name === name);
  const sign = metric.better === "higher" ? -1 : 1;
  const all = points(table, recipesOf(shownRows(board)), name).sort((a, b) => sign * (a.mean - b.mean));
  const data = all.slice(0, MOST_INTERVALS);
  const colour = COLOURS[metric.stage];
  const narrow = width < NARROW_PX;
  const longest = Math.max(0, ...data.map((each) => each.recipe.length));
  const papers = table.tier === "paper" ? data.filter((each) => each.paper) : [];
  const placed = Math.max(0, ...data.map((each) => each.group.length));
  const compared = comparedRows(table.rows, name);
  const besides = narrow ? { dy: -12 } : { dx: 8 }; // on a phone above the bar, like the recipe
  const label = { y: "recipe", text: "recipe", frameAnchor: "left", textAnchor: narrow ? "start" : "end" };
  const chart = Plot.plot({
    width,
    height: 56 + data.length * (narrow ? 34 : 26),
    marginLeft: narrow ? 8 : 16 + 7.4 * longest,
    marginRight: narrow ? 16 : 20 + 6.6 * placed,
    marginTop: 34,
    marginBottom: 8,
    style: FONT,
    ariaLabel: `${metric.label}: mean and interval of ${data.length} rows; the numbers are in the table`,
    x: { axis: "top", label: `${metric.label}, %`, labelAnchor: "left", labelArrow: "none", grid: true, nice: true, inset: 8, tickFormat: ".4~g" },
    y: { axis: null, domain: data.map((each) => each.recipe) },
    marks: [
      Plot.text(data, { ...label, dx: narrow ? 0 : -12, dy: narrow ? -12 : 0, fill: "currentColor" }),
      ...bars(Plot.ruleY, data, { y: "recipe", x1: "low", x2: "high" }, { stroke: colour, strokeOpacity: 0.45, strokeWidth: 6, strokeLinecap: "round" }),
      ...dots(data, { y: "recipe", x: "mean" }, colour, 4.5),
      Plot.dot(papers, { y: "recipe", x: (each) => each.paper.value, symbol: "diamond", stroke: "currentColor", r: 5 }),
      Plot.text(data, { y: "recipe", text: "group", frameAnchor: "right", textAnchor: narrow ? "end" : "start", ...besides, fill: "var(--muted)" }),
      Plot.tip(data, Plot.pointerY({ y: "recipe", x: "mean", title: (each) => `${each.recipe}\n${percent(each.mean)}${range(each)}\nn=${each.n}${rank(each, compared)}` })),
    ],
  });
  const more = all.length - data.length;
  return more ? [chart, caption(`${more} more rows; filter the table to see them.`)] : [chart];
}

// An interval of one run borrows the noise between seeds from other rows, so it is dashed and its dot is hollow.
function bars(rule, data, ends, look, n = "n") {
  const known = data.filter((each) => Number.isFinite(each[ends.x1 ?? ends.y1]));
  return [
    rule(known.filter((each) => each[n] > 1), { ...ends, ...look }),
    rule(known.filter((each) => each[n] === 1), { ...ends, ...look, strokeDasharray: "3 3", strokeLinecap: "butt" }),
  ];
}

function dots(data, at, colour, r) {
  return [
    Plot.dot(data.filter(({ n }) => n > 1), { ...at, r, fill: colour, stroke: "var(--card)", strokeWidth: 1.5 }),
    Plot.dot(data.filter(({ n }) => n === 1), { ...at, r: r - 0.75, fill: "var(--card)", stroke: colour, strokeWidth: 1.75 }),
  ];
}

function caption(text) {
  return Object.assign(document.createElement("figcaption"), { textContent: text });
}

function scatter(data, { width, x, y, colour, xScale, marks = [], named }) {
  const few = data.length <= 60;
  const bar = { stroke: colour, strokeOpacity: 0.4, strokeWidth: 1.5 };
  const chart = Plot.plot({
    width,
    height: Math.min(300, Math.max(220, width * 0.75)),
    marginLeft: FRAME.left,
    marginTop: FRAME.top,
    marginBottom: FRAME.bottom,
    style: FONT,
    ariaLabel: `${y} against ${x}, ${data.length} rows; the numbers are in the table`,
    x: { label: x, grid: true, nice: true, inset: 6, ticks: 5, labelArrow: "none", labelAnchor: "right", ...xScale },
    y: { label: y, grid: true, nice: true, inset: 6, ticks: 5, labelArrow: "none" },
    marks: [
      ...marks,
      ...(few ? bars(Plot.ruleX, data, { x: "x", y1: "low", y2: "high" }, bar) : []),
      ...(few ? bars(Plot.ruleY, data, { y: "mean", x1: "xLow", x2: "xHigh" }, bar, "xN") : []),
      ...dots(data, { x: "x", y: "mean" }, colour, few ? 4.5 : 3),
      Plot.tip(data, Plot.pointer({ x: "x", y: "mean", title: (each) => `${each.recipe}\n${y} ${percent(each.mean)}${range(each)}\n${x} ${each.x.toPrecision(4)}` })),
    ],
  });
  nameDots(chart, data, named);
  return chart;
}

function transferChart(board, metric, width) {
  const table = tableOf(board);
  const upstream = new Map(points(table, recipesOf(shownRows(board)), page.upstream).map((each) => [each.recipe, each]));
  const data = points(table, [...upstream.keys()], metric.name).map((each) => {
    const { mean, low, high, n } = upstream.get(each.recipe);
    return { ...each, x: mean, xLow: low, xHigh: high, xN: n };
  });
  return scatter(data, { width, x: "top-1", y: metric.label, colour: COLOURS[metric.stage], named: chosen(board) });
}

function computeChart(board, metric, width) {
  const all = points(tableOf(board), recipesOf(shownRows(board)), metric.name);
  const data = all.filter((each) => each.device_hours > 0).map((each) => ({ ...each, x: each.device_hours }));
  const colour = COLOURS[metric.stage];
  const line = Plot.line(frontier(data, metric.better), { x: "x", y: "mean", curve: "step-after", stroke: colour, strokeOpacity: 0.5 });
  return scatter(data, { width, x: "device-hours", y: metric.label, colour, xScale: { type: "log", ticks: 3, tickFormat: "~r" }, marks: [line], named: chosen(board) });
}

function frontier(data, better) {
  const sign = better === "higher" ? 1 : -1;
  let best = -Infinity;
  const byHours = [...data].sort((a, b) => a.x - b.x || sign * (b.mean - a.mean));
  return byHours.filter((each) => sign * each.mean > best && ((best = sign * each.mean), true));
}

function curveChart(name, [epochs, values], width) {
  const at = { x: epochs, y: values };
  const title = epochs.map((epoch, place) => `epoch ${epoch}: ${values[place]}`);
  return Plot.plot({
    width,
    height: 150,
    marginLeft: 44,
    marginTop: 26,
    marginBottom: 34,
    style: FONT,
    ariaLabel: `${name} by epoch: from ${values[0]} to ${values.at(-1)}`,
    x: { label: "epoch", ticks: Math.min(5, epochs.at(-1) - epochs[0]), labelArrow: "none" }, // whole epochs only
    y: { label: name, grid: true, nice: true, ticks: 4, labelArrow: "none" },
    marks: [
      Plot.line(epochs, { ...at, stroke: "var(--accent)", strokeWidth: 2 }),
      epochs.length <= 30 ? Plot.dot(epochs, { ...at, fill: "var(--accent)", r: 3 }) : null,
      Plot.tip(epochs, Plot.pointerX({ ...at, title })),
    ],
  });
}

function drawIntervals(board) {
  const figure = board.querySelector(".intervals figure");
  figure.replaceChildren(...intervalChart(board, figure.clientWidth));
}

function drawScatters(board) {
  const { metrics } = tableOf(board);
  for (const [section, chart] of [["transfer", transferChart], ["compute", computeChart]]) {
    for (const figure of board.querySelectorAll(`.${section} figure`)) {
      const holder = figure.querySelector(".chart");
      const metric = metrics.find((each) => each.name === figure.dataset.metric);
      holder.replaceChildren(chart(board, metric, holder.clientWidth));
    }
  }
}
