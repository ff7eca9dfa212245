
"use strict";

const id = (name) => document.getElementById(name);

// The words of the page, as format.go has them.

const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

function latency(ns) {
  if (ns <= 0) return "–";
  let value = ns / 1e3, unit = "µs";
  if (value >= 999500) [value, unit] = [value / 1e6, "s"];
  else if (value >= 999.5) [value, unit] = [value / 1e3, "ms"];
  return value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0) + " " + unit;
}

function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000)), whole = (n) => Math.floor(n);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${whole(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${whole(s / 3600)} h ${whole(s % 3600 / 60)} min`;
  return `${whole(s / 86400)} d ${whole(s % 86400 / 3600)} h`;
}

function clock(now, t) {
  const iso = new Date(t).toISOString();
  if (iso.slice(0, 10) === new Date(now).toISOString().slice(0, 10)) return iso.slice(11, 23);
  return iso.slice(5, 19).replace("T", " ");
}

function note(now, i) {
  const words = [];
  if (i.state === "warming") words.push(`${(i.share * 100).toFixed(0)} %`);
  const left = i.until ? new Date(i.until) - now : 0;
  if (left > 0) words.push("for " + span(left + 999));
  return words.join(", ");
}

const again = (attempts) => attempts > 1 ? `after ${attempts} tries` : "";

// fill writes texts into the elements that are named for them.
function fill(node, texts) {
  for (const [name, value] of Object.entries(texts)) {
    const at = node.querySelector(`[data-f="${name}"]`), text = String(value ?? "");
    if (at.textContent !== text) at.textContent = text;
    if ("is" in at.dataset) at.dataset.is = text;
  }
}

// sync makes parent's children those of items, in their order. Those that
// stay are not touched, so that focus and selection stay too.
function sync(parent, kind, items, key, show) {
  const wanted = new Set(items.map(key)), present = new Map();
  for (const node of [...parent.children]) {
    if (wanted.has(node.dataset.key) && !present.has(node.dataset.key)) present.set(node.dataset.key, node);
    else node.remove();
  }
  let next = parent.firstElementChild;
  for (const item of items) {
    let node = present.get(key(item));
    present.delete(key(item));
    if (!node) {
      node = id(kind).content.firstElementChild.cloneNode(true);
      node.dataset.key = key(item);
    }
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
    show(node, item);
  }
  if (!items.length) parent.replaceChildren();
}

let last; // Snapshot

function show(s) {
  const g = s.gateway, now = new Date(s.at);
  if (g.version !== id("content").dataset.version) return location.reload();
  const elapsed = last ? (now - new Date(last.at)) / 1000 : 0, more = last ? s.totals.requests - last.totals.requests : 0;
  document.title = `Gateway: ${g.health}`;
  fill(id("gateway"), {
    health: g.health, version: g.version, uptime: span(now - new Date(g.started)),
    requests: count(s.totals.requests), rate: elapsed > 0 && more >= 0 ? `${count(Math.round(more / elapsed))}/s` : "",
    refused: count(s.totals.refused), failed: count(s.totals.failed),
    running: count(s.load.running), limit: s.load.limit ? `of ${count(s.load.limit)}` : "",
    queued: count(s.load.queued), shed: count(s.load.shed),
  });
  problems(g.problems);
  sync(id("services"), "service", s.services, (v) => v.service, (node, v) => {
    fill(node, {
      service: v.service, health: v.health, up: v.up, total: v.instances.length,
      operations: v.documented ? v.operations : "not told yet", retries: v.retries.toFixed(0),
    });
    sync(node.querySelector("tbody"), "instance", v.instances, (i) => i.id, (node, i) => fill(node, {
      addr: i.addr, state: i.state, note: note(now, i), breaker: i.breaker, in_flight: count(i.in_flight),
      latency: latency(i.latency_ns), requests: count(i.requests), failures: count(i.failures),
      version: i.version, zone: i.zone, weight: i.weight || 1,
    }));
  });
  if (!id("hold").checked) {
    sync(id("recent"), "request", s.recent, (q) => `${q.at} ${q.request_id}`, (node, q) => fill(node, {
      at: clock(now, q.at), status: q.status, took: latency(q.took_ns), endpoint: q.endpoint, code: q.code,
      instance: q.instance, again: again(q.attempts), client: q.client, user: q.user, request_id: q.request_id,
    }));
  }
  filter();
  last = s;
}

function problems(sentences) {
  const list = id("problems");
  if (sentences.join("\n") === [...list.children].map((li) => li.textContent).join("\n")) return;
  list.replaceChildren(...sentences.map((sentence) => {
    const li = document.createElement("li");
    li.textContent = sentence;
    return li;
  }));
}

function filter() {
  const text = id("find").value.trim().toLowerCase(), failures = id("failures").checked, rows = [...id("recent").children];
  for (const row of rows) {
    const failed = row.querySelector("[data-f=status]").textContent >= "5";
    row.hidden = failures && !failed || !row.textContent.toLowerCase().includes(text);
  }
  const found = rows.filter((row) => !row.hidden).length;
  id("found").textContent = text || failures ? `${found} of ${rows.length}` : "";
}

// The connection: events while they come, else status.json until it answers.

let events, timer, seen = Date.now();

function took(text) {
  seen = Date.now();
  show(JSON.parse(text));
  tell();
}

function tell() {
  const lost = Date.now() - seen > 4000;
  document.body.classList.toggle("lost", lost);
  id("link").dataset.is = lost ? "lost" : "live";
  const word = lost ? "Connection lost" : "Live";
  if (id("linkword").textContent !== word) id("linkword").textContent = word;
  id("linktime").textContent = lost ? `, last seen ${span(Date.now() - seen)} ago` : "";
}

function stop() {
  events?.close();
  clearTimeout(timer);
}

function listen() {
  stop();
  events = new EventSource("events");
  events.onmessage = (e) => took(e.data);
  events.onerror = poll;
}

async function poll() {
  stop();
  let wait = listen;
  try {
    const answer = await fetch("status.json", { cache: "no-store", signal: AbortSignal.timeout(3000) });
    if (!answer.ok) throw new Error(answer.status);
    took(await answer.text());
  } catch {
    wait = poll;
  }
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(wait, 2000);
}

id("filter").hidden = false;
id("filter").addEventListener("input", filter);
id("filter").addEventListener("submit", (e) => e.preventDefault());
document.addEventListener("visibilitychange", () => document.hidden ? stop() : listen());
setInterval(() => {
  if (document.hidden) return;
  tell();
  if (Date.now() - seen > 8000 && events?.readyState === EventSource.OPEN) poll();
}, 1000);
if (!document.hidden) listen();
