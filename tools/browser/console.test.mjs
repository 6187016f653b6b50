// The console shows what the service did, in numbers that are the service's own.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, openPage, screenshot, startBrowser, startService } from "./harness.mjs";

let browser;
let service;
/** The request ids of a change and of a read that shared its statement. */
let changed;
let shared;

before(async () => {
  browser = await startBrowser();
  service = await startService();
  const created = await service.json("/api/v1/users", { method: "POST", body: { name: "Grace Hopper", email: "grace@example.com" } });
  assert.equal(created.status, 201);
  await service.json("/api/v1/users", { method: "POST", body: { name: "Grace", email: "GRACE@example.com" } });
  await service.json("/health");
  const path = `/api/v1/users/${created.body.id}`;
  shared = await eventually("requests share a statement", async () => {
    await Promise.all(Array.from({ length: 40 }, () => service.json(path)));
    const { requests } = (await service.json("/console/requests")).body;
    return requests.find((request) => request.batch_members > 2)?.request_id;
  });
  await service.json("/api/v1/users?per_page=2");
  changed = (await service.json(path, { method: "PATCH", body: { name: "Grace M. Hopper" } })).id;
});

after(async () => {
  await browser?.close();
  await service?.stop();
});

/** What the service tells of a request, once nothing about it changes any more. */
async function told(requestId) {
  return eventually(`the service tells of ${requestId}`, async () => {
    const { requests } = (await service.json("/console/requests")).body;
    const found = requests.find((request) => request.request_id === requestId);
    const detail = found && (await service.json(`/console/requests/${found.number}`)).body;
    const all = detail && [...detail.steps, ...detail.batches.flatMap((batch) => batch.steps)];
    return all?.every((step) => step.duration_us !== null) && detail;
  });
}

async function openConsole(requestId, options = {}) {
  const detail = await told(requestId);
  const opened = await openPage(browser, `${service.origin}/console#${detail.number}`, options);
  await opened.page.waitForSelector(".step.k-statement");
  return { ...opened, detail };
}

/** A duration as the page writes it. */
function written(micros) {
  if (micros < 1000) return `${micros} µs`;
  if (micros < 10_000) return `${(micros / 1000).toFixed(2)} ms`;
  return micros < 1_000_000 ? `${(micros / 1000).toFixed(1)} ms` : `${(micros / 1_000_000).toFixed(2)} s`;
}

test("the list has a line for every request but the probes, and each says what the service says", async () => {
  const { page, assertClean, close } = await openConsole(changed);
  const { requests } = (await service.json("/console/requests")).body;
  const expected = requests
    .filter((request) => !request.route.startsWith("/health"))
    .map((request) => [`${request.method} ${request.route}`, String(request.status), written(request.duration_us), String(request.statements)]);
  const shown = await page.$$eval("#list tr", (rows) =>
    rows.map((row) => [1, 2, 3, 4].map((cell) => row.children[cell].textContent.trim())),
  );
  assert.deepEqual(shown, expected);
  assert.ok(shown.length > 40);
  await page.check("#probes");
  assert.equal(await page.locator("#list tr").count(), requests.length);
  assertClean();
  await close();
});

test("the bars of a waterfall stand where the numbers of the service say", async () => {
  for (const id of [changed, shared]) {
    const { page, detail, assertClean, close } = await openConsole(id);
    const all = [...detail.steps, ...detail.batches.flatMap((batch) => batch.steps)];
    const whole = Math.max(detail.duration_us, ...all.map((step) => step.start_us + (step.kind === "event" ? 0 : step.duration_us)));
    const drawn = await page.$$eval(".step[data-kind]", (lines) =>
      lines.map((line) => {
        const track = line.querySelector(".track").getBoundingClientRect();
        const bar = line.querySelector(".bar").getBoundingClientRect();
        return {
          kind: line.dataset.kind,
          start: Number(line.dataset.startUs),
          duration: Number(line.dataset.durationUs),
          left: bar.left - track.left,
          width: bar.width,
          track: track.width,
          time: line.querySelector(".time").textContent,
        };
      }),
    );
    const key = (step) => `${step.kind} ${step.start_us ?? step.start} ${step.duration_us ?? step.duration}`;
    assert.deepEqual(drawn.map(key).sort(), all.map(key).sort());
    for (const step of drawn) {
      assert.ok(Math.abs(step.left - (Math.max(0, step.start) / whole) * step.track) < 1, JSON.stringify(step));
      if (step.kind === "event") continue;
      // A bar is never thinner than two pixels, or nobody would see it.
      const width = Math.max(2, (step.duration / whole) * step.track);
      assert.ok(Math.abs(step.width - width) < 1, JSON.stringify({ ...step, width }));
      assert.equal(step.time, written(step.duration));
    }
    assertClean();
    await close();
  }
});

