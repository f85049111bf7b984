"use strict";
(() => {
const page = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const ORDER = ["crash", "timeout", "fail", "xpass", "error", "flaky", "xfail", "skip", "pass"];
const LETTER = { crash: "C", timeout: "T", fail: "F", xpass: "X", error: "E", flaky: "~", xfail: "x", skip: "s", pass: "" };
const color = (status) => `var(--${status})`;
const store = { // Storage is refused to pages opened from files by some browsers.
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, value); } catch { /* the choice lasts for this page */ } },
};

/** An element: h("a", {href: "#"}, "text", child…). A function is a listener. */
function h(tag, props, ...children) {
  const svg = h.svg.has(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") node.addEventListener(key, value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
h.svg = new Set(["svg", "g", "rect", "line", "text", "circle", "path", "title"]);

const seconds = (ms) => ms === null || ms === undefined ? "" :
  ms < 1000 ? `${Math.round(ms)} ms` : ms < 120000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60000)} min ${Math.round(ms % 60000 / 1000)} s`;
const number = (value) => Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(+value.toPrecision(4));
const median = (values) => { const s = [...values].sort((a, b) => a - b), m = s.length >> 1; return s.length % 2 ? s[m] : (s[m - 1] + s[m]) / 2; };
const counts = {};
for (const test of page.tests) counts[test.status] = (counts[test.status] || 0) + 1;

// ---- state -------------------------------------------------------------------------------
let chosen = null;
const hidden = new Set();
let search = "";
let onlyBad = false;

const key = (test) => `${test.id}@${test.kernel}`;
const byKey = new Map(page.tests.map((test) => [key(test), test]));

// ---- head --------------------------------------------------------------------------------
function head() {
  const good = page.tests.every((test) => test.good) && !page.run.interrupted;
  const run = page.run;
  const total = page.tests.length || 1;
  const fact = (name, value) => h("span", {}, `${name} `, h("b", {}, value));
  $("head").replaceChildren(...[
    h("h1", {}, "kharness",
      h("span", { class: "verdict", style: `background:${color(good ? "pass" : "fail")}` }, good ? "GOOD" : "NOT GOOD"),
      h("span", { class: "sub", style: "font-weight:400;font-size:14px" }, page.summary),
      h("span", { class: "spacer" }),
      h("button", { click: theme, "aria-label": "Switch between light and dark" }, "◐ theme"),
      h("button", { click: help, "aria-label": "Keys" }, "? keys")),
    h("div", { class: "facts" },
      fact("run", run.id), fact("started", run.started.replace("T", " ").replace("Z", " UTC")), fact("took", seconds(run.duration_ms)),
      ...page.kernels.map((kernel) => fact("kernel", `${kernel.name} ${kernel.release}`)),
      fact("backend", run.backend), fact("host", `${run.host}, ${run.cpus} CPUs`), fact("seed", String(run.seed))),
    run.interrupted && h("div", { class: "warn", role: "status" }, h("b", {}, "Incomplete: "),
      `the run ended early; ${page.missing.length} test${page.missing.length === 1 ? "" : "s"} did not run`,
      page.missing.length ? `: ${page.missing.slice(0, 12).join(", ")}${page.missing.length > 12 ? " …" : ""}` : "."),
    h("div", { class: "bar", role: "img", "aria-label": page.summary },
      ORDER.filter((status) => counts[status]).reverse().map((status) =>
        h("i", { style: `flex:${counts[status] / total};background:${color(status)}`, title: `${counts[status]} ${status}` }))),
    h("div", { class: "chips" },
      ORDER.filter((status) => counts[status]).map((status) => h("button", {
        class: "chip", "aria-pressed": "true", "data-status": status,
        click(event) {
          hidden.has(status) ? hidden.delete(status) : hidden.add(status);
          event.currentTarget.setAttribute("aria-pressed", String(!hidden.has(status)));
          tests();
        } }, h("span", { class: "dot", style: `background:${color(status)}` }), `${status} ${counts[status]}`)),
      h("input", { id: "search", type: "search", placeholder: "Search tests, causes, reports  ( / )", "aria-label": "Search",
        input(event) { search = event.target.value.toLowerCase(); tests(); } })),
  ].filter(Boolean));
}

// ---- overview: timeline and numbers ------------------------------------------------------
function overview() {
  const lanes = timeline();
  const numbers = plots();
  const parts = [];
  if (lanes) parts.push(h("div", { class: "panel" }, h("h2", {}, "Timeline: what each worker did"), lanes));
  if (numbers.length) parts.push(h("div", { class: "panel" }, h("h2", {}, "Numbers over repetitions"), h("div", { class: "plots" }, numbers)));
  $("overview").replaceChildren(...(parts.length ? [h("div", { class: parts.length > 1 ? "two" : "" }, parts)] : []));
}

function timeline() {
  const bars = page.tests.flatMap((test) => test.attempts.map((attempt, index) => ({ test, attempt, index })));
  if (bars.every(({ attempt }) => !attempt.started_ms)) { // Results from before starts were recorded: one after the other.
    bars.reduce((at, { attempt }) => { attempt.started_ms = at; return at + attempt.duration_ms; }, 0);
  }
  if (!bars.length) return null;
  const end = Math.max(...bars.map(({ attempt }) => attempt.started_ms + attempt.duration_ms), 1);
  const workers = [...new Set(bars.map(({ attempt }) => attempt.worker))].sort((a, b) => a - b);
  const W = 1000, left = 64, row = 30, x = (ms) => left + (W - left - 8) * ms / end;
  const svg = h("svg", { viewBox: `0 0 ${W} ${workers.length * row + 26}`, role: "img", "aria-label": "Timeline of boots and steps" });
  const step = nice(end / 8);
  for (let t = 0; t <= end; t += step) {
    svg.append(h("line", { class: "grid", x1: x(t), x2: x(t), y1: 0, y2: workers.length * row }),
      h("text", { x: x(t), y: workers.length * row + 16, "text-anchor": "middle" }, seconds(t) || "0"));
  }
  workers.forEach((worker, lane) => svg.append(h("text", { x: 0, y: lane * row + 19 }, `worker ${worker}`)));
  for (const { test, attempt, index } of bars) {
    const y = workers.indexOf(attempt.worker) * row + 4, x0 = x(attempt.started_ms);
    const width = Math.max(1.5, x(attempt.started_ms + attempt.duration_ms) - x0 - 0.6);
    const group = h("g", { class: "hit", click: () => choose(test, true) },
      h("title", {}, `${test.id}${index ? `, attempt ${index + 1}` : ""}: ${attempt.status}, ${seconds(attempt.duration_ms)}${attempt.boot_ms ? `, ${attempt.forked ? "copied" : "booted"} in ${seconds(attempt.boot_ms)}` : ""}`),
      h("rect", { x: x0, y, width, height: 22, rx: 3, fill: color(attempt.status), opacity: .9 }));
    const boot = attempt.boot_ms ? Math.min(width, x(attempt.boot_ms) - left) : 0;
    if (boot > 1) group.append(h("rect", { x: x0, y: y + 15, width: boot, height: 7, fill: "var(--panel)", opacity: .55 }));
    if (index === test.attempts.length - 1 && width > 14) {
      for (const s of test.steps) {
        if (s.status === "not-run") continue;
        const sx = x0 + (x(s.start_ms) - left);
        group.append(h("rect", { x: Math.min(sx, x0 + width), y: y + 1, width: Math.max(1, Math.min(x(s.duration_ms) - left, x0 + width - sx)), height: 7, fill: "var(--ink)", opacity: .45 }));
      }
    }
    if (width > 60) group.append(h("text", { x: x0 + 5, y: y + 15, style: "fill:var(--panel);font-size:10.5px;pointer-events:none" }, test.id.slice(0, Math.floor(width / 6.2))));
    svg.append(group);
  }
  return h("div", {}, svg, h("div", { class: "sub", style: "font-size:12px;margin-top:4px" }, "A bar is a test in a guest of its own, in the colour of what it came to; its light foot is the boot, or the copying of a booted guest; dark marks at its top are steps."));
}

function nice(raw) {
  const base = 10 ** Math.floor(Math.log10(Math.max(raw, 1)));
  return [1, 2, 5, 10].map((f) => f * base).find((s) => s >= raw);
}

function plots() {
  const series = new Map();
  const add = (name, unit, test, value) => {
    if (!series.has(name)) series.set(name, { unit, points: [] });
    series.get(name).points.push({ test, value });
  };
  for (const test of page.tests) {
    for (const [name, measure] of Object.entries(test.measures)) add(`${test.base} · ${name}`, measure.unit, test, measure.value);
  }
  for (const test of page.tests) if (test.boot_ms) add("time to boot, all tests", "ms", test, test.boot_ms);
  const many = [...series].filter(([, { points }]) => points.length > 1);
  return many.slice(0, 24).map(([name, { unit, points }]) => plot(name, unit, points));
}

function plot(name, unit, points) {
  const W = 320, H = 84, values = points.map((point) => point.value);
  const low = Math.min(...values), high = Math.max(...values), mid = median(values);
  const pad = (high - low) * 0.1 || Math.abs(high) * 0.1 || 1;
  const y = (v) => H - 10 - (H - 20) * (v - low + pad) / (high - low + 2 * pad);
  const x = (i) => 10 + (W - 20) * (points.length > 1 ? i / (points.length - 1) : .5);
  return h("div", { class: "plot" }, h("b", {}, name),
    h("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${name}: median ${number(mid)} ${unit}` },
      h("line", { x1: 6, x2: W - 6, y1: y(mid), y2: y(mid), stroke: "var(--accent)", "stroke-dasharray": "4 4", opacity: .7 }),
      points.map((point, i) => h("circle", { class: "hit", cx: x(i), cy: y(point.value), r: points.length > 80 ? 2 : 3.6, fill: color(point.test.status), click: () => choose(point.test, true) },
        h("title", {}, `${point.test.id}: ${number(point.value)} ${unit}`)))),
    h("div", { class: "sub" }, `median ${number(mid)} ${unit} · ${number(low)} to ${number(high)} · ${points.length} values`));
}

