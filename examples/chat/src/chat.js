import { Presence, Socket } from "/phoenix.mjs";

const $ = (id) => document.getElementById(id);
const hide = (element, hidden) => { element.hidden = hidden; };
const roomOfAddress = () => decodeURIComponent(location.hash.slice(1)).trim();

// A token of this tab: who comes back with it, after a reload or a tunnel, is the same
// one, and nobody sees it go.
const token = sessionStorage.token ??= [...crypto.getRandomValues(new Uint8Array(16))]
  .map((byte) => byte.toString(16).padStart(2, "0")).join("");

let name, room, socket, channel, presence;
let nodes = [location.host]; // all that are known; the first one is ours
let connected = false;
let lost = false;
let view = "starting";

// ------------------------------------------------------------------ the connection

const address = (node) => `${location.protocol.replace("http", "ws")}//${node}/socket`;

function connect() {
  socket = new Socket(address(nodes[0]), { params: { resume: token }, heartbeatIntervalMs: 20_000 });
  socket.onOpen(() => {
    connected = true;
    if (lost) note(`Connected again, to node ${nodes[0]}.`);
    lost = false;
    banner();
    ask();
  });
  socket.onClose(() => {
    if (connected) note("The connection is lost. Trying again…");
    // Ours may be gone for good: the next try is at another node.
    nodes.push(nodes.shift());
    socket.endPoint = `${address(nodes[0])}/websocket`;
    [connected, lost] = [false, true];
    banner();
  });
  socket.connect();
}

function enter(next) {
  channel?.leave();
  room = next;
  $("log").replaceChildren();
  document.title = `${room} · Chat`;
  $("title").textContent = `# ${room}`;
  // Asked anew at each join: a tab may have been hidden since.
  channel = socket.channel(`room:${room}`, () => ({ name, away: document.hidden }));
  presence = new Presence(channel);
  let known = false;
  presence.onJoin((key, before) => { if (known && !before) note(`${key} is here`); });
  presence.onLeave((key, left) => { if (!left.metas.length) note(`${key} has left`); });
  presence.onSync(() => { known = true; people(); });
  channel.on("said", ({ name: who, text }) => add(who === name ? "own" : "", who, text));
  channel.join()
    .receive("ok", () => { hide($("door"), true); hide($("chat"), false); $("line").focus(); ask(); })
    .receive("error", ({ reason }) => refused(reason));
}

function refused(reason) {
  channel.leave();
  $("problem").textContent = reason;
  hide($("problem"), false);
  hide($("chat"), true);
  hide($("door"), false);
  $("name").focus();
}

// ---------------------------------------------------------------------- what is shown

function item(list, className, ...children) {
  const element = document.createElement("li");
  element.className = className;
  element.append(...children);
  list.append(element);
  return element;
}

function text(tag, content, className = "") {
  const element = document.createElement(tag);
  element.textContent = content;
  element.className = className;
  return element;
}

function show(className, ...children) {
  const log = $("log");
  const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  item(log, className, ...children);
  while (log.children.length > 500) log.firstChild.remove();
  if (follows || className === "own") log.scrollTop = log.scrollHeight;
}

const add = (className, who, line) => show(className, text("b", who), text("p", line));
const note = (line) => show("note", line);

const hue = (key) => [...key].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);

function people() {
  const list = presence.list((key, { metas }) => ({ key, metas }));
  list.sort((a, b) => a.key.localeCompare(b.key));
  $("people").replaceChildren();
  for (const { key, metas } of list) {
    const away = metas.every(({ status }) => status === "away");
    const on = [...new Set(metas.map(({ node }) => node))].sort().join(", ");
    const face = text("span", [...key][0].toUpperCase(), "face");
    face.style.setProperty("--hue", hue(key));
    face.setAttribute("aria-hidden", "true");
    const who = text("div", key === name ? `${key} (you)` : key, "who");
    const tabs = metas.length > 1 ? `${metas.length} tabs · ` : "";
    who.append(text("small", `${tabs}${away ? "away · " : ""}${on}`));
    item($("people"), away ? "away" : "", face, who).dataset.key = key;
  }
  const count = `${list.length} ${list.length === 1 ? "person" : "people"}`;
  $("count").textContent = $("toggle").textContent = count;
}

