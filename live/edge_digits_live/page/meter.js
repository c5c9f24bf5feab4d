// The meter: what it shows now, its history, its doubts. And the camera of the device.

const SVG = "http://www.w3.org/2000/svg";
const AGAIN_MS = 5000;
const MOST_POINTS = 500;
const SHOWN_DOUBTS = 6;
let historyAt = 0;

function drawn(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

const valueText = (found, value) => `${value.toFixed(found.decimals)}${found.unit ? ` ${found.unit}` : ""}`;

function agoText(time) {
  const seconds = Math.max(0, (Date.now() - Date.parse(time)) / 1000);
  for (const [size, name] of [[86400, "day"], [3600, "hour"], [60, "minute"]]) {
    const number = Math.floor(seconds / size);
    if (number) return `${number} ${name}${number > 1 ? "s" : ""} ago`;
  }
  return "just now";
}

// While the view is open: the newest reading again and again, the history once a minute.
async function watchMeter() {
  for (;;) {
    if (about && about.meter && !$("view-meter").hidden && !document.hidden) {
      try {
        await showReading();
        if (Date.now() - historyAt > 60000) await showHistory();
      } catch (error) {
        setChip($("meter-chip"), "none", error.message);
      }
    }
    await pause(AGAIN_MS / 1000);
  }
}

async function showReading() {
  const found = await ask("api/readings?limit=1");
  const [newest] = found.records;
  $("meter-name").textContent = found.meter;
  $("meter-value").textContent = found.last ? valueText(found, found.last.value) : "–";
  $("meter-when").textContent = found.last ? `read ${agoText(found.last.time)}` : "nothing is published yet";
  if (found.troubles.length) setChip($("meter-chip"), "unsure", found.troubles.join("; "));
  else if (!newest) setChip($("meter-chip"), "none", "no picture yet");
  else if (newest.sure) setChip($("meter-chip"), "sure", "sure");
  else setChip($("meter-chip"), "unsure", `last picture: ${newest.text}, ${newest.reason}`);
  $("meter-by").textContent = found.watching ? "" : "Another process watches this meter.";
  await showDoubts();
}

async function showHistory() {
  historyAt = Date.now();
  const hours = $("span").value;
  const found = await ask(`api/readings${query({ hours, limit: MOST_POINTS, sure: "true" })}`);
  const points = found.records.map((record) => [Date.parse(record.time), record.value]).reverse();
  plot(found, points);
}

const WIDTH = 640;
const HEIGHT = 220;
const EDGE = { left: 8, right: 8, top: 34, bottom: 36 };

function plot(found, points) {
  const figure = $("plot");
  figure.replaceChildren();
  $("plot-none").hidden = points.length > 0;
  if (!points.length) {
    figure.setAttribute("aria-label", "No history yet");
    return;
  }
  const [first, last] = [points[0], points[points.length - 1]];
  const values = points.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const across = (at) => EDGE.left + ((at - first[0]) / (last[0] - first[0] || 1)) * (WIDTH - EDGE.left - EDGE.right);
  const up = (value) => HEIGHT - EDGE.bottom - ((value - low) / (high - low || 1)) * (HEIGHT - EDGE.top - EDGE.bottom);
  const path = points.map(([at, value], k) => `${k ? "L" : "M"}${across(at).toFixed(1)} ${up(value).toFixed(1)}`).join("");
  for (const value of high > low ? [low, high] : [low]) {
    figure.append(drawn("line", { class: "rule", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: up(value), y2: up(value) }));
    figure.append(drawn("text", { x: EDGE.left, y: up(value) - 6 }, valueText(found, value)));
  }
  figure.append(drawn("path", { class: "curve", d: points.length > 1 ? path : `${path}h0.1` }));
  const time = (at) => new Date(at).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
  figure.append(drawn("text", { x: EDGE.left, y: HEIGHT - 8 }, time(first[0])));
  if (last[0] > first[0]) {
    figure.append(drawn("text", { x: WIDTH - EDGE.right, y: HEIGHT - 8, "text-anchor": "end" }, time(last[0])));
  }
  figure.setAttribute("aria-label", `From ${valueText(found, first[1])} on ${time(first[0])} to `
    + `${valueText(found, last[1])} on ${time(last[0])}`);
}

const doubtsShown = new Map();

// A picture is fetched once: what is shown already stays, so that nothing flickers.
async function showDoubts() {
  const found = await ask(`api/readings?sure=false&limit=${SHOWN_DOUBTS}`);
  const wanted = found.records;
  $("no-doubts").hidden = wanted.length > 0;
  for (const record of wanted) {
    if (!doubtsShown.has(record.time)) doubtsShown.set(record.time, await doubtFigure(record));
  }
  for (const [time, figure] of doubtsShown) {
    if (wanted.some((record) => record.time === time)) continue;
    const picture = figure.querySelector("img");
    if (picture) URL.revokeObjectURL(picture.src);
    doubtsShown.delete(time);
  }
  const figures = wanted.map((record) => doubtsShown.get(record.time));
  const there = [...$("meter-doubts").children];
  if (figures.some((figure, k) => figure !== there[k]) || figures.length !== there.length) {
    $("meter-doubts").replaceChildren(...figures);
  }
}

async function doubtFigure(record) {
  const item = element("li");
  const time = new Date(record.time).toLocaleString([], { dateStyle: "short", timeStyle: "medium" });
  if (record.picture) {
    const picture = element("img");
    picture.alt = `Picture of ${time}`;
    // It may have been removed since, as the oldest one.
    const blob = await ask(`api/doubts/${encodeURIComponent(record.picture)}`).catch(() => null);
    if (blob) picture.src = URL.createObjectURL(blob);
    if (blob) item.append(picture);
  }
  item.append(element("strong", "", record.text), element("span", "", record.reason), element("time", "", time));
  return item;
}

$("span").addEventListener("change", () => showHistory().catch((error) => showProblem(error.message)));

let seenByCamera = null;

// While the view is open, one look follows the other.
async function watchCamera() {
  for (;;) {
    if (about && about.camera && !$("view-camera").hidden && !document.hidden && !$("still").checked) await lookOnce();
    await pause(1);
  }
}

async function lookOnce() {
  try {
    const blob = await ask("api/camera");
    const before = $("look").src;
    seenByCamera = blob;
    $("look").src = URL.createObjectURL(blob);
    if (before) URL.revokeObjectURL(before);
    $("look").hidden = false;
    $("look-hint").hidden = true;
    setChip($("look-chip"), "none", `seen at ${new Date().toLocaleTimeString()}`);
  } catch (error) {
    setChip($("look-chip"), "unsure", error.message);
  }
  $("look-one").disabled = $("look-page").disabled = !seenByCamera;
}

$("look-one").addEventListener("click", () => {
  chooseTab("tab-one");
  pad.show(seenByCamera);
});
$("look-page").addEventListener("click", () => {
  chooseTab("tab-page");
  readPicture(seenByCamera);
});
