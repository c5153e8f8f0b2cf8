"use strict";
// Draws the report from the JSON above: curves over time with charts.js, cost against quality as SVG. No network.
const data = JSON.parse(document.getElementById("data").textContent);
const variable = i => `--c${i % 8}`, color = i => `var(${variable(i)})`;

function node(name, attributes, parent, text) {
  const n = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const k in attributes) n.setAttribute(k, attributes[k]);
  if (text !== undefined) n.textContent = text;
  if (parent) parent.append(n);
  return n;
}

// at is the value of a time line of [second, replicas] pairs; null before its first.
function at(pairs, t) {
  let n = null;
  for (const p of pairs || []) { if (p[0] > t) break; n = p[1]; }
  return n;
}

function nearest(t, second) {
  let a = 0, b = t.length - 1;
  while (b - a > 1) { const m = (a + b) >> 1; if (t[m] > second) b = m; else a = m; }
  return b >= 0 && Math.abs(t[b] - second) < Math.abs(t[a] - second) ? b : a;
}

// Every policy is sampled at the same seconds, those of the longest run.
const times = data.policies && data.policies.length ? data.policies.reduce((t, p) => p.t.length > t.length ? p.t : t, []) : [];
const values = (p, key) => times.map((t, i) => i < p.t.length ? p[key][i] : null);

// followed are the charts whose curves the legend hides and shows.
const followed = [];

function series(name, key, o) {
  const policies = o.one ? data.policies.slice(0, 1) : data.policies;
  const u = charts.plot(document.querySelector(`[data-chart=${name}]`), {
    ...o, shade: data.warmup, data: [times, ...policies.map(p => values(p, key))],
    series: policies.map((p, i) => ({ name: o.one ? o.label : p.name, color: o.one ? "--soft" : variable(i) })),
  });
  if (!o.one) followed.push(u);
}

// replicas has a panel for each policy, all of one height, with the oracle's schedule behind.
function replicas(host) {
  const most = pairs => (pairs || []).reduce((n, r) => Math.max(n, r[1]), 1);
  const max = 1.04 * Math.max(...data.policies.map(p => most(p.replicas)), most(data.oracle));
  const end = times[times.length - 1];
  data.policies.forEach((p, i) => {
    const chart = charts.element("div");
    chart.className = "chart";
    host.append(charts.element("figure", "", [charts.element("figcaption", p.name), chart]));
    const t = [...new Set([0, ...p.replicas.map(r => r[0]), ...(data.oracle || []).map(r => r[0]), end])].filter(s => s <= end).sort((a, b) => a - b);
    charts.plot(chart, {
      label: `replicas of ${p.name}`, height: 150, max, whole: true, shade: data.warmup,
      series: [{ name: "pods", color: variable(i), step: true }, { name: "oracle", color: "--grey", step: true, fill: true }],
      data: [t, t.map(s => at(p.replicas, s)), t.map(s => at(data.oracle, s))],
      tip: s => {
        const k = nearest(p.t, s), rows = [charts.row("pods", charts.number(at(p.replicas, s)), variable(i)), charts.row("wanted", charts.number(p.wanted[k])),
          charts.row("ready", charts.number(p.ready[k])), charts.row("oracle", charts.number(at(data.oracle, s)), "--grey")];
        let why = k;
        while (why > 0 && !p.why[why]) why--;
        if (p.why[why]) rows.push(charts.element("p", p.why[why]));
        return rows;
      },
    });
  });
}

// pareto is cost against misses, both on logarithmic scales.
function pareto(host) {
  const least = 1e-4, miss = p => Math.max(1 - p.slo, least), hours = data.points.map(p => p.hours).filter(h => h > 0);
  if (!hours.length) return;
  const lo = Math.min(...hours, data.bound || Infinity) * .9, hi = Math.max(...hours) * 1.12;
  const top = Math.min(Math.max(Math.max(...data.points.map(p => 1 - p.slo)) * 1.4, .03), 1);
  host.replaceChildren();
  const f = { width: Math.max(host.clientWidth, 240), height: 340, left: 64, right: 12, top: 10, bottom: 42 };
  f.svg = node("svg", { viewBox: `0 0 ${f.width} ${f.height}`, height: f.height, role: "img", "aria-label": "cost against quality" }, host);
  f.x = v => f.left + Math.log(Math.max(v, lo) / lo) / Math.log(hi / lo || 2) * (f.width - f.left - f.right);
  f.y = v => f.top + Math.log(Math.min(Math.max(v, least), top) / least) / Math.log(top / least) * (f.height - f.top - f.bottom);
  for (const v of [.5, .1, .01, .001, least]) if (v <= top) {
    node("line", { x1: f.left, x2: f.width - f.right, y1: f.y(v), y2: f.y(v), class: "axis" }, f.svg);
    node("text", { x: f.left - 6, y: f.y(v) + 4, "text-anchor": "end" }, f.svg, v === least ? "≥99.99 %" : +(100 - 100 * v).toFixed(2) + " %");
  }
  let end = 0;
  for (let power = 10 ** Math.floor(Math.log10(lo)); power <= hi; power *= 10) for (const m of [1, 1.5, 2, 3, 5, 7]) {
    const v = +(m * power).toPrecision(6);
    if (v < lo || v > hi || f.x(v) < end) continue;
    node("text", { x: f.x(v), y: f.height - f.bottom + 16, "text-anchor": "middle" }, f.svg, charts.number(v));
    end = f.x(v) + 42;
  }
  node("text", { x: f.width - f.right, y: f.height - 6, "text-anchor": "end" }, f.svg, "GPU-hours →");
  node("text", { x: 0, y: f.height - 6 }, f.svg, "↑ requests in time");
  if (data.bound > 0) {
    node("line", { x1: f.x(data.bound), x2: f.x(data.bound), y1: f.top, y2: f.height - f.bottom, class: "cross" }, f.svg);
    node("text", { x: f.x(data.bound) + 5, y: f.top + 12, class: "over" }, f.svg, "oracle's bound");
  }
  node("line", { x1: f.left, x2: f.width - f.right, y1: f.y(1 - data.goal), y2: f.y(1 - data.goal), class: "slo" }, f.svg);
  node("text", { x: f.width - f.right, y: f.y(1 - data.goal) - 5, "text-anchor": "end", class: "over" }, f.svg, `goal ${+(100 * data.goal).toFixed(2)} %`);
  dots(f, miss);
}

