"use strict";
// Draws the charts as SVG from the JSON above. No library, no network.
const data = JSON.parse(document.getElementById("data").textContent);
const tip = document.getElementById("tip");
const color = i => `var(--c${i % 8})`;
const hidden = new Set();

function node(name, attributes, parent, text) {
  const n = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const k in attributes) n.setAttribute(k, attributes[k]);
  if (text !== undefined) n.textContent = text;
  if (parent) parent.append(n);
  return n;
}

// niceStep is 1, 2 or 5 times a power of ten.
function niceStep(span, ticks) {
  const raw = span / ticks, power = 10 ** Math.floor(Math.log10(raw || 1)), r = raw / power;
  return power * (r <= 1 ? 1 : r <= 2 ? 2 : r <= 5 ? 5 : 10);
}

function timeStep(span, ticks) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];
  return steps.find(s => span / s <= ticks) || 604800 * Math.ceil(span / 604800 / ticks);
}

function clock(s) {
  const d = Math.floor(s / 86400), h = Math.floor(s % 86400 / 3600), m = Math.floor(s % 3600 / 60), sec = Math.round(s % 60);
  const pad = x => String(x).padStart(2, "0");
  if (d) return `${d} d ${pad(h)}:${pad(m)}`;
  if (h) return `${h}:${pad(m)}:${pad(sec)}`.replace(/:00$/, "") + " h";
  return m || !sec ? `${m}${sec ? ":" + pad(sec) : ""} min` : `${sec} s`;
}

function number(x) {
  if (x === null || x === undefined) return "–";
  if (x === 0 || Number.isInteger(x) && Math.abs(x) < 1e6) return String(x);
  const a = Math.abs(x);
  return a >= 1e4 || a < 1e-3 ? x.toExponential(1) : a >= 100 ? x.toFixed(0) : a >= 10 ? x.toFixed(1) : String(+x.toPrecision(3));
}

// frame makes the axes of a chart and returns its scales.
function frame(host, o) {
  host.replaceChildren();
  const width = Math.max(host.clientWidth, 240), height = o.height || 190, left = 46, right = 10, top = 8, bottom = 24;
  const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": o.label }, host);
  const log = o.log, lo = o.lo, hi = o.hi;
  const x = t => left + (t - o.from) / (o.to - o.from || 1) * (width - left - right);
  const share = v => log ? Math.log(Math.max(v, lo) / lo) / Math.log(hi / lo) : (v - lo) / (hi - lo || 1);
  const y = v => height - bottom - Math.min(Math.max(share(v), 0), 1) * (height - top - bottom);
  const marks = [];
  if (log) for (let v = 10 ** Math.ceil(Math.log10(lo) - 1e-9); v <= hi * 1.0001; v *= 10) marks.push(v);
  else { const s = niceStep(hi - lo, 4); for (let v = Math.ceil(lo / s) * s; v <= hi + s / 1e6; v += s) marks.push(+v.toPrecision(12)); }
  for (const v of marks) {
    node("line", { x1: left, x2: width - right, y1: y(v), y2: y(v), class: "axis" }, svg);
    node("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, svg, (o.yText || number)(v));
  }
  const ticks = Math.max(3, Math.floor(width / 95)), s = timeStep(o.to - o.from, ticks);
  for (let t = Math.ceil(o.from / s) * s; t <= o.to + s / 1e6; t += s) {
    const anchor = x(t) > width - 30 ? "end" : x(t) < left + 14 ? "start" : "middle";
    node("text", { x: x(t), y: height - 6, "text-anchor": anchor }, svg, clock(+t.toPrecision(12)));
  }
  return { svg, x, y, width, height, left, right, top, bottom };
}

function times() {
  let to = 1;
  for (const p of data.policies) to = Math.max(to, p.t.length ? p.t[p.t.length - 1] : 0);
  return { from: 0, to };
}

// path joins known points; a gap stays a gap.
function path(f, t, values, step) {
  let d = "", pen = false;
  for (let i = 0; i < t.length; i++) {
    const v = values[i];
    if (v === null || v === undefined) { pen = false; continue; }
    const X = f.x(t[i]).toFixed(1), Y = f.y(v).toFixed(1);
    d += pen ? (step ? `H${X}V${Y}` : `L${X} ${Y}`) : `M${X} ${Y}`;
    pen = true;
  }
  return d;
}

// stairs is the outline of a time line of [second, replicas] pairs.
function stairs(f, pairs, to, area) {
  if (!pairs || !pairs.length) return "";
  let d = area ? `M${f.x(pairs[0][0])} ${f.y(0)}` : `M${f.x(pairs[0][0])} ${f.y(pairs[0][1])}`;
  for (const [t, n] of pairs) d += `H${f.x(Math.min(t, to)).toFixed(1)}V${f.y(t > to ? 0 : n).toFixed(1)}`;
  d += `H${f.x(to)}`;
  return area ? d + `V${f.y(0)}Z` : d;
}

function last(pairs, t) {
  let n = null;
  for (const p of pairs || []) { if (p[0] > t) break; n = p[1]; }
  return n;
}

function nearest(t, at) {
  let a = 0, b = t.length - 1;
  while (b - a > 1) { const m = (a + b) >> 1; if (t[m] > at) b = m; else a = m; }
  return b >= 0 && Math.abs(t[b] - at) < Math.abs(t[a] - at) ? b : a;
}

function show(event, html) {
  tip.replaceChildren(...html);
  tip.hidden = false;
  const w = tip.offsetWidth, h = tip.offsetHeight;
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - w - 6)) + "px";
  tip.style.top = Math.max(4, event.clientY + h + 18 > innerHeight ? event.clientY - h - 12 : event.clientY + 14) + "px";
}

