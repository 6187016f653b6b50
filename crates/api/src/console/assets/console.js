// The console: asks the service once a second what has happened, and draws it. Nothing is asked of any other host.

import { duration, element, remember, remembered, timeOfDay } from "./elements.js";
import { drawPools, refreshPools } from "./pools.js";
import { otherLanguage, text, writeTexts } from "./texts.js";
import { drawWaterfall } from "./waterfall.js";

const REFRESH_MS = 1000;
const PATIENCE_MS = 5000;
const MAX_ROWS = 200;

const $ = (id) => document.getElementById(id);

let requests = [];
let instance = null;
let version = 0;
let chosen = null;
let detail = null;
let isPaused = false;
let isLost = false;
let isGone = false;
let wantsSteps = false;
let drawn = "";
let hasSingleKeys = remembered("keys") !== "off";
/** The lines of the list by the number of their request, each with what it shows. */
const rows = new Map();

async function fetchJson(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (answer.status === 204) return null;
  if (answer.status === 404) return undefined;
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function refresh() {
  try {
    const list = await fetchJson(version === 0 ? "/console/requests" : `/console/requests/since/${version}`);
    if (list) {
      // A program that is started anew counts anew.
      if (instance !== null && instance !== list.instance) forget();
      ({ instance, requests, version } = list);
      drawList();
      await refreshDetail();
    }
    await refreshPools(fetchJson);
    isLost = false;
  } catch {
    isLost = true;
    version = 0;
  }
  drawState();
}

async function refreshDetail() {
  const number = chosen;
  if (number === null) return;
  const answer = await fetchJson(`/console/requests/${number}`);
  // Meanwhile another one may have been chosen.
  if (number !== chosen) return;
  isGone = answer === undefined;
  if (answer) detail = answer;
  drawDetail();
}

async function keepRefreshing() {
  if (!isPaused && !document.hidden) await refresh();
  setTimeout(keepRefreshing, REFRESH_MS);
}

function shown() {
  const wanted = $("filter").value.trim().toLowerCase();
  const withProbes = $("probes").checked;
  return requests.filter((request) => {
    const isProbe = request.route === "/metrics" || request.route.startsWith("/health");
    const line = `${request.method} ${request.route} ${request.status ?? ""} ${request.problem ?? ""} ${request.request_id}`;
    return (withProbes || !isProbe) && line.toLowerCase().includes(wanted);
  });
}

/** Draws the list. A line that says what it said before is left as it is, so that nobody loses the place where they read. */
function drawList() {
  const wanted = shown().slice(0, MAX_ROWS);
  const numbers = new Set(wanted.map((request) => request.number));
  for (const [number, { line }] of rows) {
    if (numbers.has(number)) continue;
    line.remove();
    rows.delete(number);
  }
  let before = null;
  for (const request of wanted) {
    const told = document.documentElement.lang + JSON.stringify(request);
    const known = rows.get(request.number);
    if (known?.told !== told) {
      const line = row(request);
      const hadFocus = known?.line === document.activeElement;
      if (known) known.line.replaceWith(line);
      if (hadFocus) line.focus({ preventScroll: true });
      rows.set(request.number, { line, told });
    }
    const { line } = rows.get(request.number);
    const place = before ? before.nextSibling : $("list").firstChild;
    if (place !== line) $("list").insertBefore(line, place);
    before = line;
  }
  $("empty").hidden = wanted.length > 0;
  drawChoice();
}

/** Marks the line that is chosen; it, or the first one, is where the tabulator key leads. */
function drawChoice() {
  const current = rowOf(chosen) ?? $("list").firstElementChild;
  for (const [number, { line }] of rows) {
    line.setAttribute("aria-selected", String(number === chosen));
    line.tabIndex = line === current ? 0 : -1;
  }
}

function row(request) {
  const status = request.status ?? text("in_progress");
  const verdict = request.status === null ? "pending" : request.status < 400 ? "good" : request.status < 500 ? "refused" : "bad";
  const line = element(
    "tr",
    { "data-number": request.number, title: request.request_id },
    element("td", {}, timeOfDay(request.began_at_us)),
    element("td", { class: "what" }, element("span", { class: "method" }, request.method), ` ${request.route}`),
    element("td", { class: verdict }, String(status)),
    element("td", { class: "number", "data-duration-us": request.duration_us }, duration(request.duration_us)),
    element("td", { class: "number" }, String(request.statements)),
    element("td", { class: "number" }, request.batch_members > 1 ? String(request.batch_members) : ""),
  );
  line.addEventListener("click", () => choose(request.number));
  return line;
}

function rowOf(number) {
  return rows.get(number)?.line ?? null;
}

/** Everything that was known of a program that has ended. */
function forget() {
  requests = [];
  chosen = null;
  for (const { line } of rows.values()) line.remove();
  rows.clear();
  clearDetail();
  $("detail_title").textContent = text("choose");
}

function clearDetail() {
  detail = null;
  isGone = false;
  drawn = "";
  $("waterfall").replaceChildren();
}

function choose(number, withFocus = true) {
  chosen = number;
  clearDetail();
  history.replaceState(null, "", `#${number}`);
  drawChoice();
  if (withFocus) rowOf(number)?.focus();
  refreshDetail().catch(() => {
    isLost = true;
    drawState();
  });
}

function drawDetail() {
  if (isGone) {
    $("waterfall").replaceChildren();
    drawn = "";
    $("detail_title").textContent = text("gone");
    return;
  }
  if (!detail) return;
  const status = detail.status ?? text("in_progress");
  $("detail_title").textContent = `#${detail.number} ${detail.method} ${detail.route}: ${status}, ${duration(detail.duration_us)}`;
  // What is the same is not drawn again, so that nobody loses the place where they read.
  const told = document.documentElement.lang + JSON.stringify(detail);
  if (told !== drawn) drawWaterfall($("waterfall"), detail, choose);
  drawn = told;
  if (wantsSteps) moveInSteps(0);
  wantsSteps = false;
}

function drawState() {
  const state = $("state");
  state.classList.toggle("lost", isLost && !isPaused);
  const told = isPaused ? text("paused") : isLost ? text("lost") : text("live");
  // It is read out when it changes.
  if (state.textContent !== told) state.textContent = told;
}

function drawHelp() {
  const keys = text("keys").split("\n").map((line) => line.split("\t"));
  const entries = keys.flatMap(([key, meaning]) => [element("dt", {}, element("kbd", {}, key)), element("dd", {}, meaning)]);
  const choice = element("input", { type: "checkbox", id: "single_keys" });
  choice.checked = hasSingleKeys;
  choice.addEventListener("change", () => {
    hasSingleKeys = choice.checked;
    remember("keys", hasSingleKeys ? "on" : "off");
  });
  const label = element("label", {}, choice, ` ${text("single_keys")}`);
  $("help_text").replaceChildren(element("dl", {}, ...entries), label);
}

function drawAll() {
  writeTexts();
  drawHelp();
  drawList();
  drawPools();
  drawDetail();
  drawState();
}

function toggleHelp() {
  $("help_text").hidden = !$("help_text").hidden;
  $("help").setAttribute("aria-expanded", String(!$("help_text").hidden));
}

function togglePause() {
  isPaused = !isPaused;
  $("pause").setAttribute("aria-pressed", String(isPaused));
  drawState();
}

function changeLanguage() {
  otherLanguage();
  drawAll();
}

function changeTheme() {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  remember("theme", root.dataset.theme);
}

function move(by) {
  const lines = [...$("list").children];
  if (lines.length === 0) return;
  const at = lines.indexOf(rowOf(chosen));
  const next = at < 0 ? 0 : Math.min(lines.length - 1, Math.max(0, at + by));
  choose(Number(lines[next].dataset.number));
}

/** Goes to the first step that can be opened, or to the next or previous one. */
function moveInSteps(by) {
  const steps = [...$("waterfall").querySelectorAll(".name button")];
  const at = steps.indexOf(document.activeElement);
  steps[at < 0 ? 0 : Math.min(steps.length - 1, Math.max(0, at + by))]?.focus();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = event.target.matches("input[type=search]");
  if (event.key === "Escape") {
    if (isTyping) event.target.blur();
    (rowOf(chosen) ?? $("list").firstElementChild)?.focus();
    return;
  }
  if (isTyping) return;
  // Elsewhere these scroll, as everywhere.
  const inSteps = event.target.closest("#detail") !== null;
  if (event.key.startsWith("Arrow") && !inSteps && !event.target.closest("#list")) return;
  if (event.key.length === 1 && !hasSingleKeys) return;
  const actions = {
    j: () => (inSteps ? moveInSteps(1) : move(1)),
    ArrowDown: () => (inSteps ? moveInSteps(1) : move(1)),
    k: () => (inSteps ? moveInSteps(-1) : move(-1)),
    ArrowUp: () => (inSteps ? moveInSteps(-1) : move(-1)),
    "/": () => $("filter").focus(),
    p: togglePause,
    t: changeTheme,
    l: changeLanguage,
    "?": toggleHelp,
  };
  if (event.key === "Enter" && event.target.matches("tr")) {
    wantsSteps = true;
    if (Number(event.target.dataset.number) === chosen) drawDetail();
    else choose(Number(event.target.dataset.number));
  } else if (event.key in actions) {
    actions[event.key]();
  } else {
    return;
  }
  event.preventDefault();
}

const theme = remembered("theme");
if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
document.addEventListener("keydown", onKey);
$("pause").addEventListener("click", togglePause);
$("theme").addEventListener("click", changeTheme);
$("language").addEventListener("click", changeLanguage);
$("help").addEventListener("click", toggleHelp);
$("filter").addEventListener("input", drawList);
$("probes").addEventListener("change", drawList);
const linked = Number(location.hash.slice(1));
if (Number.isInteger(linked) && linked > 0) chosen = linked;
drawAll();
keepRefreshing().then(() => refreshDetail().catch(() => undefined));
