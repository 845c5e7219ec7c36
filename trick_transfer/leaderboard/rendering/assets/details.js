"use strict";
// What a run's outputs tell beside its metrics: which classes are confused, and a curve.

function showDetails(content, { names, matrix, mistakes, unit, axes, curve }) {
  if (matrix || mistakes) {
    content.append(element("h3", { textContent: `Which classes are confused, ${unit}` }));
    content.append(matrix ? confusionMatrix(names, matrix, unit) : mistakesList(mistakes, unit));
  }
  if (!curve) return;
  const holder = element("figure", { className: "chart" });
  const charts = element("div", { className: "multiples" }, holder);
  content.append(element("h3", { textContent: `${axes[1]} over ${axes[0]}, ${curve[0]}` }), charts);
  holder.append(detailChart(axes, curve, holder.clientWidth - 26)); // less its padding and border
}

function confusionMatrix(names, matrix, unit) {
  const table = element("table");
  const heads = names.map((name) => element("th", { scope: "col" }, element("span", { textContent: name })));
  table.createTHead().insertRow().append(element("th", { textContent: "true \\ predicted" }), ...heads);
  const body = table.createTBody();
  for (const [at, counts] of matrix.entries()) {
    const all = counts.reduce((sum, count) => sum + count, 0);
    const cells = counts.map((count, other) => confusionCell(count, all, at === other));
    body.insertRow().append(element("th", { scope: "row", textContent: names[at] }), ...cells);
  }
  const region = { className: "scroll ledger confusion", tabIndex: 0, role: "region", ariaLabel: `${unit} by true and predicted class, scroll sideways` };
  return element("div", region, table);
}

function confusionCell(count, all, right) {
  const cell = element("td", { textContent: count || "", className: right ? "helps" : "harms" });
  cell.style.setProperty("--strength", `${all ? (90 * count) / all : 0}%`);
  return cell;
}

function mistakesList(mistakes, unit) {
  const list = element("dl");
  for (const [truth, predicted, count] of mistakes) list.append(...entry(`${truth}, taken for ${predicted}`, `${count} ${unit}`));
  return list;
}

function detailChart([x, y], [name, points], width) {
  const diagonal = name === "calibration" ? [Plot.line([[0, 0], [1, 1]], { stroke: "var(--muted)", strokeDasharray: "3 3" })] : [];
  const title = points.map((each) => `${x} ${each[0]}\n${y} ${each[1]}`);
  const axis = { domain: [0, 1], ticks: 5, grid: true, labelArrow: "none" };
  return Plot.plot({
    width,
    height: Math.min(260, Math.max(200, width * 0.8)),
    marginLeft: 44,
    marginTop: 26,
    marginBottom: 34,
    style: FONT,
    ariaLabel: `${y} over ${x}, ${name}, in ${points.length} points`,
    x: { label: x, ...axis },
    y: { label: y, ...axis },
    marks: [
      ...diagonal,
      Plot.line(points, { stroke: "var(--accent)", strokeWidth: 2 }),
      points.length <= 30 ? Plot.dot(points, { fill: "var(--accent)", r: 3 }) : null,
      Plot.tip(points, Plot.pointerX({ title })),
    ],
  });
}
