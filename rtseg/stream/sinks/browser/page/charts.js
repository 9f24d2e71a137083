// Charts of the last minute on canvases: lines, or areas on top of each other.

const SECONDS = 60;
const ROW_PX = 16;

export class Chart {
  // kind: "lines", each on a scale of its own, or "stack"; top: the least upper end of a scale,
  // which fixed: true keeps
  constructor(canvas, { kind, unit, top, label, fixed = false }) {
    this.canvas = canvas;
    Object.assign(this, { kind, unit, top, label, fixed });
    this.clear();
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.setAttribute("role", "img");
  }

  clear() {
    this.points = [];
    this.series = [];
  }

  // series: [{ name, colour, unit?, value }], from the lowest to the uppermost
  add(atS, series) {
    this.series = series.map(({ name, colour, unit }) => ({ name, colour, unit: unit ?? this.unit }));
    this.points.push({ atS, values: new Map(series.map(({ name, value }) => [name, value])) });
    while (this.points.length && this.points[0].atS < atS - SECONDS - 1) this.points.shift();
    this.draw();
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const width = this.canvas.clientWidth;
    const height = this.canvas.clientHeight;
    if (!width || !height) return;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const box = { left: 0, right: width - 1, top: ROW_PX, bottom: height - 2 };
    this.drawScale(pen, box);
    if (this.points.length > 1) (this.kind === "stack" ? this.drawStack : this.drawLines).call(this, pen, box);
  }

  // the upper end of the scale: of one line, or of the stack
  scale(name) {
    if (this.fixed) return this.top;
    const sum = ({ values }) => [...values.values()].reduce((a, b) => a + b, 0);
    const highest = this.points.map((point) => name === undefined ? sum(point) : point.values.get(name) ?? 0);
    return roundUp(Math.max(this.top, ...highest, 0));
  }

  drawScale(pen, box) {
    pen.font = "11px system-ui, sans-serif";
    pen.fillStyle = "#93a1af";
    pen.strokeStyle = "#2b3540";
    pen.lineWidth = 1;
    for (const share of [0, 0.5, 1]) {
      const y = Math.round(box.bottom - share * (box.bottom - box.top)) + 0.5;
      pen.beginPath();
      pen.moveTo(box.left, y);
      pen.lineTo(box.right, y);
      pen.stroke();
    }
    const write = (text, at, align, colour = "#93a1af") => {
      pen.textAlign = align;
      pen.fillStyle = colour;
      pen.fillText(text, at, box.top - 5);
    };
    if (this.kind === "stack") {
      write(`${format(this.scale())} ${this.unit}`, box.left, "left");
      write(`last ${SECONDS} s`, box.right, "right");
      return;
    }
    this.series.forEach(({ name, colour, unit }, number) => {
      const [at, align] = number ? [box.right, "right"] : [box.left, "left"];
      write(`${format(this.scale(name))} ${unit}`, at, align, colour);
    });
    write(`last ${SECONDS} s`, (box.left + box.right) / 2, "center");
  }

  x(box, atS) {
    const now = this.points.at(-1).atS;
    return box.right - (now - atS) / SECONDS * (box.right - box.left);
  }

  y(box, scale, value) {
    return box.bottom - Math.min(value / scale, 1) * (box.bottom - box.top);
  }

  drawLines(pen, box) {
    this.series.forEach(({ name, colour }) => {
      const scale = this.scale(name);
      pen.beginPath();
      for (const { atS, values } of this.points) pen.lineTo(this.x(box, atS), this.y(box, scale, values.get(name) ?? 0));
      pen.strokeStyle = colour;
      pen.lineWidth = 2;
      pen.lineJoin = "round";
      pen.stroke();
    });
  }

  drawStack(pen, box) {
    const scale = this.scale();
    let below = this.points.map(() => 0);
    this.series.forEach(({ name, colour }) => {
      const above = this.points.map(({ values }, at) => below[at] + (values.get(name) ?? 0));
      pen.beginPath();
      this.points.forEach(({ atS }, at) => pen.lineTo(this.x(box, atS), this.y(box, scale, above[at])));
      for (let at = this.points.length - 1; at >= 0; at--) {
        pen.lineTo(this.x(box, this.points[at].atS), this.y(box, scale, below[at]));
      }
      pen.closePath();
      pen.fillStyle = colour;
      pen.fill();
      below = above;
    });
  }

  describe(texts) {
    this.canvas.setAttribute("aria-label", `${this.label}: ${texts.join(", ")}`);
  }
}

function roundUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 7.5, 10].find((step) => value <= step * power * 1.0001) * power;
}

function format(value) {
  return value >= 10 ? value.toFixed(0) : String(Number(value.toFixed(2)));
}

export function swatch(colour) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const square = document.createElementNS(space, "rect");
  svg.setAttribute("viewBox", "0 0 12 12");
  svg.classList.add("swatch");
  svg.setAttribute("aria-hidden", "true");
  for (const [name, value] of Object.entries({ x: 0.5, y: 0.5, width: 11, height: 11, rx: 3, fill: colour })) {
    square.setAttribute(name, value);
  }
  svg.append(square);
  return svg;
}

export function fillKey(list, entries) {
  list.replaceChildren(...entries.map(({ name, colour, text }) => {
    const item = document.createElement("li");
    const value = document.createElement("b");
    value.textContent = text;
    item.append(swatch(colour), name, value);
    return item;
  }));
}
