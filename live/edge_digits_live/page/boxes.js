// The boxes of the profile on its reference picture: dragged, or moved by keys, and written into the profile.

const SMALLEST_BOX = 4;
let boxes = [];
let profileSize = [1, 1];
let drag = null;
const boxesBefore = [];

async function openBoxes() {
  const profile = await ask("api/profile");
  profileSize = profile.size;
  boxes = profile.boxes;
  boxesBefore.length = 0;
  const editor = $("boxes");
  editor.replaceChildren();
  editor.setAttribute("viewBox", `0 0 ${profileSize.join(" ")}`);
  $("boxes-none").hidden = profile.picture;
  editor.toggleAttribute("hidden", !profile.picture);
  $("boxes-tools").hidden = !profile.picture;
  if (!profile.picture) return;
  const blob = await ask("api/profile/picture");
  editor.append(drawn("image", { href: URL.createObjectURL(blob), width: profileSize[0], height: profileSize[1] }));
  for (const [x, y, width, height] of profile.patches) editor.append(drawn("rect", { class: "patch", x, y, width, height }));
  boxes.forEach((_, k) => editor.append(boxElement(k)));
  $("boxes-save").hidden = !profile.writable;
  $("boxes-closed").hidden = profile.writable;
  showBoxes();
}

function boxElement(k) {
  const group = drawn("g", { tabindex: 0, role: "button", "aria-describedby": "boxes-help" });
  group.append(drawn("rect", { class: "box" }), drawn("rect", { class: "corner" }));
  group.addEventListener("pointerdown", (event) => {
    const resizes = event.target.classList.contains("corner");
    drag = { k, resizes, from: place(event), before: boxes.map((box) => [...box]), moved: false };
    group.setPointerCapture(event.pointerId);
    group.focus();
    event.preventDefault();
  });
  group.addEventListener("pointermove", (event) => {
    if (!drag || drag.k !== k) return;
    const [x, y] = place(event);
    if (!drag.moved) boxesBefore.push(drag.before);
    drag.moved = true;
    change(drag.before, k, Math.round(x - drag.from[0]), Math.round(y - drag.from[1]), drag.resizes);
  });
  for (const name of ["pointerup", "pointercancel"]) group.addEventListener(name, () => { drag = null; });
  group.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    boxesBefore.push(boxes.map((box) => [...box]));
    change(boxes, k, ...step, event.shiftKey);
    event.preventDefault();
  });
  return group;
}

// Where a pointer is, in pixels of the reference picture.
function place(event) {
  const frame = $("boxes").getBoundingClientRect();
  return [((event.clientX - frame.left) / frame.width) * profileSize[0], ((event.clientY - frame.top) / frame.height) * profileSize[1]];
}

// Moves a box, or all of them, or makes them larger, within the picture.
function change(before, k, right, down, resizes) {
  const chosen = before.map((_, index) => index === k || $("boxes-all").checked);
  const within = (value, low, high) => Math.max(low, Math.min(high, value));
  boxes = before.map(([x, y, width, height], index) => {
    if (!chosen[index]) return [x, y, width, height];
    const [wide, high] = profileSize;
    if (resizes) return [x, y, within(width + right, SMALLEST_BOX, wide - x), within(height + down, SMALLEST_BOX, high - y)];
    return [within(x + right, 0, wide - width), within(y + down, 0, high - height), width, height];
  });
  showBoxes();
}

function showBoxes() {
  // Large enough for a finger.
  const largest = profileSize[0] / 25;
  [...$("boxes").querySelectorAll("g")].forEach((group, k) => {
    const [x, y, width, height] = boxes[k];
    const [box, corner] = group.children;
    for (const [name, value] of Object.entries({ x, y, width, height })) box.setAttribute(name, value);
    const size = Math.min(largest, width / 2, height / 2);
    const marks = { x: x + width - size, y: y + height - size, width: size, height: size };
    for (const [name, value] of Object.entries(marks)) corner.setAttribute(name, value);
    group.setAttribute("aria-label", `Box ${k + 1} of ${boxes.length}: ${x}, ${y}, ${width} wide, ${height} high`);
  });
  $("boxes-undo").disabled = boxesBefore.length === 0;
  $("boxes-said").textContent = "";
}

async function saveBoxes() {
  try {
    await ask("api/profile", JSON.stringify({ boxes }));
    boxesBefore.length = 0;
    showBoxes();
    showProblem("");
    $("boxes-said").textContent = "Written into the profile.";
  } catch (error) {
    showProblem(error.message);
  }
}

$("boxes-undo").addEventListener("click", () => { boxes = boxesBefore.pop(); showBoxes(); });
$("boxes-save").addEventListener("click", saveBoxes);
$("boxes-card").addEventListener("toggle", () => {
  if ($("boxes-card").open) openBoxes().catch((error) => showProblem(error.message));
});