// ---- the grid ----------------------------------------------------------------------------
const rows = (() => {
  const map = new Map();
  for (const test of page.tests) {
    const cell = Object.entries(test.cell).map(([axis, value]) => `${axis}=${value}`).join(", ");
    const base = cell ? test.base.replace(/\[.*\]$/, "") : test.base;
    if (!map.has(base)) map.set(base, []);
    map.get(base).push(test);
  }
  return [...map].map(([base, all]) => ({ base, all, worst: Math.min(...all.map((test) => ORDER.indexOf(test.status))) }))
    .sort((a, b) => a.worst - b.worst || (a.base < b.base ? -1 : 1));
})();

function column(test) {
  const cell = Object.entries(test.cell).map(([axis, value]) => `${axis}=${value}`).join(", ");
  return [page.kernels.length > 1 ? test.kernel : "", cell].filter(Boolean).join(" · ");
}
const columns = [...new Set(page.tests.map(column))];

function shown(test) {
  if (hidden.has(test.status) || (onlyBad && test.good)) return false;
  if (!search) return true;
  return [test.id, test.cause || "", test.kernel, ...test.reports.map((report) => `${report.kind} ${report.title}`)].some((text) => text.toLowerCase().includes(search));
}

let visible = [];
function tests() {
  visible = [];
  const body = h("tbody");
  for (const { base, all } of rows) {
    const some = all.filter(shown);
    if (!some.length) continue;
    some.sort((a, b) => columns.indexOf(column(a)) - columns.indexOf(column(b)));
    visible.push(...some);
    const first = [...some].sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status))[0];
    const slash = base.lastIndexOf("/") + 1;
    const squares = columns.length > 1
      ? columns.map((name) => h("td", {}, h("div", { class: "cells" }, some.filter((test) => column(test) === name).map(square))))
      : [h("td", {}, h("div", { class: "cells" }, some.map(square)))];
    const time = some.reduce((sum, test) => sum + test.duration_ms, 0);
    body.append(h("tr", { "data-base": base, click(event) { if (!event.target.dataset.key) choose(first); } }, squares,
      h("td", {}, h("span", { class: "dir" }, base.slice(0, slash)), h("b", {}, base.slice(slash)),
        first.cause && h("div", { class: "cause", title: first.cause }, first.cause)),
      h("td", { class: "num sub" }, seconds(time))));
  }
  const heads = columns.length > 1 ? columns.map((name) => h("th", { scope: "col" }, name || "—")) : [h("th", { scope: "col" }, "")];
  $("tests").replaceChildren(visible.length
    ? h("table", {}, h("thead", {}, h("tr", {}, heads, h("th", { scope: "col" }, `Test (${visible.length})`), h("th", { class: "num", scope: "col" }, "Time"))), body)
    : h("div", { class: "empty" }, "No test is like that."));
  light();
}

