// What ties the parts together: the loop of asking while one draws, pictures from anywhere, tabs, colours, the model.

let about = null;
let models = [];
let dirty = false;
let asking = false;

const chosenModel = () => $("model").value;
const pad = new Pad($("pad"), () => { dirty = true; answerPad(); });

// One request at a time: while it is answered the drawing goes on, and then the newest state is asked about.
async function answerPad() {
  if (asking) return;
  asking = true;
  while (dirty) {
    dirty = false;
    $("correct").hidden = true;
    if (pad.empty) {
      showNothing();
      continue;
    }
    try {
      const blob = await pad.blob();
      const begin = performance.now();
      // Half a digit is nothing to collect.
      const live = pad.picture ? "" : "true";
      const answer = await askAboutPicture(`api/classify${query({ model: chosenModel(), show: "true", live })}`, blob);
      if (dirty) continue;
      showProblem("");
      showAnswer(answer, performance.now() - begin);
      offerCorrection(blob);
      pad.mark(pad.picture ? answer.seen.box : null);
    } catch (error) {
      showNothing();
      showProblem(error.message);
    }
  }
  asking = false;
}

function takePicture(file) {
  if (!file) return;
  if ($("view-page").hidden) {
    chooseTab("tab-one");
    pad.show(file);
  } else {
    readPicture(file);
  }
}

function pictureOf(transfer) {
  return [...transfer.files].find((file) => file.type.startsWith("image/")) || transfer.files[0];
}

for (const id of ["file", "photo", "read-file", "read-photo"]) {
  $(id).addEventListener("change", (event) => {
    takePicture(event.target.files[0]);
    // The same picture may be chosen again.
    event.target.value = "";
  });
}
document.addEventListener("paste", (event) => {
  const file = pictureOf(event.clipboardData);
  if (file) takePicture(file);
});
const zones = [$("paper"), $("sheet")];
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  for (const zone of zones) zone.classList.add("dropping");
});
for (const name of ["dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    if (name === "dragleave" && event.relatedTarget) return;
    for (const zone of zones) zone.classList.remove("dropping");
  });
}
document.addEventListener("drop", (event) => {
  event.preventDefault();
  takePicture(pictureOf(event.dataTransfer));
});
$("undo").addEventListener("click", () => pad.undo());
$("clear").addEventListener("click", () => pad.clear());
$("copy").addEventListener("click", copyText);

const tabs = [...document.querySelectorAll("[role=tab]")];

function chooseTab(id) {
  for (const tab of tabs) {
    const chosen = tab.id === id;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    $(tab.getAttribute("aria-controls")).hidden = !chosen;
  }
  showProblem("");
  if (id === "tab-meter" && about && about.meter) {
    showReading().then(showHistory).catch((error) => setChip($("meter-chip"), "none", error.message));
  }
  if (id === "tab-label") loadWaiting().catch((error) => showProblem(error.message));
}

tabs.forEach((tab) => {
  tab.addEventListener("click", () => chooseTab(tab.id));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const there = tabs.filter((each) => !each.hidden);
    const next = there[(there.indexOf(tab) + step + there.length) % there.length];
    chooseTab(next.id);
    next.focus();
  });
});

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  const dark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  $("theme").setAttribute("aria-pressed", String(dark));
  pad.paint();
}

$("theme").addEventListener("click", () => {
  const theme = $("theme").getAttribute("aria-pressed") === "true" ? "light" : "dark";
  localStorage.setItem("edge-digits-theme", theme);
  setTheme(theme);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme(localStorage.getItem("edge-digits-theme")));

async function chooseModel() {
  try {
    about = await ask(`api/model${query({ model: chosenModel() })}`);
    showModel(about);
    showModels(models);
    $("tab-label").hidden = !about.collects;
    $("tab-camera").hidden = !about.camera;
    $("tab-meter").hidden = !about.meter;
    dirty = true;
    answerPad();
    if (readBlob) readPicture(readBlob);
  } catch (error) {
    showProblem(error.message);
  }
}

$("model").addEventListener("change", chooseModel);

async function begin() {
  setTheme(localStorage.getItem("edge-digits-theme"));
  showNothing();
  try {
    models = await ask("api/models");
    $("model").replaceChildren(...models.map((model) => new Option(model.name, model.name)));
    await chooseModel();
    // Whoever watches a meter wants to see it first.
    if (about.meter) chooseTab("tab-meter");
  } catch (error) {
    showProblem(error.message);
  }
  watchMeter();
  watchCamera();
}

begin();
