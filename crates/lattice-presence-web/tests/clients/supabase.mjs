// The `@supabase/realtime-js` package as it is: `node supabase.mjs ADDRESS PACKAGE`.
import assert from "node:assert/strict";
import { WebSocket } from "ws";

globalThis.WebSocket = WebSocket;
const [address, name] = process.argv.slice(2);
const { RealtimeClient } = await import(name);
const isOld = name === "supabase-v1";
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(what, condition) {
  for (let waited = 0; waited < 8000; waited += 20) {
    if (condition()) return;
    await sleep(20);
  }
  assert.fail(`never: ${what}`);
}

async function user(key, { listens = true, to_self = false } = {}) {
  const client = new RealtimeClient(`ws://${address}/realtime/v1`, { params: { apikey: "public" } });
  const channel = client.channel("room", {
    config: { presence: { key }, broadcast: { ack: true, self: to_self } },
  });
  const log = [];
  const statuses = [];
  if (listens) {
    channel.on("presence", { event: "sync" }, () => log.push("sync"));
    channel.on("presence", { event: "join" }, ({ key }) => log.push(`+${key}`));
    channel.on("presence", { event: "leave" }, ({ key }) => log.push(`-${key}`));
  }
  const heard = [];
  channel.on("broadcast", { event: "*" }, (message) => heard.push(message));
  await new Promise((done) => channel.subscribe((status) => {
    statuses.push(status);
    if (status === "SUBSCRIBED") done();
  }));
  const state = () => channel.presenceState();
  return { client, channel, log, heard, statuses, state };
}

const ada = await user("ada");
assert.equal(await ada.channel.track({ name: "Ada" }), "ok");
await until("ada sees herself", () => ada.state().ada?.[0].name === "Ada");
assert.equal(typeof ada.state().ada[0].presence_ref, "string");

const bob = await user("bob");
await until("bob sees ada", () => bob.state().ada);
assert.equal(await bob.channel.track({ name: "Bob" }), "ok");
await until("ada sees bob", () => ada.state().bob);
assert.ok(ada.log.includes("+bob"));

// Track again: an update. The same again: nothing, and an answer.
assert.equal(await bob.channel.track({ name: "Bob", away: true }), "ok");
await until("the update", () => ada.state().bob?.[0].away === true);
assert.equal(ada.state().bob.length, 1);
const seen = ada.log.length;
assert.equal(await bob.channel.track({ name: "Bob", away: true }), "ok");
await sleep(300);
assert.equal(ada.log.length, seen);

// Too many: the last one wins, and the channel stays open.
for (let n = 0; n < 30; n++) assert.equal(await bob.channel.track({ name: "Bob", n }), "ok");
await until("the last one", () => ada.state().bob?.[0].n === 29);
assert.equal(ada.state().bob.length, 1);
assert.deepEqual(bob.statuses, ["SUBSCRIBED"]);

// A track that enables presence late sees those who were there before it.
const late = await user("late", { listens: isOld });
assert.equal(await late.channel.track({ name: "Late" }), "ok");
await until("late sees all", () => late.state().ada && late.state().bob && late.state().late);

// Broadcasts: to others, to oneself where it asked for it, acknowledged.
assert.equal(await ada.channel.send({ type: "broadcast", event: "cursor", payload: { x: 1 } }), "ok");
await until("bob hears", () => bob.heard.length === 1);
assert.deepEqual(bob.heard[0].payload, { x: 1 });
assert.equal(bob.heard[0].event, "cursor");
assert.equal(ada.heard.length, 0);
const selfish = await user("selfish", { to_self: true });
await selfish.channel.send({ type: "broadcast", event: "own", payload: {} });
await until("it hears itself", () => selfish.heard.length === 1);
if (!isOld) {
  await ada.channel.send({ type: "broadcast", event: "bytes", payload: new Uint8Array([1, 255]).buffer });
  await until("bytes", () => bob.heard.some((message) => message.event === "bytes"));
  const { payload } = bob.heard.find((message) => message.event === "bytes");
  assert.deepEqual([...new Uint8Array(payload)], [1, 255]);
}

// A token is taken; a bad one closes the channel for good.
await ada.client.setAuth("good");
await sleep(100);
assert.deepEqual(ada.statuses, ["SUBSCRIBED"]);

assert.equal(await bob.channel.untrack(), "ok");
await until("bob is gone", () => !ada.state().bob);
assert.ok(ada.log.includes("-bob"));
assert.equal(await late.channel.unsubscribe(), "ok");
await until("late is gone", () => !ada.state().late);

await selfish.client.setAuth("bad");
await until("closed", () => selfish.statuses.includes("CLOSED"));
console.log("done");
process.exit(0);