function square(test) {
  return h("button", { class: "cell", style: `background:${color(test.status)}`, "data-key": key(test), tabindex: -1,
    title: `${test.id}: ${test.status}`, "aria-label": `${test.id}: ${test.status}`, click: () => choose(test) }, LETTER[test.status]);
}

function light() {
  for (const on of $("tests").querySelectorAll(".on")) on.classList.remove("on");
  if (!chosen) return;
  const cell = $("tests").querySelector(`[data-key="${CSS.escape(key(chosen))}"]`);
  if (!cell) return;
  cell.classList.add("on");
  cell.closest("tr").classList.add("on");
}

// ---- details -----------------------------------------------------------------------------
function choose(test, scroll) {
  chosen = test;
  details(test);
  light();
  const row = $("tests").querySelector("tr.on");
  if (row) row.scrollIntoView({ block: "nearest" });
  if (scroll) $("detail").scrollIntoView({ block: "nearest" });
  history.replaceState(null, "", `#${encodeURIComponent(key(test))}`);
}

function details(test) {
  const parts = [
    h("div", { class: "name" }, h("span", { class: "tag", style: `background:${color(test.status)}` }, test.status.toUpperCase()), test.id),
    h("div", { class: "facts" }, h("span", {}, "kernel ", h("b", {}, test.kernel)), h("span", {}, "took ", h("b", {}, seconds(test.duration_ms))),
      ...Object.entries(test.cell).map(([axis, value]) => h("span", {}, `${axis} `, h("b", {}, value)))),
    test.cause && h("div", { class: "why", style: `border-color:${color(test.status)}` }, test.cause),
    section("Kernel reports", test.reports.length && reports(test)),
    section("Expectations", test.expectations.length && expectations(test)),
    section("Steps", test.steps.length && steps(test)),
    section("Numbers", Object.keys(test.measures).length && measures(test)),
    section("Attempts", test.attempts.length && attempts(test)),
    section("Memory at the crash", test.memory && h("pre", { class: "out", style: "max-height:420px" }, test.memory)),
    section("Console", test.console.length && consoleOf(test)),
    section("Run it again", h("div", { class: "repro" }, h("pre", { class: "out" }, test.repro),
      h("button", { click(event) { copy(test.repro, event.currentTarget); } }, "copy"))),
    section("Files", test.artifacts.length && h("div", { class: "links" }, test.artifacts.map((name) => h("div", {}, h("a", { href: encodeURI(name) }, name))))),
  ];
  $("detail").replaceChildren(...parts.filter(Boolean));
}

