// Two tabs on two nodes, in headless Chromium: `node browser.mjs CHROMIUM A B PICTURES`.
//
// It says `kill` when node B is to die, and goes on when it reads a line.
import assert from "node:assert/strict";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [executablePath, a, b, pictures] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const picture = (page, name) => page.screenshot({ path: join(pictures, `${name}.png`) });
const errors = [];

/** A tab of its own user: no storage is shared. */
async function tab(node, name, viewport = { width: 1100, height: 700 }) {
  const context = await browser.newContext({ viewport });
  const page = await context.newPage();
  page.on("pageerror", (error) => errors.push(error));
  await page.goto(`http://${node}/#lobby`);
  // By keyboard alone.
  await page.keyboard.type(name);
  await page.keyboard.press("Enter");
  await page.locator(`#people [data-key="${name}"]`).waitFor({ state: "attached" });
  return page;
}

const keys = (page) => page.locator("#people li").evaluateAll((items) => items.map((item) => item.dataset.key));
async function sees(page, ...expected) {
  for (let waited = 0; waited < 15000; waited += 50) {
    if ((await keys(page)).join() === expected.join()) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.deepEqual(await keys(page), expected);
}
const log = (page) => page.locator("#log").innerText();

const ada = await tab(a, "ada");
const bob = await tab(b, "bob");
await sees(ada, "ada", "bob");
await sees(bob, "ada", "bob");
assert.match(await ada.locator('#people [data-key="bob"] small').innerText(), new RegExp(b));
await ada.keyboard.type("Hello from the other node!");
await ada.keyboard.press("Enter");
await bob.getByText("Hello from the other node!").waitFor();
await bob.keyboard.type("Hi ada. I am on node B.");
await bob.keyboard.press("Enter");
await ada.getByText("I am on node B.").waitFor();

// Several tabs of one user are one person.
const second = await tab(a, "bob");
await ada.getByText("2 tabs").waitFor();
await sees(ada, "ada", "bob");
const carol = await tab(a, "carol");
await sees(ada, "ada", "bob", "carol");
await ada.waitForTimeout(2500); // rooms are asked for every other second
await picture(ada, "room");

// Away by visibility.
await carol.evaluate(() => {
  Object.defineProperty(document, "hidden", { get: () => true });
  document.dispatchEvent(new Event("visibilitychange"));
});
await ada.locator('#people .away[data-key="carol"]').waitFor();

// The banner says what is not known yet, to readers of the screen too, and goes again.
await ada.route("**/status", async (route) => {
  const response = await route.fetch();
  const body = await response.json();
  await route.fulfill({ response, json: { ...body, node: { ...body.node, view: "behind" } } });
});
const banner = ada.locator('#banner[role="status"]');
await banner.waitFor({ state: "visible" });
assert.match(await banner.innerText(), /may not be complete/);
await ada.unroute("**/status");
await banner.waitFor({ state: "hidden" });

// By keyboard alone: back to the rooms, into another one, and back.
await carol.locator("#line").focus();
for (let tabs = 0; tabs < 10; tabs++) {
  await carol.keyboard.press("Shift+Tab");
  if (await carol.evaluate(() => document.activeElement.matches('#rooms a[href="#random"]'))) break;
}
await carol.keyboard.press("Enter");
await sees(carol, "carol");
await sees(ada, "ada", "bob");
await carol.goBack();
await sees(ada, "ada", "bob", "carol");

// A phone: nothing is wider than the screen, people are behind a button.
const phone = await tab(a, "dora", { width: 375, height: 667 });
await phone.keyboard.type("From my phone");
await phone.keyboard.press("Enter");
await ada.getByText("From my phone").waitFor();
const wide = await phone.evaluate(() => document.documentElement.scrollWidth);
assert.ok(wide <= 375, `${wide} pixels`);
await picture(phone, "phone");
await phone.locator("#toggle").click();
await phone.locator('#people [data-key="dora"]').waitFor({ state: "visible" });
await phone.waitForTimeout(400);
await picture(phone, "phone-people");
await phone.context().close();
// Its tab is closed: gone, once the time of grace is over.
await ada.getByText("dora has left").waitFor({ timeout: 15000 });

// A reload is seen by nobody.
await second.reload();
await second.locator('#people [data-key="ada"]').waitFor();
await second.context().close();
await ada.waitForTimeout(6500);
assert.doesNotMatch(await log(ada), /bob has left/);
await sees(ada, "ada", "bob", "carol");

// Node B dies; its tab goes on at node A, and nobody sees bob go.
console.log("kill");
await lines.next();
await bob.getByText("The connection is lost. Trying again…").waitFor({ timeout: 15000 });
await bob.getByText(`Connected again, to node ${a}`).waitFor({ timeout: 15000 });
await sees(bob, "ada", "bob", "carol");
for (let waited = 0; waited < 15000; waited += 100) {
  assert.ok((await keys(ada)).includes("bob"), "bob was shown as gone");
  await ada.waitForTimeout(100);
}
assert.doesNotMatch(await log(ada), /bob has left/);
await bob.keyboard.type("Still here");
await bob.keyboard.press("Enter");
await ada.getByText("Still here").waitFor();
await picture(bob, "after");
assert.deepEqual(errors, []);
console.log("done");
await browser.close();
process.exit(0);
