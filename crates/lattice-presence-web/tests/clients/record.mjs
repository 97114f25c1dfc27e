// Records what the real clients send: `npm ci && node record.mjs ../transcripts`.
//
// A small server answers just enough for the clients to go on. Each frame becomes a
// line `> text`, or `> 0x…` where it is binary. The server's side of the committed
// transcripts, the lines `<` and `!`, is what `tests/golden.rs` compares the session
// with; a new recording starts without them, and
// `LATTICE_RECORD=1 cargo test -p lattice-presence-web --test golden` writes them.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { WebSocketServer, WebSocket } from "ws";

globalThis.WebSocket = WebSocket;
const { Socket, Presence } = await import("phoenix");
const { RealtimeClient } = await import("@supabase/realtime-js");
const old = await import("supabase-v1");

const folder = process.argv[2] ?? ".";
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** A server that says yes, and the lines that it got. */
function serve() {
  const lines = [];
  const server = new WebSocketServer({ port: 0 });
  server.on("connection", (socket, request) => {
    lines.push(`# ${new URL(request.url, "ws://x").search.replace(/^\?/, "")}`);
    socket.on("message", (data, binary) => {
      lines.push(binary ? `> 0x${data.toString("hex")}` : `> ${data}`);
      if (binary) return;
      const frame = JSON.parse(data);
      const v2 = Array.isArray(frame);
      const [joinRef, ref, topic, event] = v2
        ? frame : [frame.join_ref, frame.ref, frame.topic, frame.event];
      const send = (joinRef, ref, event, payload) => socket.send(JSON.stringify(
        v2 ? [joinRef, ref, topic, event, payload] : { topic, event, payload, ref }));
      send(joinRef, ref, "phx_reply", { status: "ok", response: {} });
      if (event === "phx_join") send(joinRef, null, "presence_state", {});
      if (event === "phx_leave") send(joinRef, joinRef, "phx_close", {});
    });
  });
  return { lines, server, port: server.address().port };
}

async function record(name, drive) {
  const { lines, server, port } = serve();
  await drive(port);
  await sleep(200);
  for (const socket of server.clients) socket.terminate();
  server.close();
  writeFileSync(join(folder, `${name}.txt`), lines.join("\n") + "\n");
  console.log(name, lines.length);
}

const answered = (push) => new Promise((done) =>
  push.receive("ok", done).receive("error", done).receive("timeout", done));

await record("phoenix-1.8", async (port) => {
  const socket = new Socket(`ws://127.0.0.1:${port}/socket`, {
    params: { token: "secret" }, heartbeatIntervalMs: 150,
  });
  socket.connect();
  const channel = socket.channel("room:lobby", { name: "ada" });
  new Presence(channel);
  await answered(channel.join());
  await answered(channel.push("say", { text: "ünïcode \" quote" }));
  channel.push("raw", new Uint8Array([0, 255, 1]).buffer, 100);
  await sleep(200); // a heartbeat
  const other = socket.channel("room:other", {});
  await answered(other.join());
  await answered(channel.leave());
  channel.push("late", {});
  await sleep(50);
  socket.disconnect();
});

const supabase = async (Client, port, late) => {
  const client = new Client(`ws://127.0.0.1:${port}/realtime/v1`, {
    params: { apikey: "public" }, heartbeatIntervalMs: 250,
  });
  const channel = client.channel("room", {
    config: { presence: { key: "u1" }, broadcast: { ack: true, self: true } },
  });
  if (!late) channel.on("presence", { event: "sync" }, () => {});
  await new Promise((done) => channel.subscribe((status) => status === "SUBSCRIBED" && done()));
  await channel.track({ name: "Ada" });
  await channel.track({ name: "Ada", away: true });
  const acknowledged = (promise) => Promise.race([promise, sleep(100)]);
  await acknowledged(channel.send({ type: "broadcast", event: "cursor", payload: { x: 1 } }));
  if (!late && Client === RealtimeClient) {
    await acknowledged(channel.send({
      type: "broadcast", event: "bytes", payload: new Uint8Array([1, 2, 255]).buffer,
    }));
  }
  await client.setAuth("fresh-token");
  await sleep(300); // a heartbeat
  await channel.untrack();
  await channel.unsubscribe();
  await client.disconnect();
};
await record("supabase-2.109", (port) => supabase(RealtimeClient, port, false));
await record("supabase-2.109-late", (port) => supabase(RealtimeClient, port, true));
await record("supabase-2.11-v1", (port) => supabase(old.RealtimeClient, port, false));
process.exit(0);
