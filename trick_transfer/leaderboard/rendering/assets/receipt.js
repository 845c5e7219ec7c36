"use strict";
// A row's receipts, in a dialog.

let unpacking; // a promise, once something packed is asked for

function unpacked() {
  return (unpacking ??= unpack(document.getElementById("packed").textContent));
}

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain).json();
}

function element(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

async function openReceipt(board, recipe) {
  const row = tableOf(board).rows.find((each) => each.recipe === recipe);
  const dialog = document.getElementById("receipt");
  const body = dialog.querySelector(".body");
  document.getElementById("receipt-title").textContent = recipe;
  body.replaceChildren();
  dialog.showModal();
  if (!row.runs.length) {
    body.append(element("p", { textContent: "No receipt: these numbers are quoted from the paper." }), quoted(board, row));
    return;
  }
  const { receipts, curves, details, tables } = await unpacked();
  if (document.getElementById("receipt-title").textContent !== recipe) return; // another row was opened meanwhile
  const content = element("div");
  const show = (path) => showRun(content, receipts[path], curves[path], details[path], recipe.endsWith(page.yours));
  body.append(runPicker(row.runs, show), content);
  show(row.runs[0].path);
  const classes = Object.entries(tables[board.dataset.board].classes[recipe]);
  for (const [measure, found] of classes) body.append(classList(measure, Object.entries(found)));
}

function classList(measure, classes) {
  const list = element("dl", { className: "classes" });
  for (const [name, value] of classes.sort(([, a], [, b]) => b - a)) list.append(...entry(name, percent(value)));
  return element("details", {}, element("summary", { textContent: `${measure} of each class, %, mean over the row's runs` }), list);
}

function quoted(board, row) {
  const list = element("dl");
  for (const { name, label } of tableOf(board).metrics) {
    const said = row.cells[name]?.paper;
    if (said) list.append(...entry(label, `${said.value} (${said.table})`));
  }
  return list;
}

function runPicker(runs, show) {
  const picker = element("fieldset", { className: "pills small" }, element("legend", { textContent: "Run" }));
  for (const [at, { path, stage, seed, backbone_seed }] of runs.entries()) {
    const other = seed === backbone_seed ? "" : `, backbone ${backbone_seed}`;
    const input = element("input", { type: "radio", name: "run", checked: at === 0, onchange: () => show(path) });
    picker.append(element("label", {}, input, element("span", { textContent: `${stage}, seed ${seed}${other}` })));
  }
  return picker;
}

const entry = (name, value) => [element("dt", { textContent: name }), element("dd", { textContent: value })];

function duration(seconds) {
  return seconds < 600 ? `${seconds.toFixed(0)} s` : `${(seconds / 3600).toFixed(2)} h`;
}

function listed(values) {
  return Object.entries(values).map(([name, value]) => `${name} ${value}`).join(", ");
}

const ownHours = ({ seconds, devices }) => (seconds * devices) / 3600;
const deviceHours = (hours) => `${hours.toFixed(3)} device-hours`;

// The teacher's time, so that the sum is the table's device-hours; your own run may have the reference's teacher.
function teachersTime(run, own) {
  const recipe = run.config.model?.teacher?.recipe;
  if (!recipe) return {};
  const rows = page.tables.flatMap((table) => (table.tier === run.tier ? table.rows : []));
  const row = (own && rows.find((each) => each.recipe === recipe + page.yours)) || rows.find((each) => each.recipe === recipe);
  const hours = row?.device_hours ?? null;
  if (hours === null) return { teacher: `${recipe}, its result is missing` };
  const all = ownHours(run) + hours;
  return {
    teacher: `${recipe}, ${deviceHours(hours)} from its own receipts (mean over seeds)`,
    "with its teacher": `${deviceHours(all)}; the table has the mean over the row’s seeds`,
  };
}

function facts(run, own) {
  return {
    ...Object.fromEntries(Object.entries(run.metrics).map(([name, value]) => [name, +value.toPrecision(10)])),
    command: run.command,
    commit: run.commit + (run.dirty ? " (dirty: changes were not committed)" : " (clean)"),
    "tier and protocol": `${run.tier}, ${run.protocol} ${run.protocol_hash}`,
    "images scored": run.samples_scored.toLocaleString("en"),
    seed: `${run.seed} (backbone ${run.backbone_seed})`,
    ...(run.arrived_percent !== null && { "backbone's tensors that arrived": `${run.arrived_percent} %` }),
    "feature error": run.feature_error ?? "not measured",
    "global batch and rate": `${run.global_batch}, ${+run.lr.toPrecision(6)} over ${run.steps} steps`,
    ...(run.branches && {
      "top-1 with the residual branches off": `${+run.branches.top1_off.toPrecision(4)} %`,
      "last |gamma|, largest and median by stage": Object.values(run.branches.gammas)
        .map(({ largest, median }) => `${largest.toFixed(3)} and ${median.toFixed(3)}`).join("; "),
    }),
    ...(run.chosen.epoch && {
      "epoch that counts": `${run.chosen.epoch} of ${run.chosen.of_epochs}, the ${run.chosen.rule} one by ${run.chosen.by} on `
        + `${run.chosen.images} held-out training images (${+run.chosen.score.toPrecision(4)} %)`,
    }),
    ...(run.chosen.sweep && {
      sweep: `rate × ${run.chosen.sweep.rate}, epochs × ${run.chosen.sweep.length}: the best of ${run.chosen.sweep.trials.length} trials by `
        + `${run.chosen.sweep.by} on held-out training images${diverged(run.chosen.sweep.trials)}; they took `
        + deviceHours(run.chosen.sweep.device_hours),
    }),
    "device and precision": `${run.devices} × ${run.device}, ${run.precision}`,
    batch: `${run.per_device} images a device × ${run.devices} × ${run.accumulation} accumulated`,
    build: listed(run.build),
    time: `${duration(run.seconds)}, ${deviceHours(ownHours(run))}`,
    ...teachersTime(run, own),
    versions: listed(run.versions),
    licences: Object.entries(run.licences).map(([of, licence]) => `${of}: ${licence}`).join("; "),
    "data's manifest": run.data_manifest,
    "outputs' SHA-256": run.outputs_sha256,
    "config's SHA-256": run.config_hash,
  };
}

function diverged(trials) {
  const lost = trials.filter((trial) => trial.score === null).length;
  return lost ? `, of which ${lost} diverged` : "";
}

function showRun(content, run, curves, details, own) {
  const list = element("dl");
  for (const [name, value] of Object.entries(facts(run, own))) list.append(...entry(name, value));
  const config = element("pre", { tabIndex: 0, textContent: JSON.stringify(run.config, null, 1) });
  const charts = element("div", { className: "multiples" });
  content.replaceChildren(
    element("h3", { textContent: "Receipt" }), list,
    element("details", {}, element("summary", { textContent: "Resolved config" }), config),
    element("h3", { textContent: "Training curves" }), charts,
  );
  drawCurves(charts, Object.entries(curves).filter(([, curve]) => curve.length && curve[0].length > 1));
  showDetails(content, details);
}

function drawCurves(charts, curves) {
  if (!curves.length) charts.append(element("p", { className: "caption", textContent: "None: this run has no loss or score of two or more epochs." }));
  for (const [name, curve] of curves) {
    const holder = element("figure", { className: "chart" });
    charts.append(holder);
    holder.append(curveChart(name, curve, holder.clientWidth - 26)); // less its padding and border
  }
}
