// The report: a picture of latency over time, and every figure as a table.

const WIDTH = 900;
const HEIGHT = 260;
const LEFT = 48;

const escape = (text) => String(text).replace(/[&<>"]/g, (found) => `&#${found.charCodeAt(0)};`);
const ms = (value) => (Number.isFinite(value) ? value.toFixed(1) : "–");

/** The whole page. */
export function report({ address, phases, samples, summarise, limits }) {
  const rows = (key, names) =>
    names
      .map((name) => {
        const figures = summarise(samples.filter((sample) => sample[key] === name));
        const bad = figures.errors > limits.errors || figures.p95_ms > limits.p95_ms;
        return `<tr${bad ? ' class="bad"' : ""}><th scope="row">${escape(name)}</th><td>${figures.count}</td><td>${figures.errors}</td><td>${ms(figures.p50_ms)}</td><td>${ms(figures.p95_ms)}</td><td>${ms(figures.p99_ms)}</td><td>${ms(figures.max_ms)}</td></tr>`;
      })
      .join("");
  const head = "<thead><tr><th>name</th><th>requests</th><th>errors</th><th>p50 ms</th><th>p95 ms</th><th>p99 ms</th><th>max ms</th></tr></thead>";
  const routes = [...new Set(samples.map((sample) => sample.name))].sort();
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Load test</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark; }
  table { border-collapse: collapse; width: 100%; margin-block: 1rem 2rem; font-variant-numeric: tabular-nums; }
  th, td { text-align: right; padding: .35rem .75rem; border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
  th:first-child { text-align: left; } .bad { color: #c2410c; font-weight: 600; }
  svg { width: 100%; height: auto; } .p50 { stroke: #0d9488; } .p95 { stroke: #ea580c; } .axis, .phase { stroke: currentColor; opacity: .2; }
  path { fill: none; stroke-width: 2; } text { font: 11px system-ui; fill: currentColor; }
</style>
<h1>Load test of ${escape(address)}</h1>
<p>${new Date().toISOString()}. Arrivals are due at a fixed rate; times count from when an arrival was due. Limits up to the peak: ${limits.errors} errors, p95 ${limits.p95_ms} ms.</p>
${picture(phases, samples, summarise)}
<h2>Phases</h2><table>${head}<tbody>${rows("phase", phases.map((phase) => phase.name))}</tbody></table>
<h2>Requests</h2><table>${head}<tbody>${rows("name", routes)}</tbody></table>
</html>`;
}

/** p50 and p95 of every second, on a logarithmic scale. */
function picture(phases, samples, summarise) {
  const last = Math.ceil(Math.max(...samples.map((sample) => sample.at_s))) || 1;
  const perSecond = Array.from({ length: last }, (_, second) =>
    summarise(samples.filter((sample) => Math.floor(sample.at_s) === second)),
  );
  const top = Math.max(100, ...perSecond.map((figures) => figures.p95_ms || 0));
  const x = (second) => LEFT + ((WIDTH - LEFT) * second) / last;
  const y = (value) => HEIGHT - 24 - ((HEIGHT - 40) * Math.log10(Math.max(value, 0.5) / 0.5)) / Math.log10(top / 0.5);
  const line = (key) =>
    perSecond
      .map((figures, second) => (Number.isFinite(figures[key]) ? `${x(second).toFixed(1)},${y(figures[key]).toFixed(1)}` : null))
      .filter(Boolean)
      .join(" L");
  const ticks = [1, 10, 50, 100, 1000].filter((tick) => tick <= top);
  let from = 0;
  const marks = phases.map((phase) => {
    const mark = `<path class="phase" d="M${x(from)} 8 V${HEIGHT - 24}"/><text x="${x(from) + 4}" y="16">${escape(phase.name)} ${phase.rate}/s</text>`;
    from += phase.seconds;
    return mark;
  });
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Latency of every second; the tables below hold the figures">
${ticks.map((tick) => `<path class="axis" d="M${LEFT} ${y(tick)} H${WIDTH}"/><text x="4" y="${y(tick) + 4}">${tick} ms</text>`).join("")}
${marks.join("")}<path class="p50" d="M${line("p50_ms")}"/><path class="p95" d="M${line("p95_ms")}"/>
<text x="${LEFT}" y="${HEIGHT - 4}">seconds; green p50, orange p95</text></svg>`;
}