const section = (title, content) => content ? [h("h3", {}, title), content].reduce((box, node) => (box.append(node), box), h("div")) : null;

function copy(text, button) {
  const done = () => { button.textContent = "copied"; setTimeout(() => { button.textContent = "copy"; }, 1200); };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => {});
}

function reports(test) {
  return h("table", {}, h("tbody", {}, test.reports.map((report, index) => h("tr", {},
    h("td", {}, report.expected ? h("span", { class: "held", title: "asked for" }, "✓") : report.allowed ? h("span", { class: "sub", title: "allowed" }, "○") : h("span", { class: "broken", title: "not asked for" }, "✗")),
    h("td", { class: "mono" }, report.kind),
    h("td", {}, h("a", { href: "#", click(event) { event.preventDefault(); jump(`rep-${index}`); } }, report.title),
      report.allowed && h("div", { class: "sub" }, `allowed: ${report.allowed}`),
      report.place.length > 0 && h("pre", { class: "sub" }, report.place.join("\n"))),
    h("td", { class: "sub" }, report.step ? h("a", { href: "#", click(event) { event.preventDefault(); jump(`step-${report.step}`); } }, `step ${report.step}`) : "boot")))));
}

function expectations(test) {
  return h("table", {}, h("tbody", {}, test.expectations.map((expectation) => h("tr", {},
    h("td", {}, h("span", { class: expectation.held ? "held" : "broken" }, expectation.held ? "✓" : "✗")),
    h("td", {}, h("code", {}, expectation.text), (expectation.details || []).map((detail) => h("div", { class: "sub mono" }, detail)),
      expectation.because && h("div", { class: "sub" }, `because: ${expectation.because}`)),
    h("td", { class: "sub" }, expectation.step ? `step ${expectation.step}` : "")))));
}

