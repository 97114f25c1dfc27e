// The `phoenix` package as it is, against a server: `node phoenix.mjs ADDRESS`.
//
// It says `restart` when the server is to restart, and goes on when it reads a line.
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";

globalThis.WebSocket = WebSocket;
const { Socket, Presence } = await import("phoenix");
const [address] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(what, condition) {
  for (let waited = 0; waited < 8000; waited += 20) {
    if (condition()) return;
    await sleep(20);
  }
  assert.fail(`never: ${what}`);
}

const answered = (push) => new Promise((done) => {
  for (const status of ["ok", "error", "timeout"]) {
    push.receive(status, (response) => done({ status, response }));
  }
});

/** A tab: its socket, its channel, and what its Presence said. */
function tab(name, params = {}) {
  const socket = new Socket(`ws://${address}/socket`, { params });
  const log = [];
  const channel = socket.channel("room:1", { name });
  const presence = new Presence(channel);
  presence.onJoin((key, before) => log.push(`+${key}${before ? " again" : ""}`));
  presence.onLeave((key, rest) => log.push(`-${key}${rest.metas.length ? " one" : ""}`));
  presence.onSync(() => log.push("sync"));
  socket.connect();
  const list = () => presence.list((key, { metas }) => `${key}:${metas.length}`).sort();
  return { socket, channel, presence, log, list, joined: answered(channel.join()) };
}

const ada = tab("ada");
assert.equal((await ada.joined).status, "ok");
await until("ada sees herself", () => ada.list().join() === "ada:1");
const bob = tab("bob");
await until("both see both", () => [ada, bob].every((one) => one.list().join() === "ada:1,bob:1"));
assert.deepEqual(ada.log.filter((line) => line.startsWith("+")), ["+ada", "+bob"]);

// A second tab of one user is one key with two metas.
const second = tab("bob");
await until("two metas", () => ada.list().join() === "ada:1,bob:2");
second.channel.leave();
await until("one meta", () => ada.list().join() === "ada:1,bob:1");
assert.ok(ada.log.includes("-bob one"), ada.log.join(" "));
second.socket.disconnect();

// An update is a leave of the former meta and a join in one diff.
let reference;
ada.presence.list((key, { metas }) => { if (key === "bob") reference = metas[0].phx_ref; });
assert.equal((await answered(bob.channel.push("status", { away: true }))).status, "ok");
let updated;
await until("the update", () => {
  ada.presence.list((key, { metas }) => { if (key === "bob") updated = metas; });
  return updated[0].away;
});
assert.equal(updated.length, 1);
assert.equal(updated[0].phx_ref_prev, reference);

// Events, replies, broadcasts, bytes.
const heard = [];
bob.channel.on("said", (payload) => heard.push(payload));
assert.deepEqual(await answered(ada.channel.push("echo", [1, "ü"])), { status: "ok", response: [1, "ü"] });
assert.deepEqual((await answered(ada.channel.push("dance", {}))).response, { reason: "unknown event" });
ada.channel.push("say", { text: "hi" });
ada.channel.push("say", new Uint8Array([1, 2, 255]).buffer);
await until("broadcasts", () => heard.length === 2);
assert.deepEqual(heard[0], { text: "hi" });
assert.deepEqual([...new Uint8Array(heard[1])], [1, 2, 255]);

// Refused, with a reason.
const full = ada.socket.channel("room:full", { name: "ada" });
assert.deepEqual(await answered(full.join()), { status: "error", response: { reason: "full" } });
full.leave();

// A channel that fails joins again by itself.
let errors = 0;
bob.channel.onError(() => errors++);
bob.channel.push("crash", {});
await until("bob is back", () => errors === 1 && bob.channel.state === "joined");
await until("bob once", () => ada.list().join() === "ada:1,bob:1");

// The server restarts: sockets come back, join again, without a duplicate or a ghost.
for (const how of ["drain", "drop"]) {
  console.log(how);
  await lines.next();
  await until(`rejoined after ${how}`, () => [ada, bob].every((one) => one.channel.state === "joined"));
  await until(`both after ${how}`, () => [ada, bob].every((one) => one.list().join() === "ada:1,bob:1"));
}

// A leave is final.
bob.channel.leave();
await until("bob has left", () => ada.list().join() === "ada:1");
assert.equal(bob.channel.state, "closed");

// A reload with a token: nobody sees anything.
const token = { resume: "0123456789abcdef" };
const before = tab("eve", token);
await until("eve", () => ada.list().join() === "ada:1,eve:1");
const seen = ada.log.length;
before.socket.disconnect();
await sleep(200);
const after = tab("eve", token);
assert.equal((await after.joined).status, "ok");
await until("eve sees all", () => after.list().join() === "ada:1,eve:1");
await sleep(1500);
assert.deepEqual(ada.log.slice(seen), []);
console.log("done");
process.exit(0);
