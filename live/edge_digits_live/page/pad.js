// The pad: strokes of mouse, finger, pen or keyboard, or a picture in their place.

const STEP = 14;

class Pad {
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    this.strokes = [];
    this.current = null;
    this.picture = null;
    this.box = null;
    this.pen = { x: canvas.width / 2, y: canvas.height * 0.25, down: false };
    this.keyboard = false;
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.end(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => { this.keyboard = false; this.pen.down = false; this.paint(); });
  }

  get empty() { return !this.picture && this.strokes.length === 0; }

  get thickness() { return Number($("thickness").value); }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }

  begin(event) {
    if (event.button !== 0 || this.current) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.keyboard = false;
    this.canvas.setPointerCapture(event.pointerId);
    this.start(this.place(event), event.pointerId);
  }

  start(point, pointer) {
    this.picture = this.box = null;
    this.current = { points: [point], width: this.thickness, pointer };
    this.strokes.push(this.current);
    this.changed();
  }

  move(event) {
    if (!this.current || this.current.pointer !== event.pointerId) return;
    const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const each of events.length ? events : [event]) this.current.points.push(this.place(each));
    this.changed();
  }

  end(event) {
    if (!this.current || this.current.pointer !== event.pointerId) return;
    this.current = null;
    this.changed();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      if (event.key === "z" && !event.altKey) { event.preventDefault(); this.undo(); }
      return;
    }
    const step = event.shiftKey ? 3 * STEP : STEP;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.key in moves) {
      const [dx, dy] = moves[event.key];
      this.pen.x = Math.min(this.canvas.width, Math.max(0, this.pen.x + dx));
      this.pen.y = Math.min(this.canvas.height, Math.max(0, this.pen.y + dy));
      if (this.pen.down) this.current.points.push([this.pen.x, this.pen.y]);
    } else if (event.key === " ") {
      this.pen.down = !this.pen.down;
      if (this.pen.down) this.start([this.pen.x, this.pen.y], null);
      else this.current = null;
    } else if (event.key === "u" || event.key === "Backspace") {
      this.undo();
    } else if (event.key === "Delete") {
      this.clear();
    } else {
      return;
    }
    event.preventDefault();
    this.keyboard = true;
    this.changed();
  }

  undo() {
    if (this.picture) this.picture = this.box = null;
    else this.strokes.pop();
    this.current = null;
    this.pen.down = false;
    this.changed();
  }

  clear() {
    this.strokes = [];
    this.picture = this.box = this.current = null;
    this.pen.down = false;
    this.changed();
  }

  async show(blob) {
    const bitmap = await createImageBitmap(blob).catch(() => null);
    this.clear();
    this.picture = { blob, bitmap };
    this.changed();
  }

  // Where the digit was found, in pixels of the picture that was sent.
  mark(box) {
    this.box = box;
    this.paint();
  }

  changed() {
    this.paint();
    $("undo").disabled = $("clear").disabled = this.empty;
    $("hint").hidden = !this.empty || this.keyboard;
    this.onChange();
  }

  paint() {
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const style = getComputedStyle(document.documentElement);
    if (this.picture) this.paintPicture(context, style);
    else this.draw(context, style.getPropertyValue("--stroke"));
    if (this.keyboard) {
      context.beginPath();
      context.arc(this.pen.x, this.pen.y, this.thickness / 2 + 4, 0, 7);
      context.lineWidth = 4;
      context.strokeStyle = style.getPropertyValue(this.pen.down ? "--sure" : "--accent");
      context.stroke();
    }
  }

  paintPicture(context, style) {
    const { bitmap } = this.picture;
    if (!bitmap) return;
    const side = this.canvas.width;
    const scale = Math.min(side / bitmap.width, side / bitmap.height);
    const left = (side - bitmap.width * scale) / 2;
    const top = (side - bitmap.height * scale) / 2;
    context.imageSmoothingEnabled = scale < 4;
    context.drawImage(bitmap, left, top, bitmap.width * scale, bitmap.height * scale);
    if (!this.box) return;
    const [x, y, width, height] = this.box;
    context.lineWidth = 4;
    context.strokeStyle = style.getPropertyValue("--unsure");
    context.strokeRect(left + x * scale, top + y * scale, width * scale, height * scale);
  }

  draw(context, colour) {
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = colour;
    for (const { points, width } of this.strokes) {
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(...points[0]);
      // Through the middle of each two points: a curve without corners.
      for (let k = 1; k < points.length - 1; k += 1) {
        const [x, y] = points[k];
        const [nextX, nextY] = points[k + 1];
        context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
      }
      context.lineTo(...points[points.length - 1]);
      context.stroke();
    }
  }

  // The picture as it is sent: dark ink on white whatever the colours of the page.
  async blob() {
    if (this.picture) return this.picture.blob;
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = this.canvas.width / 2;
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.scale(0.5, 0.5);
    this.draw(context, "#000");
    return new Promise((resolve) => canvas.toBlob(resolve));
  }
}