function steps(test) {
  const end = Math.max(...test.steps.map((s) => s.start_ms + s.duration_ms), 1);
  const tone = { done: "pass", failed: "fail", "timed-out": "timeout", interrupted: "crash", "not-run": "skip" };
  return h("table", {}, h("tbody", {}, test.steps.map((s) => [
    h("tr", {}, h("td", {}, h("a", { href: "#", click(event) { event.preventDefault(); jump(`step-${s.id}`); } }, s.id)), h("td", { class: "sub" }, s.kind),
      h("td", { style: "width:38%" }, h("svg", { viewBox: "0 0 300 12", preserveAspectRatio: "none", style: "height:12px;margin-top:4px", role: "img", "aria-label": `from ${seconds(s.start_ms)}, ${seconds(s.duration_ms)}` },
        h("rect", { x: 0, y: 5, width: 300, height: 2, fill: "var(--soft)" }),
        s.status !== "not-run" && h("rect", { x: 300 * s.start_ms / end, y: 1, width: Math.max(2, 300 * s.duration_ms / end), height: 10, rx: 2, fill: color(tone[s.status]) }))),
      h("td", { class: "num" }, s.status === "not-run" ? "not run" : seconds(s.duration_ms)),
      h("td", { class: "num sub" }, s.exit !== null ? `exit ${s.exit}` : s.status === "done" ? "" : s.status)),
    (s.message || s.stdout || s.stderr) && h("tr", {}, h("td", { colspan: 5 },
      s.message && h("div", { class: "broken", style: "font-weight:500" }, s.message),
      s.stdout && output("stdout", s.stdout), s.stderr && output("stderr", s.stderr))),
  ])));
}

function output(name, text) {
  return h("details", { open: text.length < 400 }, h("summary", { class: "sub" }, `${name}, ${text.split("\n").length - 1} lines`), h("pre", { class: "out" }, text));
}

function measures(test) {
  return h("table", {}, h("tbody", {}, Object.entries(test.measures).map(([name, measure]) => h("tr", {}, h("td", { class: "mono" }, name), h("td", { class: "num" }, `${number(measure.value)} ${measure.unit}`), h("td", { class: "sub" }, `${measure.better} is better`)))));
}

function attempts(test) {
  return h("table", {}, h("tbody", {}, test.attempts.map((attempt, index) => h("tr", {},
    h("td", {}, `${index + 1}`), h("td", { style: `color:${color(attempt.status)};font-weight:650` }, attempt.status), h("td", { class: "num" }, seconds(attempt.duration_ms)),
    h("td", { class: "sub" }, attempt.boot_ms ? `boot ${seconds(attempt.boot_ms)}` : ""),
    h("td", { class: "sub" }, attempt.host ? `host: load ${number(attempt.host.load_per_cpu)} a CPU, waited for ${number(attempt.host.cpu_denied_percent)} % of its CPU time, steal ${number(attempt.host.steal_percent)} %` : ""),
    h("td", { class: "sub" }, attempt.cause || "")))));
}

