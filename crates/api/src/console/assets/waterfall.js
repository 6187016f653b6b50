// A request as a waterfall: every step on a line, at its time, below the step that it is part of.

import { duration, element, timeOfDay } from "./elements.js";
import { spanName, text } from "./texts.js";

const LEGEND = ["span", "handler", "transaction", "wait", "statement", "batch", "event"];
const TRANSACTIONS = new Set(["transaction", "begin", "commit", "rollback"]);

/** What is opened stays open while the page is drawn again. */
const opened = new Set();

/** Draws `request`. `choose` is called with the number of another request that shared a batch with it. */
export function drawWaterfall(place, request, choose) {
  const lines = linesOf(request);
  const ends = lines.map((line) => line.start_us + (line.duration_us ?? 0));
  const whole = Math.max(1, request.duration_us ?? 0, ...ends);
  const list = element("ol", { class: "steps" }, ruler(whole));
  for (const line of lines) list.append(drawLine(request, line, whole, choose));
  const focused = document.activeElement?.dataset?.step;
  place.replaceChildren(facts(request), legend(), list);
  const left_out = request.left_out + request.batches.reduce((sum, batch) => sum + batch.left_out, 0);
  if (left_out > 0) place.append(element("p", { class: "hint" }, text("left_out", { count: left_out })));
  if (focused) place.querySelector(`[data-step="${CSS.escape(focused)}"]`)?.focus();
}

/** All steps in the order in which they began, each after the one that it is part of. */
function linesOf(request) {
  const lines = [];
  const add = (steps, batch, prefix) => {
    const below = new Map();
    steps.forEach((step, index) => {
      const parent = step.parent ?? null;
      below.set(parent, [...(below.get(parent) ?? []), { ...step, batch, key: `${prefix}${index}`, index }]);
    });
    const walk = (parent, depth) => {
      const children = (below.get(parent) ?? []).sort((one, other) => one.start_us - other.start_us || one.index - other.index);
      for (const child of children) {
        lines.push({ ...child, depth });
        walk(child.index, depth + 1);
      }
    };
    walk(null, batch ? 1 : 0);
  };
  add(request.steps, null, "s");
  request.batches.forEach((batch, number) => add(batch.steps, batch, `b${number}-`));
  return lines;
}

function facts(request) {
  const problem = request.problem ? ` ${text("problem", { code: request.problem })}` : "";
  const retried = request.retries > 0 ? ` ${text("retried", { count: request.retries })}` : "";
  const known = text("facts", {
    time: timeOfDay(request.began_at_us),
    id: request.request_id,
    statements: request.statements,
    sql: duration(request.sql_us),
    wait: duration(request.wait_us),
  });
  return element("p", { class: "facts" }, known + problem + retried);
}

function legend() {
  const entry = (kind) => element("li", {}, element("i", { class: `k-${kind}` }), text(`legend_${kind}`));
  return element("ul", { class: "legend" }, ...LEGEND.map(entry));
}

function ruler(whole) {
  const track = element("div", { class: "track" });
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    const mark = element("span", {}, duration(Math.round(whole * part)));
    mark.style.left = `${part * 100}%`;
    track.append(mark);
  }
  return element("li", { class: "step ruler", "aria-hidden": "true" }, element("span"), track, element("span"));
}

function drawLine(request, line, whole, choose) {
  const kind = kindOf(line);
  const length = line.kind === "event" ? 0 : (line.duration_us ?? Math.max(0, whole - line.start_us));
  const bar = element("div", { class: "bar" });
  bar.style.left = `${(Math.max(0, line.start_us) / whole) * 100}%`;
  if (line.kind !== "event") bar.style.width = `${(length / whole) * 100}%`;
  const told = line.kind === "event" ? duration(Math.max(0, line.start_us)) : line.duration_us === null ? text("in_progress") : duration(line.duration_us);
  const name = element("div", { class: "name" });
  name.style.paddingLeft = `${line.depth * 14}px`;
  const title = titleOf(line);
  const details = detailsOf(line);
  const item = element(
    "li",
    { class: `step k-${kind}`, "data-kind": line.kind, "data-start-us": line.start_us, "data-duration-us": line.duration_us },
    name,
    element("div", { class: "track" }, bar),
    element("span", { class: "time" }, told),
  );
  // For those who do not see where the bar stands, and how far to the right its name.
  const place = text("part", { level: line.depth + 1, kind: text(`legend_${kind}`), start: duration(Math.max(0, line.start_us)) });
  name.append(element("span", { class: "unseen" }, place));
  if (details) {
    const key = `${request.number}/${line.key}`;
    const more = element("pre", { class: "more" }, details);
    const button = element("button", { type: "button", "data-step": key, title }, title);
    const show = () => {
      more.hidden = !opened.has(key);
      button.setAttribute("aria-expanded", String(opened.has(key)));
    };
    button.addEventListener("click", () => {
      if (!opened.delete(key)) opened.add(key);
      show();
    });
    show();
    name.append(button);
    item.append(more);
  } else {
    name.append(title);
    name.title = title;
  }
  if (line.kind === "span" && line.name.endsWith("_batch")) item.append(members(request, line.batch, choose));
  return item;
}

function members(request, batch, choose) {
  const place = element("div", { class: "members" }, text("members"));
  for (const member of batch.members) {
    if (member.number === request.number) continue;
    const button = element("button", { type: "button", title: member.request_id }, `#${member.number}`);
    button.addEventListener("click", () => choose(member.number));
    place.append(button);
  }
  place.hidden = batch.members.length < 2;
  return place;
}

function kindOf(line) {
  if (line.kind !== "span") return line.kind;
  if (line.name.endsWith("_batch")) return "batch";
  if (TRANSACTIONS.has(line.name)) return "transaction";
  return line.name === "handler" ? "handler" : "span";
}

function titleOf(line) {
  switch (line.kind) {
    case "wait":
      return text(line.in_vain ? "in_vain" : "wait");
    case "statement":
      return line.sql.replace(/\s+/g, " ");
    case "event":
      return line.message || text("legend_event");
    default: {
      const outcome = line.fields.find(([name]) => name === "outcome");
      const shared = line.name.endsWith("_batch") ? `, ${text("batch", { count: line.batch.members.length })}` : "";
      return spanName(line.name) + shared + (outcome ? `: ${outcome[1]}` : "");
    }
  }
}

/** What is shown when a line is opened; nothing where there is no more to say. */
function detailsOf(line) {
  if (line.kind === "statement") {
    return `${line.sql}\n\n${text("rows", { returned: line.rows_returned, affected: line.rows_affected })}`;
  }
  if (line.kind === "event") {
    return [`${line.level} ${line.message}`, ...line.fields.map(([name, value]) => `${name} = ${value}`)].join("\n");
  }
  return null;
}
