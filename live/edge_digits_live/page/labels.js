// What a person says: a correction of an answer, and labels for the pictures that wait for one.

const MOST_KEYS = 12;

// Fills the buttons of the classes, or a list to choose from where there are many.
function offerClasses(keys, list, classes, choose) {
  const many = classes.length > MOST_KEYS;
  keys.hidden = many;
  list.hidden = !many;
  keys.replaceChildren(...(many ? [] : classes).map((label) => {
    const button = element("button", "", label);
    button.type = "button";
    button.addEventListener("click", () => choose(label));
    return button;
  }));
  list.replaceChildren(new Option("choose …", ""), ...classes.map((label) => new Option(label, label)));
  list.onchange = () => { if (list.value) choose(list.value); };
}

let correctable = null;

function offerCorrection(blob) {
  correctable = blob;
  $("correct").hidden = !about.collects;
  $("stored").textContent = "";
  $("no").textContent = about.labels.every((label) => /^\d$/.test(label)) ? "No, it is a …" : "No, it is …";
  offerClasses($("keys"), $("classes"), about.labels, correct);
}

async function correct(label) {
  const group = $("writer").value.trim();
  try {
    await askAboutPicture(`api/correct${query({ label, group, model: chosenModel() })}`, correctable);
    $("stored").textContent = `Kept as ${named(label)}. Thank you.`;
    showProblem("");
  } catch (error) {
    showProblem(error.message);
  }
}

let queue = [];
const labelled = [];

async function loadWaiting() {
  if (!about || !about.collects) return;
  const answer = await ask("api/waiting");
  queue = answer.waiting;
  await showWaiting();
  if (answer.full) showProblem("The collection is full: nothing more is kept until it is allowed to grow.");
}

async function showWaiting() {
  const [item] = queue;
  $("left").textContent = queue.length || "";
  $("label-undo").disabled = labelled.length === 0;
  $("label-skip").disabled = queue.length < 2;
  $("waiting").hidden = !item;
  $("waiting-hint").hidden = Boolean(item);
  URL.revokeObjectURL($("waiting").src);
  if (!item) {
    setChip($("waiting-chip"), "none", "all done");
    $("waiting-keys").replaceChildren();
    $("waiting-classes").hidden = true;
    return;
  }
  const doubt = item.reason ? `: ${item.reason}` : "";
  setChip($("waiting-chip"), "unsure", `the model says ${item.said}, ${percent(item.confidence)}${doubt}`);
  offerClasses($("waiting-keys"), $("waiting-classes"), item.classes, giveLabel);
  const blob = await ask(`api/waiting/${item.id}`);
  if (queue[0] === item) $("waiting").src = URL.createObjectURL(blob);
}

// A key that is pressed while a label is on its way is for a picture that nobody has seen yet: it is passed over.
let working = false;

async function labelling(work) {
  if (working) return;
  working = true;
  $("view-label").setAttribute("aria-busy", "true");
  try {
    await work();
    showProblem("");
    await showWaiting();
  } catch (error) {
    showProblem(error.message);
  } finally {
    working = false;
    $("view-label").setAttribute("aria-busy", "false");
  }
}

function giveLabel(label) {
  return labelling(async () => {
    const item = queue[0];
    await ask(`api/label${query({ id: item.id, label })}`, "");
    labelled.push(item);
    queue.shift();
  });
}

function undoLabel() {
  return labelling(async () => {
    const item = labelled[labelled.length - 1];
    await ask(`api/label${query({ id: item.id })}`, "");
    labelled.pop();
    queue.unshift(item);
  });
}

function skipLabel() {
  return labelling(async () => { queue.push(queue.shift()); });
}

$("label-undo").addEventListener("click", undoLabel);
$("label-skip").addEventListener("click", skipLabel);
document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA|BUTTON)$/.test(event.target.tagName) && event.key === " ";
  if ($("view-label").hidden || typing || event.ctrlKey || event.metaKey || event.altKey || $("ask").open) return;
  if (queue.length && queue[0].classes.includes(event.key)) giveLabel(event.key);
  else if (event.key === "Backspace" && labelled.length) undoLabel();
  else if (event.key === " " && queue.length > 1) skipLabel();
  else return;
  event.preventDefault();
});
