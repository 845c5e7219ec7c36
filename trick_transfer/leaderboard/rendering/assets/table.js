"use strict";
// Sorting, filtering and choosing the rows of a board's table.

const MOST_CHOSEN = 4;

const rowsOf = (board) => [...board.querySelectorAll(".rows tbody tr")];
const shownRows = (board) => rowsOf(board).filter((row) => !row.hidden);
const recipesOf = (rows) => rows.map((row) => row.dataset.recipe);

function sortKey(row, column) {
  if (column === 1) return row.dataset.recipe;
  const value = row.cells[column].dataset.value;
  return value === undefined ? undefined : Number(value);
}

function sort(board, header, order) {
  const column = header.cellIndex;
  const sign = order === "ascending" ? 1 : -1;
  const compare = (a, b) => {
    if (a === undefined || b === undefined) return (a === undefined) - (b === undefined); // what is missing comes last
    return a === b ? 0 : a < b ? -sign : sign;
  };
  const rows = rowsOf(board).sort((one, two) => compare(sortKey(one, column), sortKey(two, column)));
  board.querySelector(".rows tbody").append(...rows);
  for (const each of header.parentElement.cells) each.removeAttribute("aria-sort");
  header.ariaSort = order;
}

function sortNext(board, header) {
  const other = { ascending: "descending", descending: "ascending" };
  sort(board, header, other[header.getAttribute("aria-sort")] ?? header.dataset.first);
}

function filter(board) {
  const words = board.querySelector(".filter").value.toLowerCase().split(/\s+/);
  const whole = board.querySelector(".whole").checked;
  for (const row of rowsOf(board)) {
    const named = words.every((word) => row.dataset.recipe.toLowerCase().includes(word));
    row.hidden = !named || (whole && stagesOf(board, row.dataset.recipe) < stagesOf(board));
  }
  board.querySelector("output").value = `${shownRows(board).length} of ${rowsOf(board).length} rows`;
}

function stagesOf(board, recipe) {
  const { metrics, rows } = tableOf(board);
  const cells = recipe === undefined ? undefined : rows.find((row) => row.recipe === recipe).cells;
  return new Set(metrics.filter(({ name }) => !cells || name in cells).map(({ stage }) => stage)).size;
}

function chosen(board) {
  return recipesOf(rowsOf(board).filter((row) => row.querySelector(".pick input").checked));
}

function limitChoice(board) {
  const full = chosen(board).length >= MOST_CHOSEN;
  for (const box of board.querySelectorAll(".pick input")) box.disabled = full && !box.checked;
}
