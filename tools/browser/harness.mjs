// What every test needs: the service on a database of its own, and a page that is watched.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const PATIENCE_MS = 30_000;

/** How Chromium runs in a container, and without a word to anybody but the pages it is sent to. */
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A variable that tools/browser/run sets. */
export function setting(name) {
  const value = process.env[name];
  assert.ok(value, `${name} is not set: use tools/browser/run`);
  return value;
}

/** Waits until `condition` gives something true, and returns that. */
export async function eventually(what, condition) {
  const end = Date.now() + PATIENCE_MS;
  while (Date.now() < end) {
    const found = await condition();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`never came true: ${what}`);
}

/** Starts the service, as a developer does, in a folder of its own. */
export async function startService(settings = {}) {
  const folder = await mkdtemp(join(tmpdir(), "async-starter-browser-"));
  const service = spawn(setting("ASYNC_STARTER_BIN"), [], {
    cwd: folder,
    env: { PORT: "0", WORKERS: "2", ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  service.stdout.on("data", (text) => (log += text));
  service.stderr.on("data", (text) => (log += text));
  const ended = new Promise((resolve) => service.once("exit", resolve));
  const address = await eventually("the service listens", () => {
    assert.equal(service.exitCode, null, log);
    return log.match(/listening address=(\S+)/)?.[1];
  });
  const origin = `http://${address}`;
  return {
    origin,
    /** Asks for JSON. */
    async json(path, { method = "GET", body } = {}) {
      const headers = body ? { "content-type": "application/json" } : {};
      const answer = await fetch(origin + path, { method, headers, body: body && JSON.stringify(body) });
      return { status: answer.status, id: answer.headers.get("x-request-id"), body: await answer.json().catch(() => null) };
    },
    async stop() {
      service.kill("SIGTERM");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A browser. */
export function startBrowser() {
  return chromium.launch({ executablePath: setting("CHROMIUM"), args: ARGUMENTS });
}

/** A page whose requests and errors are watched. `assertClean` fails if it asked another host, or reported an error. */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: "en-GB", ...options });
  const page = await context.newPage();
  const { host } = new URL(url);
  const faults = [];
  page.on("request", (request) => {
    const asked = new URL(request.url());
    if (asked.protocol !== "data:" && asked.host !== host) faults.push(`asked ${asked.href}`);
  });
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(`console: ${message.text()}`);
  });
  await page.goto(url);
  return { page, faults, assertClean: () => assert.deepEqual(faults, []), close: () => context.close() };
}

/** Keeps what the page looks like, for the documents. */
export async function screenshot(page, name) {
  await page.screenshot({ path: join(setting("SCREENSHOTS"), `${name}.png`) });
}
