"use strict";
// Names beside the dots of a scatter plot: of chosen rows always, of the others where there is room.

const MOST_NAMED = 12; // of more rows, only the chosen are named
const NAME = { height: 12, character: 6.2, away: 8 }; // px, at the font size of .dot-names
const FRAME = { left: 44, top: 26, bottom: 38 }; // px, of a scatter plot

function nameDots(chart, data, chosen) {
  const { width, height } = chart.viewBox.baseVal;
  const dots = data.map(({ recipe, x, mean }) => ({ recipe, x: chart.scale("x").apply(x), y: chart.scale("y").apply(mean) }));
  const taken = dots.map(({ x, y }) => ({ left: x - 7, right: x + 7, top: y - 7, bottom: y + 7 }));
  const inside = (box) => box.left >= FRAME.left && box.right <= width && box.top >= 0 && box.bottom <= height - FRAME.bottom;
  const isFree = (of) => (box) => !of.some((other) => overlap(box, other));
  const names = drawn("g", { class: "dot-names", "aria-hidden": "true" });
  const [first, others] = [true, false].map((wanted) => dots.filter(({ recipe }) => chosen.includes(recipe) === wanted));
  for (const dot of [...first, ...(data.length > MOST_NAMED ? [] : others)]) {
    const places = placesBeside(dot).filter(inside);
    const place = places.find(isFree(taken)) ?? (first.includes(dot) && (places.find(isFree(taken.slice(dots.length))) ?? places[0]));
    if (!place) continue;
    taken.push(place);
    names.append(drawn("text", { x: place.left, y: place.bottom - 2.5 }, dot.recipe));
  }
  chart.append(names);
}

// Boxes of the size of a dot's name, the best first: right of the dot, left, above and below.
function placesBeside({ recipe, x, y }) {
  const { height, away } = NAME;
  const width = NAME.character * recipe.length;
  const box = (left, top) => ({ left, right: left + width, top, bottom: top + height });
  const over = [y - away - height, y + away].flatMap((top) => [x - width / 2, x - 4, x + 4 - width].map((left) => box(left, top)));
  return [box(x + away, y - height / 2), box(x - away - width, y - height / 2), ...over];
}

function overlap(one, two) {
  return one.left < two.right && two.left < one.right && one.top < two.bottom && two.top < one.bottom;
}