test("a statement opens to its whole text, without values, by the keyboard alone", async () => {
  const { page, detail, assertClean, close } = await openConsole(changed);
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => Number(document.activeElement.dataset.number)), detail.number);
  await page.keyboard.press("Enter");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  const opened = page.locator(".more:not([hidden])");
  assert.equal(await opened.count(), 1);
  const text = await opened.textContent();
  assert.match(text, /UPDATE "users" SET/);
  assert.ok(!text.includes("Grace"), text);
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-expanded")), "true");
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  assert.notEqual(await page.evaluate(() => Number(location.hash.slice(1))), detail.number);
  await page.keyboard.press("k");
  assert.equal(await page.evaluate(() => Number(location.hash.slice(1))), detail.number);
  assertClean();
  await close();
});

test("those who shared a statement lead to each other", async () => {
  const { page, detail, assertClean, close } = await openConsole(shared);
  const [batch] = detail.batches;
  const others = batch.members.filter((member) => member.number !== detail.number);
  const buttons = page.locator(".members button");
  assert.deepEqual(await buttons.allTextContents(), others.map((member) => `#${member.number}`));
  await buttons.first().click();
  await page.waitForFunction((number) => document.querySelector("#detail_title").textContent.startsWith(`#${number} `), others[0].number);
  assert.equal(await page.locator("#list [aria-selected=true]").getAttribute("data-number"), String(others[0].number));
  assertClean();
  await close();
});

test("the timeline has the peak that the service measured", async () => {
  const { page, assertClean, close } = await openConsole(changed);
  // Drawn and asked for within the same minute, while nobody uses the service.
  await page.keyboard.press("p");
  const { slices, now_us } = (await service.json("/console/pools/since/0")).body;
  const inMinute = slices.filter((slice) => slice.at_us > now_us - 58_000_000);
  for (const [index, pool] of slices.at(-1).pools.entries()) {
    const figure = page.locator(`.pool[data-pool="${pool.name}"]`);
    const peak = Math.max(...inMinute.map((slice) => slice.pools[index].in_use));
    assert.equal(Number(await figure.getAttribute("data-peak")), peak, pool.name);
    assert.equal(Number(await figure.getAttribute("data-max")), pool.max, pool.name);
    assert.ok(peak >= 1, `${pool.name} was used`);
  }
  assertClean();
  await close();
});

test("it speaks English and Japanese, in light and in dark, and remembers which", async () => {
  const { page, assertClean, close } = await openConsole(changed, { colorScheme: "dark" });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await page.keyboard.press("t");
  assert.notEqual(await ground(), dark);
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  await page.keyboard.press("l");
  assert.equal(await page.locator("html").getAttribute("lang"), "ja");
  assert.equal(await page.locator("#requests_title").textContent(), "リクエスト");
  await page.reload();
  await page.waitForSelector(".step.k-statement");
  assert.equal(await page.locator("html").getAttribute("lang"), "ja");
  assert.notEqual(await ground(), dark);
  assertClean();
  await close();
  const japanese = await openConsole(changed, { locale: "ja-JP" });
  assert.equal(await japanese.page.locator("html").getAttribute("lang"), "ja");
  await japanese.close();
});

test("every text has both languages", async () => {
  const { page, close } = await openConsole(changed);
  const source = await page.evaluate(async () => (await fetch("/console/files/texts.js")).text());
  const keys = (language) => [...source.matchAll(new RegExp(`^  ${language}: \\{([\\s\\S]*?)^  \\},`, "gm"))].flatMap(([, body]) =>
    [...body.matchAll(/^    (\w+):/gm)].map(([, key]) => key),
  );
  assert.ok(keys("en").length > 30);
  assert.deepEqual(keys("en"), keys("ja"));
  await close();
});

test("the filter, the help and the pause work", async () => {
  const { page, assertClean, close } = await openConsole(changed);
  await page.keyboard.press("?");
  assert.ok(await page.locator("#help_text").isVisible());
  await page.keyboard.press("/");
  await page.keyboard.type("patch");
  assert.equal(await page.locator("#list tr").count(), 1);
  await page.keyboard.press("Escape");
  await page.keyboard.press("p");
  assert.equal(await page.locator("#pause").getAttribute("aria-pressed"), "true");
  assertClean();
  await close();
});

test("new requests appear by themselves, and an end of the service is told", async () => {
  const own = await startService();
  const { page, faults, close } = await openPage(browser, `${own.origin}/console`);
  await page.waitForSelector("#empty:not([hidden])");
  await own.json("/api/v1/users");
  await page.waitForSelector("#list tr");
  assert.deepEqual(faults, []);
  await own.stop();
  await page.waitForSelector("#state.lost");
  await close();
});

test("screenshots for the documents", async () => {
  for (const [locale, language] of [["en-GB", "en"], ["ja-JP", "ja"]]) {
    for (const [id, name, colorScheme] of [[changed, "change", "light"], [shared, "shared", "dark"]]) {
      const { page, close } = await openConsole(id, { locale, colorScheme });
      // As high as what there is to see.
      await page.setViewportSize({ width: 1280, height: 640 });
      await page.locator("#list [aria-selected=true]").scrollIntoViewIfNeeded();
      await screenshot(page, `console-${name}-${language}`);
      await close();
    }
  }
});
