// The console: asks the service once a second what has happened, and draws it. Nothing is asked of any other host.

import { duration, element, timeOfDay } from "./elements.js";
import { drawPools, refreshPools } from "./pools.js";
import { otherLanguage, text, writeTexts } from "./texts.js";
import { drawWaterfall } from "./waterfall.js";

const REFRESH_MS = 1000;
const PATIENCE_MS = 5000;
const MAX_ROWS = 200;

const $ = (id) => document.getElementById(id);

let requests = [];
let version = 0;
let chosen = null;
let detail = null;
let isPaused = false;
let isLost = false;
let isGone = false;
let wantsSteps = false;
let drawn = "";

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
      ({ requests, version } = list);
      drawList();
      await refreshDetail();
    }
    await refreshPools(fetchJson);
    isLost = false;
  } catch {
    isLost = true;
    version = 0; // A program that is started anew counts anew.
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

function drawList() {
  const rows = shown().slice(0, MAX_ROWS);
  const hadFocus = $("list").contains(document.activeElement);
  $("list").replaceChildren(...rows.map(row));
  $("empty").hidden = rows.length > 0;
  const current = rowOf(chosen) ?? $("list").firstElementChild;
  if (current) current.tabIndex = 0;
  if (hadFocus) current?.focus({ preventScroll: true });
}

function row(request) {
  const status = request.status ?? text("in_progress");
  const verdict = request.status === null ? "pending" : request.status < 400 ? "good" : request.status < 500 ? "refused" : "bad";
  const line = element(
    "tr",
    { "data-number": request.number, "aria-selected": String(request.number === chosen), tabindex: "-1", title: request.request_id },
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
  return number === null ? null : $("list").querySelector(`[data-number="${number}"]`);
}

function choose(number, withFocus = true) {
  chosen = number;
  detail = null;
  isGone = false;
  history.replaceState(null, "", `#${number}`);
  drawList();
  if (withFocus) rowOf(number)?.focus();
  refreshDetail().catch(() => {
    isLost = true;
    drawState();
  });
}

function drawDetail() {
  if (isGone) {
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
  state.textContent = isPaused ? text("paused") : isLost ? text("lost") : text("live", { count: requests.length });
}

function drawHelp() {
  const keys = text("keys").split("\n").map((line) => line.split("\t"));
  const entries = keys.flatMap(([key, meaning]) => [element("dt", {}, element("kbd", {}, key)), element("dd", {}, meaning)]);
  $("help_text").replaceChildren(element("dl", {}, ...entries));
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
  localStorage.setItem("console.theme", root.dataset.theme);
}

function move(by) {
  const rows = [...$("list").children];
  if (rows.length === 0) return;
  const at = rows.indexOf(rowOf(chosen));
  const next = at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by));
  choose(Number(rows[next].dataset.number));
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
  const inSteps = event.target.closest("#detail") !== null;
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

const theme = localStorage.getItem("console.theme");
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