function dots(f, miss) {
  const groups = new Map(), labels = [];
  for (const p of data.points) groups.set(p.policy, [...(groups.get(p.policy) || []), p]);
  for (const [i, points] of groups) {
    const swept = points.filter(p => p.knob); // in the order of the knob
    if (swept.length > 1) node("path", { d: swept.map((p, k) => `${k ? "L" : "M"}${f.x(p.hours)} ${f.y(miss(p))}`).join(""), class: "series", stroke: color(i), opacity: .55 }, f.svg);
  }
  for (const p of [...data.points].sort((a, b) => (a.knob ? 0 : 1) - (b.knob ? 0 : 1))) {
    const c = node("circle", { cx: f.x(p.hours), cy: f.y(miss(p)), r: p.knob ? 4 : 7, fill: color(p.policy), stroke: "var(--card)", "stroke-width": 1.5 }, f.svg);
    const name = (data.policies[p.policy] || {}).name || "";
    c.addEventListener("pointermove", e => charts.showTip(e.clientX, e.clientY, [charts.row(p.knob ? `${name} ${p.knob}` : name, "", variable(p.policy)),
      charts.row("in time", (100 * p.slo).toFixed(2) + " %"), charts.row("GPU-hours", p.hours.toFixed(2))]));
    c.addEventListener("pointerleave", charts.hideTip);
    if (!p.knob) labels.push({ x: f.x(p.hours), y: f.y(miss(p)), name });
  }
  label(f, labels);
}

// label writes names beside their dots, and moves those down that would overlap.
function label(f, labels) {
  labels.sort((a, b) => a.y - b.y);
  const placed = [];
  for (const l of labels) {
    const w = l.name.length * 6.6, end = l.x + 12 + w > f.width;
    let y = l.y + 4, x = end ? l.x - 12 : l.x + 12;
    const box = () => ({ a: end ? x - w : x, b: end ? x : x + w, y });
    while (placed.some(p => p.a < box().b && box().a < p.b && Math.abs(p.y - y) < 13)) y += 13;
    placed.push(box());
    node("text", { x, y, "text-anchor": end ? "end" : "start", class: "over name" }, f.svg, l.name);
  }
}

function legend() {
  const host = document.querySelector(".legend");
  data.policies.forEach((p, i) => {
    const key = charts.element("i"), b = charts.element("button", "", [key, document.createTextNode(p.name)]);
    key.className = `key c${i % 8}`;
    b.setAttribute("aria-pressed", "true");
    b.onclick = () => {
      const shown = b.getAttribute("aria-pressed") !== "true";
      b.setAttribute("aria-pressed", String(shown));
      for (const u of followed) u.show(i, shown);
    };
    host.append(b);
  });
}

function drawPareto() { pareto(document.querySelector("[data-chart=pareto]")); }

drawPareto();
if (times.length) {
  const limit = s => () => [s, `SLO ${charts.number(s)} s`];
  legend();
  replicas(document.querySelector("[data-chart=replicas]"));
  series("demand", "demand", { label: "requests/s", one: true });
  series("queue", "queue", { label: "requests waiting" });
  series("ttft95", "ttft95", { label: "TTFT p95", limit: limit(data.ttft), log: true });
  series("ttft50", "ttft50", { label: "TTFT median", limit: limit(data.ttft), log: true });
  series("itl95", "itl95", { label: "ITL p95", limit: limit(data.itl) });
  series("kv", "kv", { label: "KV cache in use", max: 1, text: v => v === null ? "–" : Math.round(100 * v) + " %" });
}
let drawn = Math.round(document.querySelector("main").clientWidth);
new ResizeObserver(entries => {
  const width = Math.round(entries[0].contentRect.width);
  if (width === drawn) return;
  drawn = width;
  requestAnimationFrame(drawPareto); // not within the observer: the page grows
}).observe(document.querySelector("main"));
