"use strict";
// Predictions of the chosen rows on the same images.

const SVG = "http://www.w3.org/2000/svg";

function drawn(tag, attributes, text = "") {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

function boxesOver({ width, height }, found, { classes, colours }) {
  const size = width / 20;
  const overlay = drawn("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  for (const [x1, y1, x2, y2, label, score] of found) {
    const box = { x: x1, y: y1, width: x2 - x1, height: y2 - y1, stroke: colours[label] };
    const words = classes[label] + (score === undefined ? "" : ` ${score.toFixed(2)}`);
    const line = Math.max(size, y1 - size * 0.2);
    overlay.append(drawn("rect", { ...box, class: "halo" }), drawn("rect", box));
    overlay.append(drawn("text", { x: x1, y: line, "font-size": size }, words));
  }
  return overlay;
}

// Moves a label that would be cut at the right edge; its length is known once it is on the page.
function keepInside(label) {
  const { width } = label.ownerSVGElement.viewBox.baseVal;
  const last = 0.99 * width - label.getComputedTextLength(); // the rest is for its halo
  label.setAttribute("x", Math.max(0, Math.min(label.x.baseVal[0].value, last)));
}

const isMask = (found) => typeof found === "string"; // else a list of boxes

function seen(image, found, pictures) {
  const { width, height, name, source } = image;
  const frame = element("div", { className: "picture" }, element("img", { src: source, alt: `image ${name}`, width, height }));
  if (isMask(found)) {
    frame.append(element("img", { src: found, alt: "", className: "mask" }));
  } else {
    frame.append(boxesOver(image, found, pictures));
    frame.firstChild.alt += `: ${found.map(([, , , , label]) => pictures.classes[label]).join(", ") || "nothing found"}`;
  }
  return frame;
}

function comparisonTable(stage, pictures, recipes) {
  const table = element("table", { className: stage });
  const head = table.createTHead().insertRow();
  const names = ["truth", ...recipes];
  head.append(...names.map((textContent) => element("th", { scope: "col", textContent })));
  const body = table.createTBody();
  for (const [at, image] of pictures.images.entries()) {
    const row = body.insertRow();
    for (const found of [image.truth, ...recipes.map((recipe) => pictures.rows[recipe][at])]) {
      row.insertCell().append(seen(image, found, pictures));
    }
  }
  return table;
}

function legend({ classes, colours }) {
  const entries = classes.slice(0, 24).map((name, at) => {
    const swatch = element("i");
    swatch.style.background = colours[at];
    return element("span", {}, swatch, name);
  });
  return element("p", { className: "legend" }, ...entries);
}

function drawPictures(board) {
  const holder = board.querySelector(".comparison");
  if (!holder) return;
  const parts = [];
  for (const [stage, pictures] of Object.entries(page.pictures[board.dataset.board])) {
    const there = recipesOf(shownRows(board)).filter((recipe) => recipe in pictures.rows);
    const some = chosen(board).length ? chosen(board).filter((recipe) => recipe in pictures.rows) : there.slice(0, 2);
    const scroll = element("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: `${stage}, scrolls sideways` });
    scroll.append(comparisonTable(stage, pictures, some));
    parts.push(element("h4", { textContent: stage }), scroll);
    if (pictures.images.some(({ truth }) => isMask(truth))) parts.push(legend(pictures));
  }
  holder.replaceChildren(...parts);
  holder.querySelectorAll("text").forEach(keepInside);
}
