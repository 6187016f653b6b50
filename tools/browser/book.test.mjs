// The built book: every page opens from a folder of files, with all its pictures, and nothing of it lies elsewhere.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { after, before, test } from "node:test";
import { openPage, setting, startBrowser } from "./harness.mjs";

const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png", ".json": "application/json", ".woff2": "font/woff2", ".wasm": "application/wasm" };

let browser;
let server;
let origin;

before(async () => {
  browser = await startBrowser();
  const folder = setting("BOOK");
  server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    const file = join(folder, normalize(path.endsWith("/") ? `${path}index.html` : path));
    try {
      assert.ok(file.startsWith(folder));
      const content = await readFile(file);
      response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" }).end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${server.address().port}`;
});

after(async () => {
  await browser?.close();
  server?.close();
});

/** The addresses of all chapters, in order. */
async function chapters(page, language) {
  const links = page.locator("#mdbook-sidebar a[href$='.html'], .sidebar a[href$='.html']");
  await links.first().waitFor({ state: "attached" });
  const found = await links.evaluateAll((links) => links.map((link) => link.href.split("#")[0]));
  return [...new Set(found)].filter((address) => address.startsWith(`${origin}/${language}/`));
}

for (const language of ["en", "ja"]) {
  test(`every chapter in ${language} opens whole`, async () => {
    const { page, assertClean, close } = await openPage(browser, `${origin}/${language}/introduction.html`);
    const addresses = await chapters(page, language);
    assert.ok(addresses.length >= 20, `${addresses.length} chapters`);
    for (const address of addresses) {
      await page.goto(address);
      assert.equal(await page.locator("html").getAttribute("lang"), language);
      assert.equal(await page.locator("main h1").count(), 1, address);
      const broken = await page.locator("main img").evaluateAll((images) =>
        Promise.all(images.map((image) => image.decode().then(() => null, () => image.src))),
      );
      assert.deepEqual(broken.filter(Boolean), [], address);
      const text = await page.locator("main").textContent();
      assert.ok(!text.includes("{{#"), `${address} has an include that was not resolved`);
    }
    assertClean();
    await close();
  });
}

test("a chapter leads to itself in the other language", async () => {
  const { page, assertClean, close } = await openPage(browser, `${origin}/en/transactions.html`);
  await page.locator(`a[href$="../ja/transactions.html"]`).first().click();
  await page.waitForURL(`${origin}/ja/transactions.html`);
  assert.equal(await page.locator("html").getAttribute("lang"), "ja");
  assertClean();
  await close();
});

test("the search finds chapters in both languages", async () => {
  for (const [language, word] of [["en", "backpressure"], ["ja", "トランザクション"]]) {
    const { page, assertClean, close } = await openPage(browser, `${origin}/${language}/introduction.html?search=${encodeURIComponent(word)}`);
    await page.locator("#mdbook-searchresults li, #searchresults li").first().waitFor();
    assertClean();
    await close();
  }
});
