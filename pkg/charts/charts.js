"use strict";
// charts.plot(host, options) draws time series into an element, with uPlot:
//   label      what a screen reader says
//   height     in pixels, 190
//   series     [{name, color, step, fill}], the first on top: color is a CSS variable
//   data       [times, values, ...], seconds since the beginning; null is unknown and stays a gap
//   log, max   a logarithmic scale; a fixed upper end
//   whole      there are only whole numbers
//   limit      () => [value, text], drawn as a dashed line
//   shade      until which second the background is shaded
//   text       value => what axis and tip show
//   tip        second => the elements below the pointer; else each series with its value
// It returns setData(data) and show(index of a series, shown). Charts of a page share the cross-hair. Dragging zooms all of them; a double click shows everything.
const charts = (() => {
  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const plots = new Set();
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  document.body.append(tip);

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

  function element(tag, text, children) {
    const e = document.createElement(tag);
    if (text) e.textContent = text;
    if (children) e.append(...children);
    return e;
  }

  // row is a line of the tip.
  function row(name, value, color) {
    const cells = [element("b", name), element("span", value)];
    if (color) { const key = element("i"); key.style.background = `var(${color})`; cells.unshift(key); }
    return element("div", "", cells);
  }

  function showTip(x, y, children) {
    tip.replaceChildren(...children);
    tip.hidden = false;
    const w = tip.offsetWidth, h = tip.offsetHeight;
    tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - w - 6)) + "px";
    tip.style.top = Math.max(4, y + h + 18 > innerHeight ? y - h - 12 : y + 14) + "px";
  }

  const hideTip = () => { tip.hidden = true; };

  // decades are the powers of ten in a range, with their halves and fifths when there are few.
  function decades(u, axis, lo, hi) {
    const marks = (hi / lo > 100 ? [1] : [1, 2, 5]), all = [];
    for (let p = Math.floor(Math.log10(lo)); p <= Math.ceil(Math.log10(hi)); p++)
      for (const m of marks) { const v = +(m * 10 ** p).toPrecision(6); if (v >= lo * .999 && v <= hi * 1.001) all.push(v); }
    return all;
  }

  function range(o) {
    return (u, lo, hi) => {
      const limit = o.limit ? o.limit()[0] : 0;
      if (o.max) return [0, o.max];
      const top = Math.max(hi || 0, limit * 1.3) * 1.05;
      if (!o.log) return [0, top || 1];
      const bottom = Math.max(Math.min(lo || limit || 1, (limit || 1) / 4), 1e-3);
      return [bottom, Math.max(top, bottom * 10)];
    };
  }

  // under is what lies behind the curves, over what lies before them.
  function under(o) {
    return u => {
      if (!o.shade) return;
      const { left, top, height, width } = u.bbox;
      const end = Math.min(Math.max(u.valToPos(o.shade, "x", true), left), left + width);
      u.ctx.save();
      u.ctx.globalAlpha = .08;
      u.ctx.fillStyle = css("--soft");
      u.ctx.fillRect(left, top, end - left, height);
      u.ctx.restore();
    };
  }

  function over(o) {
    return u => {
      if (!o.limit) return;
      const [value, text] = o.limit(), { left, width, top } = u.bbox, y = u.valToPos(value, "y", true), g = u.ctx, px = devicePixelRatio;
      if (!(value > 0) || y < top) return;
      g.save();
      g.strokeStyle = g.fillStyle = css("--bad");
      g.lineWidth = 1.2 * px;
      g.setLineDash([5 * px, 4 * px]);
      g.beginPath(); g.moveTo(left, y); g.lineTo(left + width, y); g.stroke();
      g.font = `${11.5 * px}px system-ui, sans-serif`;
      g.textAlign = "right";
      g.textBaseline = "bottom";
      g.fillText(text, left + width - 2 * px, y - 2 * px);
      g.restore();
    };
  }

  // point follows the pointer in the chart below it; the others only show the cross-hair.
  function point(o) {
    return u => {
      const { idx, left, top } = u.cursor;
      if (!u.over.matches(":hover") || idx === null || idx === undefined || left < 0) return;
      const shown = u.data[0][idx], rows = o.tip ? o.tip(shown) :
        o.series.map((s, i) => [s, o.series.length - i]).filter(([, k]) => u.series[k].show).map(([s, k]) => row(s.name, (o.text || number)(u.data[k][idx]), s.color));
      const box = u.over.getBoundingClientRect();
      showTip(box.left + left, box.top + top, [element("div", clock(shown)), ...rows]);
    };
  }

  const incrs = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2419200];

  const whole = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

  // backwards is the order in which uPlot draws: what is drawn last is on top.
  const backwards = data => [data[0], ...data.slice(1).reverse()];

  function plot(host, o) {
    host.setAttribute("role", "img");
    host.setAttribute("aria-label", o.label);
    const axis = { stroke: () => css("--soft"), ticks: { show: false }, font: "11.5px system-ui, sans-serif" };
    const height = o.height || 190;
    const u = new uPlot({
      width: Math.max(host.clientWidth, 240), height, legend: { show: false }, padding: [8, 14, 0, 0],
      cursor: { sync: { key: "time" }, y: false, points: { show: false }, drag: { x: true, y: false, dist: 8 } },
      scales: { x: { time: false }, y: { distr: o.log ? 3 : 1, range: range(o) } },
      axes: [
        { ...axis, grid: { show: false }, size: 26, gap: 4, space: 70, incrs, values: (_, at) => at.map(clock) },
        { ...axis, grid: { stroke: () => css("--line"), width: 1 }, size: 50, gap: 4, space: o.whole ? 24 : 34, values: (_, at) => at.map(o.text || number),
          ...(o.log ? { splits: decades, filter: (_, at) => at } : o.whole ? { incrs: whole } : {}) },
      ],
      series: [{}, ...[...o.series].reverse().map(s => ({
        label: s.name, stroke: s.fill ? undefined : () => css(s.color), width: 1.7, points: { show: false },
        fill: s.fill ? () => css(s.color) : undefined, paths: s.step ? uPlot.paths.stepped({ align: 1 }) : undefined,
      }))],
      hooks: { drawClear: [under(o)], draw: [over(o)], setCursor: [point(o)] },
    }, backwards(o.data), host);
    u.over.addEventListener("mouseleave", hideTip);
    let width = host.clientWidth;
    new ResizeObserver(() => {
      if (host.clientWidth === width || !host.clientWidth) return;
      width = host.clientWidth;
      requestAnimationFrame(() => u.setSize({ width: Math.max(width, 240), height }));
    }).observe(host);
    plots.add(u);
    return { setData: data => u.setData(backwards(data)), show: (i, shown) => u.setSeries(o.series.length - i, { show: shown }) };
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { for (const u of plots) u.redraw(false); });
  return { plot, clock, number, element, row, showTip, hideTip };
})();
