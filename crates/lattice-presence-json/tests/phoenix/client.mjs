// Plays the browser: two presences of the official client per topic, one of
// which is fed snapshots and the other diffs. Reads one message a line:
//   {"event": "presence_state" | "presence_diff", "topic", "payload"}
// applies it, and answers with what the presence that it is meant for lists.
import { createInterface } from "node:readline";
import { Presence } from "phoenix";

class Channel {
  handlers = {};
  on(event, handler) {
    this.handlers[event] = handler;
  }
  joinRef() {
    return "1";
  }
}

const clients = new Map();

function client(event, topic) {
  const name = JSON.stringify([event, topic]);
  if (!clients.has(name)) {
    const channel = new Channel();
    const presence = new Presence(channel);
    if (event === "presence_diff") {
      // A client that joined while nobody was there.
      channel.handlers.presence_state({});
    }
    clients.set(name, { channel, presence });
  }
  return clients.get(name);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { event, topic, payload } = JSON.parse(line);
  const { channel, presence } = client(event, topic);
  channel.handlers[event](payload);
  const list = presence.list((key, { metas }) => [key, metas]);
  process.stdout.write(JSON.stringify(list) + "\n");
}
