"use strict";
// Events: which board is shown, when its parts are redrawn, the theme.

const page = JSON.parse(document.getElementById("data").textContent);
const tableOf = (board) => page.tables[board.dataset.board];
const boards = [...document.querySelectorAll(".board")];

function draw(board) {
  drawIntervals(board);
  drawScatters(board);
  drawSideBySide(board);
}

function drawSideBySide(board) {
  drawDifferences(board);
  drawPictures(board);
}

function show(number) {
  for (const board of boards) board.hidden = board.dataset.board !== number;
  draw(boards[number]);
}

function listen(board) {
  for (const header of board.querySelectorAll(".rows th[data-first]")) {
    header.querySelector("button").addEventListener("click", () => sortNext(board, header));
  }
  board.querySelector(".tools").addEventListener("input", () => {
    filter(board);
    draw(board);
  });
  board.querySelector(".intervals").addEventListener("change", () => drawIntervals(board));
  board.querySelector(".rows tbody").addEventListener("change", () => {
    limitChoice(board);
    drawScatters(board);
    drawSideBySide(board);
  });
  board.querySelector(".rows tbody").addEventListener("click", ({ target }) => {
    const button = target.closest(".open");
    if (button) openReceipt(board, button.closest("tr").dataset.recipe);
  });
  filter(board);
}

function followWidth() {
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return; // a phone's address bar changes the height alone
    width = innerWidth;
    draw(boards.find((board) => !board.hidden));
  });
}

function listenToTheme() {
  const button = document.getElementById("theme");
  const themes = { auto: "light dark", light: "light", dark: "dark" };
  button.hidden = false;
  button.addEventListener("click", () => {
    const names = Object.keys(themes);
    const word = button.querySelector("span");
    word.textContent = names[(names.indexOf(word.textContent) + 1) % names.length];
    document.documentElement.style.colorScheme = themes[word.textContent];
  });
}

function listenToDialog() {
  const dialog = document.getElementById("receipt");
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close()); // the backdrop
}

for (const part of document.querySelectorAll("#tables, .tools, .intervals, .compute, .pictures")) part.hidden = false;
for (const board of boards) listen(board);
document.getElementById("tables").addEventListener("change", ({ target }) => show(target.value));
listenToTheme();
listenToDialog();
followWidth();
show("0");
