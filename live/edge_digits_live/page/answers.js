// The answer for one picture: label, confidence, bars, what the model saw, sure or why not.

const MOST_BARS = 12;
const SHOWN = 10;
const percent = (share) => `${(100 * share).toFixed(1)} %`;

// "an 8", "a 7", and the bare name of what is no digit.
const named = (label) => (/^\d$/.test(label) ? `${label === "8" ? "an" : "a"} ${label}` : label);

function showNothing() {
  $("verdict").dataset.state = "none";
  $("label").textContent = "?";
  $("label").classList.remove("word");
  $("confidence").textContent = "–";
  setChip($("chip"), "none", "nothing drawn yet");
  $("status").textContent = "";
  $("bars").replaceChildren();
  $("more").hidden = true;
  $("seen-figure").hidden = true;
  $("timing").textContent = "";
}

function setChip(chip, state, text) {
  chip.dataset.state = state;
  chip.textContent = text;
}

function showAnswer(answer, milliseconds) {
  const state = answer.sure ? "sure" : "unsure";
  $("verdict").dataset.state = state;
  $("label").textContent = answer.label;
  $("label").classList.toggle("word", answer.label.length > 2);
  $("confidence").textContent = percent(answer.confidence);
  setChip($("chip"), state, answer.sure ? "sure" : `not sure: ${answer.reason}`);
  $("status").textContent =
    `${named(answer.label)}, ${percent(answer.confidence)}, ${answer.sure ? "sure" : `not sure: ${answer.reason}`}`;
  showBars(answer);
  showSeen(answer.seen);
  $("timing").textContent = `Answered in ${Math.max(1, Math.round(milliseconds))} ms.`;
}

function showBars(answer) {
  let rows = Object.entries(answer.probabilities);
  const total = rows.length;
  if (total > MOST_BARS) rows = rows.sort((a, b) => b[1] - a[1]).slice(0, SHOWN);
  const list = $("bars");
  while (list.children.length > rows.length) list.lastChild.remove();
  while (list.children.length < rows.length) list.append(bar());
  rows.forEach(([label, share], k) => {
    const item = list.children[k];
    item.className = label === answer.label ? (answer.sure ? "best" : "best doubt") : "";
    item.querySelector(".name").textContent = label;
    item.querySelector(".name").title = label;
    item.querySelector(".fill").style.transform = `scaleX(${share})`;
    item.querySelector(".share").textContent = percent(share);
  });
  $("more").hidden = total <= MOST_BARS;
  $("more").textContent = `The likeliest ${SHOWN} of ${total} classes.`;
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function bar() {
  const item = element("li");
  const track = element("span", "track");
  track.append(element("div", "fill"));
  item.append(element("span", "name"), track, element("span", "share"));
  return item;
}

function showSeen(seen) {
  const canvas = $("seen");
  canvas.width = seen.width;
  canvas.height = seen.height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(seen.width, seen.height);
  const bytes = atob(seen.pixels);
  for (let k = 0; k < bytes.length; k += 1) {
    image.data.fill(bytes.charCodeAt(k), 4 * k, 4 * k + 3);
    image.data[4 * k + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  $("seen-figure").hidden = false;
}
