// The panels beside the picture: overlay, classes, recordings, events.

import { ask } from "./api.js";
import { swatch } from "./charts.js";

const byId = (id) => document.getElementById(id);
const MOST_EVENTS = 100;

export class Overlay {
  constructor(control) {
    this.control = control;
    for (const radio of document.querySelectorAll("#mode input")) {
      radio.onchange = () => this.set({ mode: radio.value });
    }
    for (const id of ["legend", "hud", "outlines", "instances"]) {
      byId(id).onchange = () => this.set({ [id]: byId(id).checked });
    }
    byId("palette").onchange = () => this.set({ palette: byId("palette").checked ? "colour-blind" : "classes" });
    byId("alpha").oninput = () => {
      this.held = performance.now();
      byId("alpha-value").textContent = percent(byId("alpha").value);
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.set({ alpha: Number(byId("alpha").value) }), 80);
    };
  }

  set(overlay) {
    this.control({ overlay });
  }

  show(style) {
    for (const radio of document.querySelectorAll("#mode input")) radio.checked = radio.value === style.mode;
    for (const id of ["legend", "hud", "outlines", "instances"]) byId(id).checked = style[id];
    byId("palette").checked = style.palette === "colour-blind";
    if (performance.now() - (this.held || -1000) < 700) return; // a finger is on it
    byId("alpha").value = style.alpha;
    byId("alpha-value").textContent = percent(style.alpha);
  }
}

export class Classes {
  constructor(list, control) {
    this.list = list;
    this.control = control;
    this.names = [];
    this.style = null;
  }

  build(camera) {
    if (JSON.stringify(camera?.classes) === JSON.stringify(this.camera?.classes)) {
      this.camera = camera;
      return;
    }
    this.camera = camera;
    this.names = camera ? camera.classes : [];
    this.list.replaceChildren(...this.names.map((name, at) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      const label = document.createElement("span");
      const track = document.createElement("span");
      const share = document.createElement("span");
      button.type = "button";
      button.title = `Colour ${name}, or not`;
      label.textContent = name;
      track.className = "track";
      track.append(document.createElement("i"));
      share.className = "share";
      button.append(swatch(camera.colours.classes[at]), label, track, share);
      button.onclick = () => this.toggle(at);
      item.append(button);
      return item;
    }));
  }

  shown(style) {
    const lower = (names) => names.map((name) => name.toLowerCase());
    const only = lower(style.classes);
    const hidden = lower(style.hide);
    return this.names.map((name) => (!only.length || only.includes(name.toLowerCase())) && !hidden.includes(name.toLowerCase()));
  }

  show(state, withShares) {
    this.style = state.overlay;
    const colours = this.camera.colours[state.overlay.palette];
    const shown = this.shown(state.overlay);
    [...this.list.children].forEach((item, at) => {
      const share = withShares ? state.shares[at] || 0 : 0;
      const [button] = item.children;
      button.setAttribute("aria-pressed", String(shown[at]));
      item.querySelector("rect").setAttribute("fill", colours[at]);
      item.querySelector("i").style.width = `${(100 * share).toFixed(1)}%`;
      item.querySelector("i").style.background = colours[at];
      item.querySelector(".share").textContent = share >= 0.0095 ? `${Math.round(100 * share)} %` : share > 0 ? "<1 %" : "";
    });
  }

  toggle(at) {
    const shown = this.shown(this.style);
    shown[at] = !shown[at];
    this.send(shown);
  }

  showAll(on) {
    this.send(this.names.map(() => on));
  }

  send(shown) {
    this.control({ overlay: { classes: [], hide: this.names.filter((_, at) => !shown[at]) } });
  }
}

export class Events {
  constructor(list) {
    this.list = list;
    this.clear();
  }

  clear() {
    this.seen = new Set();
    this.list.replaceChildren(line("empty", "nothing has happened yet"));
  }

  add(news, namesCamera) {
    for (const event of news) {
      const id = `${event.camera}/${event.number}`;
      if (this.seen.has(id)) continue;
      if (!this.seen.size) this.list.replaceChildren();
      this.seen.add(id);
      const item = line("name", namesCamera && event.camera ? `${event.camera}: ${event.text}` : event.text);
      const time = document.createElement("time");
      time.textContent = new Date(event.at_s * 1000).toLocaleTimeString();
      time.dateTime = new Date(event.at_s * 1000).toISOString();
      item.prepend(time);
      this.list.prepend(item);
      while (this.list.children.length > MOST_EVENTS) this.list.lastChild.remove();
    }
  }
}

export class Recordings {
  constructor(list, toast) {
    this.list = list;
    this.toast = toast;
    const film = byId("player-film");
    film.onerror = () => { byId("player-problem").hidden = !film.getAttribute("src"); };
    byId("player-close").onclick = () => byId("player").close();
    byId("player").onclose = () => {
      film.pause();
      film.removeAttribute("src");
      film.load();
    };
  }

  async load() {
    try {
      const { recordings } = await ask("/api/recordings");
      this.list.replaceChildren(...recordings.map((file) => this.row(file)));
      if (!recordings.length) this.list.replaceChildren(line("empty", "there are none; add -o FILE.mp4 to record"));
    } catch (error) {
      this.toast(error.message);
    }
  }

  row(file) {
    const item = line("name", file.name);
    const size = document.createElement("small");
    size.textContent = [file.seconds === null ? null : duration(file.seconds), bytes(file.bytes)].filter(Boolean).join(" · ");
    if (file.open) {
      const mark = document.createElement("em");
      mark.textContent = "● recording";
      item.append(mark);
    }
    const play = document.createElement("button");
    play.type = "button";
    play.className = "small";
    play.textContent = "Play";
    play.setAttribute("aria-label", `Play ${file.name}`);
    play.onclick = () => this.play(file);
    item.append(size, play);
    return item;
  }

  play(file) {
    const path = `/recordings/${encodeURIComponent(file.name)}`;
    byId("player-name").textContent = file.name;
    byId("player-problem").hidden = true;
    byId("player-download").href = `${path}?download`;
    byId("player").showModal();
    const film = byId("player-film");
    film.src = path;
    film.play().catch(() => {}); // some browsers wait for a click; what can't be played is told by onerror
  }
}

function line(kind, text) {
  const item = document.createElement("li");
  const name = document.createElement("span");
  name.className = kind;
  name.textContent = text;
  item.append(name);
  return item;
}

const percent = (share) => `${Math.round(100 * share)} %`;

function bytes(count) {
  return count < 1e6 ? `${Math.ceil(count / 1e3)} kB` : count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(2)} GB`;
}

function duration(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
