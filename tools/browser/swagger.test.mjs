// Swagger UI: a visitor tries the API out and needs nothing but this host.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPage, screenshot, startBrowser, startService } from "./harness.mjs";

let browser;
let service;

before(async () => {
  browser = await startBrowser();
  service = await startService();
});

after(async () => {
  await browser?.close();
  await service?.stop();
});

test("trying out a create answers 201, and no request leaves the host", async () => {
  const { page, assertClean, close } = await openPage(browser, `${service.origin}/docs`);
  const operation = page.locator(".opblock-post", { has: page.locator('[data-path="/api/v1/users"]') });
  await operation.locator(".opblock-summary-control").click();
  const body = operation.locator("textarea.body-param__text");
  await body.fill(JSON.stringify({ name: "Swagger", email: "swagger@example.com" }));
  await operation.locator("button.execute").click();
  const status = operation.locator(".live-responses-table .response-col_status").last();
  await status.waitFor();
  assert.match(await status.textContent(), /^201/);
  const answer = await operation.locator(".live-responses-table .microlight").first().textContent();
  assert.match(answer, /"email": "swagger@example\.com"/);
  await operation.locator(".live-responses-table").scrollIntoViewIfNeeded();
  await screenshot(page, "swagger-ui");
  assertClean();
  await close();
  const found = await service.json("/api/v1/users?email=swagger@example.com");
  assert.equal(found.body.users.length, 1);
});
