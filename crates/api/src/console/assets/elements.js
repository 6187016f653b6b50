// Making elements and telling times: what all parts of the page need.

/** An element with attributes and children; text is always text and never markup. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(attribute, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** The same for a drawing. */
export function shape(name, attributes = {}) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
}

/** What is remembered between visits; nothing where the browser keeps nothing. */
export function remembered(key) {
  try {
    return localStorage.getItem(`console.${key}`);
  } catch {
    return null;
  }
}

/** Remembers something for the next visit, if the browser lets us. */
export function remember(key, value) {
  try {
    localStorage.setItem(`console.${key}`, value);
  } catch {
    // It is as it was at the next visit.
  }
}

/** A duration for people: three digits or so. */
export function duration(micros) {
  if (micros === null || micros === undefined) return "…";
  if (micros < 1000) return `${micros} µs`;
  if (micros < 10_000) return `${(micros / 1000).toFixed(2)} ms`;
  if (micros < 1_000_000) return `${(micros / 1000).toFixed(1)} ms`;
  return `${(micros / 1_000_000).toFixed(2)} s`;
}

/** The local time of day, with milliseconds. */
export function timeOfDay(unixMicros) {
  const time = new Date(unixMicros / 1000);
  const two = (number) => String(number).padStart(2, "0");
  const milliseconds = String(time.getMilliseconds()).padStart(3, "0");
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${milliseconds}`;
}