function banner() {
  const words = {
    starting: "Looking for other nodes. The list of people may not be complete yet.",
    behind: "Catching up with another node. The list of people may not be complete.",
    isolated: "This node hears no other one. Who is shown may have left.",
  };
  const line = lost && !connected ? "The server does not answer. Trying again…" : words[view];
  hide($("banner"), !line);
  $("banner").className = lost && !connected ? "bad" : "";
  if ($("banner").textContent !== line) $("banner").textContent = line ?? "";
}

function rooms(list) {
  const tabs = new Map(list.map(([count, topic]) => [topic.replace(/^room:/, ""), count]));
  const names = [...new Set(["lobby", "random", room, ...tabs.keys()])];
  const focused = document.activeElement?.closest?.("#rooms a")?.hash;
  $("rooms").replaceChildren(...names.map((each) => {
    const link = text("a", each);
    link.href = `#${encodeURIComponent(each)}`;
    if (each === room) link.setAttribute("aria-current", "page");
    if (tabs.has(each)) link.append(text("span", ` ${tabs.get(each)}`));
    const element = document.createElement("li");
    element.append(link);
    return element;
  }));
  if (focused) [...document.querySelectorAll("#rooms a")].find(({ hash }) => hash === focused)?.focus();
  $("me").textContent = `${name}, on node ${nodes[0]}`;
}

/** Is the view complete, who else is there, which rooms. */
async function ask() {
  const [asked] = nodes;
  try {
    const status = await (await fetch(`${location.protocol}//${asked}/status`)).json();
    if (asked !== nodes[0]) return;
    view = status.node.view;
    // Those that were once known stay: a node that is gone may come back.
    const up = status.node.peers.filter(({ status }) => status === "up");
    nodes = [...new Set([...nodes, ...up.map(({ node }) => node)])];
    rooms(status.rooms);
  } catch {
    // The socket tells of it.
  }
  banner();
}

// ------------------------------------------------------------------ what the user does

$("door").querySelector("form").onsubmit = (event) => {
  event.preventDefault();
  name = sessionStorage.name = $("name").value.trim();
  hide($("problem"), true);
  const next = $("room").value.trim();
  if (!socket) connect();
  if (roomOfAddress() === next) enter(next);
  else location.hash = encodeURIComponent(next);
};

addEventListener("hashchange", () => {
  if (name && roomOfAddress()) enter(roomOfAddress());
});

$("go").onsubmit = (event) => {
  event.preventDefault();
  const next = $("other").value.trim();
  $("other").value = "";
  if (next) location.hash = encodeURIComponent(next);
};

$("talk").onsubmit = (event) => {
  event.preventDefault();
  const line = $("line").value;
  if (!line.trim()) return;
  $("line").value = "";
  channel.push("say", line)
    .receive("error", ({ reason }) => note(`Not sent: ${reason}`))
    .receive("timeout", () => note("Not sent: the server did not answer."));
};

$("toggle").onclick = () => {
  const open = $("side").classList.toggle("open");
  $("toggle").setAttribute("aria-expanded", open);
};

addEventListener("keydown", ({ key }) => {
  if (key === "Escape" && $("side").classList.contains("open")) { $("toggle").click(); $("toggle").focus(); }
});

document.addEventListener("visibilitychange", () => {
  if (channel?.state === "joined") channel.push("away", document.hidden);
});

setInterval(() => { if (socket) ask(); }, 2000);

// A reload of the tab goes on where it was.
if (roomOfAddress()) $("room").value = roomOfAddress();
if (sessionStorage.name) {
  $("name").value = sessionStorage.name;
  if (roomOfAddress()) $("door").querySelector("form").requestSubmit();
}