function element(tag, text, children, className) {
  const e = document.createElement(tag);
  if (text) e.textContent = text;
  if (className) e.className = className;
  if (children) e.append(...children);
  return e;
}

function line(i, name, value) {
  return element("div", "", [element("i", "", null, `key c${i % 8}`), element("b", name), element("span", value)]);
}

// hover calls back with the time below the pointer, and draws the cross-hair.
function hover(f, o, at) {
  const cross = node("line", { y1: f.top, y2: f.height - f.bottom, class: "cross", visibility: "hidden" }, f.svg);
  const area = node("rect", { x: f.left, y: f.top, width: f.width - f.left - f.right, height: f.height - f.top - f.bottom, fill: "transparent" }, f.svg);
  area.addEventListener("pointermove", e => {
    const box = f.svg.getBoundingClientRect(), px = (e.clientX - box.left) * f.width / box.width;
    const t = o.from + (px - f.left) / (f.width - f.left - f.right) * (o.to - o.from);
    cross.setAttribute("x1", px); cross.setAttribute("x2", px); cross.setAttribute("visibility", "visible");
    show(e, at(t));
  });
  area.addEventListener("pointerleave", () => { cross.setAttribute("visibility", "hidden"); tip.hidden = true; });
}

function shade(f) {
  if (data.warmup > 0) node("rect", { x: f.x(0), y: f.top, width: Math.max(f.x(data.warmup) - f.x(0), 0), height: f.height - f.top - f.bottom, class: "warm" }, f.svg);
}

function series(host, key, o) {
  const span = times(), shown = o.one ? [0] : data.policies.map((_, i) => i).filter(i => !hidden.has(i));
  let hi = o.limit ? o.limit * 1.3 : 0, lo = Infinity;
  for (const i of shown) for (const v of data.policies[i][key]) if (v !== null) { hi = Math.max(hi, v); if (v > 0) lo = Math.min(lo, v); }
  if (o.max) hi = o.max;
  lo = o.log ? Math.max(Math.min(lo, (o.limit || 1) / 4), 1e-3) : 0;
  const f = frame(host, { ...span, lo, hi: Math.max(hi * (o.max ? 1 : 1.04), lo * 10, 1e-9), log: o.log, label: o.label, yText: o.yText });
  shade(f);
  for (const i of [...shown].reverse()) {
    const p = data.policies[i];
    node("path", { d: path(f, p.t, p[key]), class: "series", stroke: o.one ? "var(--soft)" : color(i) }, f.svg);
  }
  if (o.limit) {
    node("line", { x1: f.left, x2: f.width - f.right, y1: f.y(o.limit), y2: f.y(o.limit), class: "slo" }, f.svg);
    node("text", { x: f.width - f.right, y: f.y(o.limit) - 4, "text-anchor": "end", class: "over" }, f.svg, `SLO ${number(o.limit)} s`);
  }
  hover(f, span, t => {
    const rows = shown.map(i => { const p = data.policies[i], k = nearest(p.t, t); return o.one ? element("div", "", [element("b", o.label), element("span", number(p[key][k]))]) : line(i, p.name, (o.yText || number)(p[key][k])); });
    return [element("div", clock(t)), ...rows];
  });
}

