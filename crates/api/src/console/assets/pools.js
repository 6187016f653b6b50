// The pools over the last minute: connections in use, drawn to the size of the pool.

import { element, shape } from "./elements.js";
import { text } from "./texts.js";

const SHOWN_MICROS = 60_000_000;
const SLICE_MICROS = 100_000;
const WIDTH = 600;
const HEIGHT = 56;

let slices = [];
let nowMicros = 0;

/** Asks for what has happened since, and draws it. */
export async function refreshPools(fetchJson) {
  const since = slices.length > 0 ? slices[slices.length - 1].at_us : 0;
  const answer = await fetchJson(`/console/pools/since/${since}`);
  if (answer.now_us < nowMicros) slices = []; // The program has been started anew.
  nowMicros = answer.now_us;
  slices = slices.filter((slice) => slice.at_us < since).concat(answer.slices);
  slices = slices.filter((slice) => slice.at_us > nowMicros - SHOWN_MICROS - SLICE_MICROS);
  drawPools();
}

/** Draws what is known, in the language that is chosen now. */
export function drawPools() {
  const charts = document.getElementById("pool_charts");
  const last = slices[slices.length - 1];
  charts.replaceChildren(...(last ? last.pools.map((pool, index) => chart(pool, index)) : []));
}

function chart(pool, index) {
  const of = (slice) => slice.pools[index] ?? { in_use: 0, open: 0, max: pool.max };
  const peak = Math.max(0, ...slices.map((slice) => of(slice).in_use));
  const label = text("pool_state", { name: pool.name, in_use: pool.in_use, open: pool.open, max: pool.max, peak });
  const drawing = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  drawing.setAttribute("aria-label", label);
  const top = Math.max(1, pool.max);
  const x = (micros) => ((micros - (nowMicros - SHOWN_MICROS)) / SHOWN_MICROS) * WIDTH;
  const y = (connections) => HEIGHT - 2 - (connections / top) * (HEIGHT - 6);
  let area = "";
  let open = "";
  for (const slice of slices) {
    const [left, right] = [x(slice.at_us), x(slice.at_us + SLICE_MICROS)];
    const { in_use, open: opened } = of(slice);
    if (in_use > 0) area += `M${left} ${y(0)}V${y(in_use)}H${right}V${y(0)}Z`;
    open += `M${left} ${y(opened)}H${right}`;
  }
  drawing.append(
    shape("line", { class: "most", x1: 0, x2: WIDTH, y1: y(pool.max), y2: y(pool.max) }),
    shape("path", { class: "open", d: open }),
    shape("path", { class: "area", d: area }),
  );
  return element(
    "figure",
    { class: "pool", "data-pool": pool.name, "data-in-use": pool.in_use, "data-peak": peak, "data-max": pool.max },
    element("figcaption", {}, label),
    drawing,
  );
}