function consoleOf(test) {
  const box = h("div", { class: "console mono", tabindex: 0, role: "region", "aria-label": "Console" });
  const pre = h("pre");
  for (const piece of test.console) {
    if (piece.gap) pre.append(h("span", { class: "gap" }, `… ${piece.gap.toLocaleString("en")} bytes are in the file …`));
    else if (piece.r !== undefined) {
      const report = test.reports[piece.r];
      pre.append(h("span", { class: `rep${report.expected || report.allowed ? " ok" : ""}`, id: `rep-${piece.r}`, title: `${report.kind}: ${report.title}` }, piece.t.replace(/\n$/, "")));
    } else plain(pre, piece.t);
  }
  box.append(pre);
  return box;
}

/** Text with the marks of steps as anchors. */
function plain(pre, text) {
  let lines = [];
  const flush = () => { if (lines.length) pre.append(h("span", {}, lines.join("\n"))); lines = []; };
  for (const line of text.replace(/\n$/, "").split("\n")) {
    const mark = line.match(/kharness: step (\S+)/);
    if (mark) { flush(); pre.append(h("span", { class: "mark", id: `step-${mark[1]}` }, line)); } else lines.push(line);
  }
  flush();
}

function jump(id) {
  const target = document.getElementById(id);
  if (!target) return;
  target.scrollIntoView({ block: "center" });
  for (const lit of document.querySelectorAll(".lit")) lit.classList.remove("lit");
  target.classList.add("lit");
}

// ---- keys --------------------------------------------------------------------------------
const KEYS = [["j ↓", "next test"], ["k ↑", "previous test"], ["n", "next test that is not good"], ["f", "only what is not good, or everything"], ["r", "next kernel report of this test"],
  ["/", "search"], ["c", "to the console"], ["t", "light or dark"], ["Esc", "leave the search, close this"], ["?", "this list"]];
function help() {
  $("help").replaceChildren(h("h2", {}, "Keys"), h("table", {}, h("tbody", {}, KEYS.map(([keys, what]) => h("tr", {}, h("td", { style: "padding:3px 18px 3px 0" }, keys.split(" ").map((k) => [h("kbd", {}, k), " "])), h("td", {}, what))))), h("p", {}, h("button", { click: () => $("help").close() }, "Close")));
  if (!$("help").open) $("help").showModal();
}
function theme() {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  store.set("kharness-theme", document.documentElement.dataset.theme);
}
function move(by, wanted = () => true) {
  if (!visible.length) return;
  let at = visible.indexOf(chosen);
  for (let i = 0; i < visible.length; i++) {
    at = at < 0 ? (by > 0 ? 0 : visible.length - 1) : (at + by + visible.length) % visible.length;
    if (wanted(visible[at])) return choose(visible[at]);
  }
}
let nextReport = 0;
const ACTIONS = {
  j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1), n: () => move(1, (test) => !test.good),
  f: () => { onlyBad = !onlyBad; tests(); }, t: theme, "?": help, "/": () => $("search").focus(),
  c: () => { const box = document.querySelector(".console"); if (box) { box.scrollIntoView({ block: "center" }); box.focus(); } },
  r: () => { if (chosen && chosen.reports.length) jump(`rep-${nextReport++ % chosen.reports.length}`); },
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input")) { if (event.key === "Escape") event.target.blur(); return; }
  if (event.target.matches(".console, pre") && event.key.startsWith("Arrow")) return;
  const action = ACTIONS[event.key];
  if (action && !$("help").open) { event.preventDefault(); action(); }
});

// ---- start -------------------------------------------------------------------------------
if (store.get("kharness-theme")) document.documentElement.dataset.theme = store.get("kharness-theme");
head();
overview();
tests();
const wanted = byKey.get(decodeURIComponent(location.hash.slice(1)));
if (wanted) choose(wanted); else if (visible.length) choose(visible[0]);
else $("detail").replaceChildren(h("div", { class: "empty" }, "No test has ended."));
document.documentElement.dataset.ready = "true";
})();