function replicas(host) {
  host.replaceChildren();
  const span = times();
  const most = pairs => (pairs || []).reduce((n, r) => Math.max(n, r[1]), 1);
  const figures = data.policies.map(p => { const chart = element("div", "", null, "chart"); host.append(element("figure", "", [element("figcaption", p.name), chart])); return chart; });
  data.policies.forEach((p, i) => {
    const f = frame(figures[i], { ...span, lo: 0, hi: Math.max(most(p.replicas), most(data.oracle)) * 1.04, height: 150, label: `replicas of ${p.name}` });
    node("path", { d: stairs(f, data.oracle, span.to, true), class: "oracle" }, f.svg);
    shade(f);
    node("path", { d: stairs(f, p.replicas, span.to, false), class: "series", stroke: color(i) }, f.svg);
    hover(f, span, t => {
      const k = nearest(p.t, t), rows = [element("div", clock(t)), line(i, "pods", number(last(p.replicas, t))),
        element("div", "", [element("b", "wanted"), element("span", number(p.wanted[k]))]), element("div", "", [element("b", "ready"), element("span", number(p.ready[k]))]),
        element("div", "", [element("b", "oracle"), element("span", number(last(data.oracle, t)))])];
      let why = k;
      while (why > 0 && !p.why[why]) why--;
      if (p.why[why]) rows.push(element("p", p.why[why]));
      return rows;
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
    node("text", { x: f.x(v), y: f.height - f.bottom + 16, "text-anchor": "middle" }, f.svg, number(v));
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
    c.addEventListener("pointermove", e => show(e, [line(p.policy, p.knob ? `${name} ${p.knob}` : name, ""), element("div", "", [element("b", "in time"), element("span", (100 * p.slo).toFixed(2) + " %")]), element("div", "", [element("b", "GPU-hours"), element("span", p.hours.toFixed(2))])]));
    c.addEventListener("pointerleave", () => { tip.hidden = true; });
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

function draw() {
  const at = name => document.querySelector(`[data-chart=${name}]`), percent = v => v === null ? "–" : Math.round(100 * v) + " %";
  pareto(at("pareto"));
  if (!data.policies || !data.policies.length) return;
  replicas(at("replicas"));
  series(at("demand"), "demand", { label: "requests/s", one: true });
  series(at("queue"), "queue", { label: "requests waiting" });
  series(at("ttft95"), "ttft95", { label: "TTFT p95", limit: data.ttft, log: true });
  series(at("ttft50"), "ttft50", { label: "TTFT median", limit: data.ttft, log: true });
  series(at("itl95"), "itl95", { label: "ITL p95", limit: data.itl });
  series(at("kv"), "kv", { label: "KV cache in use", max: 1, yText: percent });
}

function legend() {
  const host = document.querySelector(".legend");
  (data.policies || []).forEach((p, i) => {
    const b = element("button", "", [element("i", "", null, `key c${i % 8}`), document.createTextNode(p.name)]);
    b.setAttribute("aria-pressed", "true");
    b.onclick = () => { hidden.has(i) ? hidden.delete(i) : hidden.add(i); b.setAttribute("aria-pressed", String(!hidden.has(i))); draw(); };
    host.append(b);
  });
}

legend();
draw();
let drawn = Math.round(document.querySelector("main").clientWidth);
new ResizeObserver(entries => {
  const width = Math.round(entries[0].contentRect.width);
  if (width === drawn) return;
  drawn = width;
  requestAnimationFrame(draw); // not within the observer: the page grows
}).observe(document.querySelector("main"));
