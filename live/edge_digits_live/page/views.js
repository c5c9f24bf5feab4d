// The other two views: a page of numbers, and the model.

let readBlob = null;

async function readPicture(blob) {
  readBlob = blob;
  $("read-hint").hidden = true;
  setChip($("read-chip"), "none", "reading …");
  try {
    const [bitmap, page] = await Promise.all([
      createImageBitmap(blob).catch(() => null),
      askAboutPicture("api/read", blob),
    ]);
    if (readBlob !== blob) return;
    showProblem("");
    showPage(bitmap, page);
  } catch (error) {
    if (readBlob !== blob) return;
    setChip($("read-chip"), "none", "not read");
    showProblem(error.message);
  }
}

function showPage(bitmap, page) {
  const marks = page.lines;
  paintPage(bitmap, marks);
  const rows = [];
  for (const { row, text } of marks) rows[row] = rows[row] === undefined ? text : `${rows[row]} ${text}`;
  $("text").textContent = rows.join("\n");
  $("copy").disabled = marks.length === 0;
  const doubtful = marks.filter((mark) => !mark.sure);
  if (marks.length === 0) setChip($("read-chip"), "unsure", "no numbers found");
  else if (doubtful.length) setChip($("read-chip"), "unsure", `not sure of ${doubtful.length} of ${marks.length} numbers`);
  else setChip($("read-chip"), "sure", `sure of all ${marks.length} numbers`);
  const lines = doubtful.slice(0, 12).map((mark) => `line ${mark.row + 1}, ${mark.text}: ${mark.reason}`);
  $("doubts").replaceChildren(...lines.map((line) => element("li", "", line)));
}

function paintPage(bitmap, marks) {
  const canvas = $("read");
  canvas.hidden = !bitmap;
  if (!bitmap) return;
  const scale = Math.min(1, 1600 / Math.max(bitmap.width, bitmap.height));
  canvas.width = bitmap.width * scale;
  canvas.height = bitmap.height * scale;
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  for (const mark of marks) {
    const [x, y, width, height] = mark.box.map((length) => length * scale);
    // On the picture, whose paper is light in both themes.
    const colour = mark.sure ? "#0a7a3d" : "#d74600";
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = Math.max(1.5, Math.min(width, height) / 24);
    context.strokeRect(x - 2, y - 2, width + 4, height + 4);
    context.font = `600 ${Math.max(11, height * 0.4)}px system-ui, sans-serif`;
    context.fillText(mark.text, x, y - Math.max(4, height * 0.1));
  }
}

async function copyText() {
  const text = $("text").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // On plain http a browser gives no clipboard: the text is selected, to be copied by hand.
    getSelection().selectAllChildren($("text"));
    document.execCommand("copy");
  }
  $("copy").textContent = "Copied";
  setTimeout(() => { $("copy").textContent = "Copy"; }, 1500);
}

const count = (number) => (number === null || number === undefined ? "–" : number.toLocaleString("en"));

function showModel(about) {
  const { kind, height, width } = about.input;
  const how = kind === "ink" ? "the digit is found and framed" : "the whole picture";
  const facts = [
    ["Accuracy", about.accuracy === null ? "not known" : `${(100 * about.accuracy).toFixed(2)} % of its test pictures`],
    ["Latency", `${about.p50_us < 1000 ? `${about.p50_us.toFixed(0)} µs` : `${(about.p50_us / 1000).toFixed(1)} ms`} a picture, on ${about.device}`],
    ["Classes", about.labels.length > 12 ? `${about.labels.length}: ${about.labels.slice(0, 6).join(", ")}, …` : about.labels.join(", ")],
    ["Input", `${width} × ${height} pixels, ${how}`],
    ["Sure from", percent(about.min_confidence)],
    ["Trained on", about.trained_on.join("; ") || about.data || "not known"],
    ["Licence", about.licence || "not known"],
    ["Numbers", about.scheme || "not known"],
    ["Size", `${count(about.bytes)} bytes, ${count(about.parameters)} parameters, ${count(about.macs)} MACs`],
    ["sha256", about.sha256],
  ];
  $("model-name").textContent = about.name;
  $("facts").replaceChildren(...facts.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
  for (const thing of document.querySelectorAll(".thing")) {
    thing.textContent = about.labels.every((label) => /^\d$/.test(label)) ? "digit" : "picture";
  }
}

function showModels(models) {
  const rows = models.map((model) => {
    const row = element("tr");
    if (model.name === chosenModel()) row.setAttribute("aria-current", "true");
    const button = element("button", "", "Use");
    button.type = "button";
    button.setAttribute("aria-label", `Use ${model.name}`);
    button.disabled = model.name === chosenModel();
    button.addEventListener("click", () => { $("model").value = model.name; chooseModel(); });
    const accuracy = model.accuracy === null ? "–" : `${(100 * model.accuracy).toFixed(2)} %`;
    const last = element("td");
    last.append(button);
    row.append(element("td", "", model.name), element("td", "", accuracy), element("td", "", count(model.bytes)),
      element("td", "optional", count(model.parameters)), last);
    return row;
  });
  $("models").replaceChildren(...rows);
}
