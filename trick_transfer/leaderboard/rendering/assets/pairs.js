"use strict";
// Paired differences between the chosen rows.

const OF_PAIRS = "p is adjusted by Holm’s method for all pairs of rows in its metric. The interval, and the seeds a row that would separate "
  + "the two (5 %, with 80 % power, on the same images, if the measured difference is the true one), are for this pair alone.";

async function drawDifferences(board) {
  const holder = board.querySelector(".differences");
  if (!holder) return;
  const recipes = chosen(board);
  if (recipes.length < 2) {
    holder.replaceChildren(element("p", { className: "caption", textContent: "Choose two rows with the checkboxes in the table to see their difference in each metric." }));
    return;
  }
  const { tables } = await unpacked();
  if (String(chosen(board)) !== String(recipes)) return; // the choice changed meanwhile
  holder.replaceChildren(differenceTable(tableOf(board), tables[board.dataset.board].pairs, recipes), caption(OF_PAIRS));
}

function differenceTable({ metrics, rows }, pairs, recipes) {
  const table = element("table");
  const names = ["difference", ...metrics.map(({ label }) => label)];
  table.createTHead().insertRow().append(...names.map((textContent) => element("th", { scope: "col", textContent })));
  const body = table.createTBody();
  for (const [one, two] of couples(recipes)) {
    const row = body.insertRow();
    row.append(element("th", { scope: "row" }, one, element("small", { textContent: `minus ${two}` })));
    for (const { name } of metrics) row.append(differenceCell(difference(pairs[name] ?? [], one, two), comparedRows(rows, name)));
  }
  return element("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "Differences, scrolls sideways" }, table);
}

const couples = (recipes) => recipes.flatMap((one, at) => recipes.slice(at + 1).map((two) => [one, two]));

function difference(pairs, one, two) {
  const found = pairs.find(({ a, b }) => (a === one && b === two) || (a === two && b === one));
  if (!found || found.a === one) return found;
  return { ...found, difference: -found.difference, low: -found.high, high: -found.low };
}

const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);

function differenceCell(found, rows) {
  if (!found) return element("td", { className: "none", textContent: "–" });
  const { difference, low, high, p_holm, seeds_needed, paired } = found;
  const all = (rows * (rows - 1)) / 2;
  const p = `p (Holm, ${all} ${all === 1 ? "pair" : "pairs"}) ${p_holm < 0.001 ? "< 0.001" : p_holm.toFixed(3)}`;
  return element("td", {}, signed(difference),
    element("small", { textContent: `${signed(low)} to ${signed(high)}` }),
    element("small", { textContent: p + (paired ? "" : ", other images") }),
    element("small", { textContent: seedsText(seeds_needed) }));
}

function seedsText(needed) {
  return needed === null ? `no number of seeds up to ${page.most_seeds} would separate them with 80 % power on these images` : `${needed} seeds a row would separate them`;
}
