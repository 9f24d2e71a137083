// The live picture: an MJPEG stream read part by part, so that each picture's number and age are
// known, the newest is drawn, and a stream that ends is asked for again.

import { query } from "./api.js";

const AGAIN_MS = 1000;
const SILENT_MS = 12000;

async function* parts(url, signal, heard) {
  const response = await fetch(url, { signal, cache: "no-store", credentials: "same-origin" });
  if (!response.ok) throw new Error(`${response.status}`);
  const reader = response.body.getReader();
  let buffer = new Uint8Array(0);
  const more = async () => {
    const { done, value } = await reader.read();
    if (done) return false;
    heard();
    const joined = new Uint8Array(buffer.length + value.length);
    joined.set(buffer);
    joined.set(value, buffer.length);
    buffer = joined;
    return true;
  };
  for (;;) {
    let end;
    while ((end = endOfHead(buffer)) < 0) if (!(await more())) return;
    const head = readHead(new TextDecoder().decode(buffer.subarray(0, end)));
    const length = Number(head.get("content-length"));
    while (buffer.length < end + length) if (!(await more())) return;
    yield { head, data: buffer.slice(end, end + length) };
    buffer = buffer.slice(end + length);
  }
}

function endOfHead(buffer) {
  for (let at = 0; at + 3 < buffer.length; at++) {
    if (buffer[at] === 13 && buffer[at + 1] === 10 && buffer[at + 2] === 13 && buffer[at + 3] === 10) {
      const head = new TextDecoder().decode(buffer.subarray(0, at));
      if (/content-length/i.test(head)) return at + 4;
    }
  }
  return -1;
}

function readHead(text) {
  const lines = text.split("\r\n").filter((line) => line.includes(":"));
  return new Map(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
  }));
}

export async function draw(canvas, data) {
  const bitmap = await createImageBitmap(new Blob([data], { type: "image/jpeg" }));
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
  }
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
}

// One camera's stream on a canvas; `fps` is what was drawn of late.
export class LivePicture {
  constructor(canvas, drawn) {
    this.canvas = canvas;
    this.drawn = drawn;
    this.times = [];
    this.key = null;
    this.width = 0;
    setInterval(() => this.check(), 2000);
  }

  get fps() {
    const now = performance.now();
    this.times = this.times.filter((time) => now - time < 3000);
    if (this.times.length < 2) return 0;
    return (this.times.length - 1) * 1000 / (this.times.at(-1) - this.times[0]);
  }

  show(key, width) {
    if (key === this.key && width === this.width && this.abort) return;
    this.stop();
    this.key = key;
    this.width = width;
    this.run();
  }

  stop() {
    clearTimeout(this.timer);
    if (this.abort) this.abort.abort();
    this.abort = null;
    this.newest = null;
  }

  check() {
    if (this.abort && performance.now() - this.heard > SILENT_MS) this.again();
  }

  again() {
    const { key, width } = this;
    this.stop();
    this.timer = setTimeout(() => this.show(key, width), AGAIN_MS);
  }

  async run() {
    const abort = new AbortController();
    this.abort = abort;
    this.heard = performance.now();
    const heard = () => { this.heard = performance.now(); };
    try {
      const url = query("/stream.mjpg", { camera: this.key, width: this.width });
      for await (const part of parts(url, abort.signal, heard)) {
        if (abort.signal.aborted) return;
        this.newest = part;
        this.drawNewest();
      }
    } catch (error) {
      if (abort.signal.aborted) return;
    }
    if (this.abort === abort) this.again();
  }

  async drawNewest() {
    if (this.busy) return;
    this.busy = true;
    try {
      while (this.newest) {
        const { head, data } = this.newest;
        this.newest = null;
        await draw(this.canvas, data);
        this.times.push(performance.now());
        this.canvas.dataset.picture = head.get("x-picture");
        this.drawn(head);
      }
    } catch (error) {
      console.warn("a picture can't be drawn", error);
    } finally {
      this.busy = false;
    }
  }
}

// Small pictures of several cameras: asked for one after the other, as browsers keep few
// connections to a server.
export class Thumbnail {
  // ready: tells whether there is a picture yet
  constructor(canvas, key, ready) {
    this.canvas = canvas;
    this.key = key;
    this.ready = ready;
    this.runs = false;
  }

  start(periodMs) {
    this.period = periodMs;
    if (this.runs) return;
    this.runs = true;
    this.run();
  }

  stop() {
    this.runs = false;
  }

  async run() {
    while (this.runs) {
      const began = performance.now();
      if (!this.ready()) {
        await pause(200);
        continue;
      }
      try {
        const url = query("/snapshot.jpg", { camera: this.key, width: 480 });
        const response = await fetch(url, { cache: "no-store", credentials: "same-origin" });
        if (response.ok) {
          await draw(this.canvas, await response.arrayBuffer());
          this.canvas.dataset.picture = response.headers.get("X-Picture");
        }
      } catch (error) {
        await pause(AGAIN_MS);
      }
      await pause(Math.max(50, this.period - (performance.now() - began)));
    }
  }
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
