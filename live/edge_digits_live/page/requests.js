// What the page asks of the service, and what stands in the way.

const $ = (id) => document.getElementById(id);
const TOKEN = "edge-digits-token";

// Behind the # a token reaches the page and no server; it leaves the address bar at once.
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  sessionStorage.setItem(TOKEN, given);
  history.replaceState(null, "", location.pathname);
}

function showProblem(message) {
  $("problem").textContent = message;
  $("problem").hidden = !message;
}

function askForToken() {
  return new Promise((resolve) => {
    const dialog = $("ask");
    dialog.addEventListener("close", () => {
      sessionStorage.setItem(TOKEN, $("token").value);
      resolve();
    }, { once: true });
    if (!dialog.open) dialog.showModal();
  });
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

// Returns the JSON of an answer, or a picture as a blob. An error has the line that the service says, and its status.
async function ask(path, body) {
  for (let attempt = 0; ; attempt += 1) {
    const headers = {};
    const token = sessionStorage.getItem(TOKEN);
    if (token) headers.Authorization = `Bearer ${token}`;
    let response;
    try {
      response = await fetch(path, { method: body === undefined ? "GET" : "POST", body, headers });
    } catch {
      throw Object.assign(new Error("The device does not answer. Is the service still running?"), { status: 0 });
    }
    if (response.status === 401) {
      await askForToken();
      continue;
    }
    if (response.status === 503 && attempt < 5) {
      await pause(Number(response.headers.get("Retry-After")) || 1);
      continue;
    }
    if (response.ok && response.headers.get("Content-Type").startsWith("image/")) return response.blob();
    const answer = await response.json();
    if (!response.ok) throw Object.assign(new Error(answer.error), { status: response.status });
    return answer;
  }
}

const TOO_LARGE = 413;
const NO_PICTURE = 422;
const SIDE = 2400;

// A picture that the service refuses (too large, or of a format that only browsers know) is sent again as a JPEG.
async function askAboutPicture(path, blob) {
  try {
    return await ask(path, blob);
  } catch (error) {
    if (error.status !== TOO_LARGE && error.status !== NO_PICTURE) throw error;
    const again = await asJpeg(blob).catch(() => null);
    if (!again) throw error;
    return ask(path, again);
  }
}

async function asJpeg(blob) {
  const bitmap = await createImageBitmap(blob);
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
}

const query = (values) => {
  const filled = Object.entries(values).filter(([, value]) => value !== undefined && value !== "");
  return filled.length ? `?${new URLSearchParams(filled)}` : "";
};
