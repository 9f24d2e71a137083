// The page: takes what the server tells, shows it, and sends what the person does.

import { ask, Live, query } from "./api.js";
import { Chart, fillKey } from "./charts.js";
import { Classes, Events, Overlay, Recordings } from "./panels.js";
import { LivePicture, Thumbnail } from "./picture.js";
import { Film } from "./webrtc.js";

const byId = (id) => document.getElementById(id);
const STAGE_COLOURS = ["#6cb6ff", "#57c785", "#f0b04f", "#d58cf0", "#f2695c", "#4fd0d0", "#b8c26a", "#e58fb0", "#8d9bff"];
const WAIT_COLOUR = "#4a5561";

const page = {
  cameras: [], states: new Map(), chosen: null, connected: false, server: "", webrtc: false, filmed: null, filmTried: null, sentFps: 30,
  get camera() { return this.cameras.find(({ key }) => key === this.chosen) || null; },
  get showsGrid() { return this.chosen === null && this.cameras.length > 1; },
};

const charts = {
  age: new Chart(byId("chart-age"), { kind: "lines", unit: "", top: 10, label: "Frame age and rate of the last minute" }),
  stages: new Chart(byId("chart-stages"), { kind: "stack", unit: "ms", top: 5, label: "Stage times of the last minute" }),
  classes: new Chart(byId("chart-classes"), { kind: "stack", unit: "%", top: 100, fixed: true, label: "Class shares of the last minute" }),
};
const picture = new LivePicture(byId("picture"), () => {
  byId("veil").hidden = page.connected;
  byId("picture").style.aspectRatio = "";
});
const film = new Film(byId("film"));
const thumbnails = new Map();
let toastTimer;

export function toast(text) {
  byId("toast").textContent = text;
  byId("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { byId("toast").hidden = true; }, 4000);
}

async function control(change) {
  const camera = page.showsGrid ? "*" : page.chosen;
  try {
    const { cameras } = await ask("/api/control", { camera, ...change });
    for (const state of cameras) page.states.set(state.key, state);
    showState();
  } catch (error) {
    toast(error.message);
  }
}

const overlay = new Overlay(control);
const classes = new Classes(byId("classes"), control);
const events = new Events(byId("events"));
const recordings = new Recordings(byId("recordings"), toast);

function receive(message) {
  if (message.type === "hello") hello(message);
  if (message.type === "state") takeState(message);
  if (message.type === "events") takeEvents(message.events);
}

function hello(message) {
  if (message.server !== page.server) {
    page.server = message.server;
    events.clear();
    for (const chart of Object.values(charts)) chart.clear();
  }
  page.cameras = message.cameras;
  page.webrtc = message.webrtc;
  if (!page.camera) page.chosen = page.cameras.length === 1 ? page.cameras[0].key : null;
  buildTabs();
  buildGrid();
  choose(page.chosen);
  recordings.load();
}

function choose(key) {
  if (key !== page.chosen) stopPictures();
  if (key !== page.chosen) for (const chart of Object.values(charts)) chart.clear();
  page.chosen = key;
  const grid = page.showsGrid;
  byId("stage").hidden = grid;
  byId("grid").hidden = !grid;
  for (const part of document.querySelectorAll(".of-one")) part.hidden = grid;
  byId("h-overlay").textContent = grid ? "Overlay of all cameras" : "Overlay";
  for (const tab of byId("cameras").children) tab.setAttribute("aria-pressed", String(tab.dataset.key === (key ?? "*")));
  const { camera } = page;
  byId("source").textContent = grid ? `${page.cameras.length} cameras` : camera ? `${camera.name} → ${camera.engine}` : "";
  document.title = camera ? `${camera.name} · rtseg` : "rtseg";
  byId("snapshot").href = query("/snapshot.jpg", { camera: camera?.key ?? page.cameras[0]?.key ?? "" });
  byId("record").hidden = !(camera ? [camera] : page.cameras).some(({ records }) => records);
  byId("snapshot").hidden = grid;
  byId("full").hidden = grid || !document.fullscreenEnabled;
  byId("classes").classList.toggle("bare", grid);
  classes.build(camera || page.cameras[0] || null);
  showPictures();
  showState();
}

function showPictures() {
  const visible = document.visibilityState === "visible";
  for (const thumbnail of thumbnails.values()) {
    if (visible && page.showsGrid) thumbnail.start(thumbnailMs());
    else thumbnail.stop();
  }
  if (!visible || page.showsGrid || !page.camera || !page.connected) return stopPictures();
  const { key, width, height } = page.camera;
  byId("picture").style.aspectRatio = byId("picture").dataset.picture ? "" : `${width} / ${height}`;
  const wanted = Math.ceil(byId("stage").clientWidth * (window.devicePixelRatio || 1));
  if (page.filmed === key) return;
  picture.show(key, wanted);
  if (page.webrtc && page.filmTried !== key) tryFilm(key, wanted);
}

// Many small pictures are asked for less often, and none more often than the server has time for.
function thumbnailMs() {
  return Math.max(250, 60 * thumbnails.size, 1000 / page.sentFps);
}

function stopPictures() {
  picture.stop();
  film.stop();
  page.filmed = page.filmTried = null;
  showFilm(false);
}

// Pictures are shown until the film plays, and again when it ends.
async function tryFilm(key, width) {
  page.filmTried = key;
  const plays = await film.play(key, width, () => {
    page.filmed = page.filmTried = null;
    showFilm(false);
    showPictures();
  });
  if (!plays || page.filmTried !== key) return;
  page.filmed = key;
  showFilm(true);
  picture.stop();
}

function filmFps() {
  const { totalVideoFrames } = byId("film").getVideoPlaybackQuality();
  const now = performance.now();
  const before = page.counted || [now, totalVideoFrames];
  if (now - before[0] > 1000 || totalVideoFrames < before[1] || !page.counted) {
    page.counted = [now, totalVideoFrames];
    page.filmFps = now > before[0] ? Math.max(0, 1000 * (totalVideoFrames - before[1]) / (now - before[0])) : 0;
  }
  return page.filmFps || 0;
}

function showFilm(on) {
  byId("film").hidden = !on;
  byId("picture").hidden = on;
}

function buildTabs() {
  const nav = byId("cameras");
  nav.hidden = page.cameras.length < 2;
  const tabs = [{ key: "*", name: "All" }, ...page.cameras.map(({ key, name }) => ({ key, name: key || name }))];
  nav.replaceChildren(...tabs.map(({ key, name }) => {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.dataset.key = key;
    tab.textContent = name;
    tab.onclick = () => choose(key === "*" ? null : key);
    return tab;
  }));
}

function buildGrid() {
  for (const thumbnail of thumbnails.values()) thumbnail.stop();
  thumbnails.clear();
  const several = page.cameras.length > 1 ? page.cameras : [];
  byId("grid").replaceChildren(...several.map(({ key, name }) => {
    const tile = document.createElement("button");
    const canvas = document.createElement("canvas");
    const caption = document.createElement("span");
    tile.type = "button";
    tile.className = "tile";
    tile.dataset.key = key;
    tile.setAttribute("aria-label", `Show ${key || name}`);
    caption.textContent = key || name;
    tile.append(canvas, caption);
    tile.onclick = () => choose(key);
    thumbnails.set(key, new Thumbnail(canvas, key, () => page.states.get(key)?.pictures > 0));
    return tile;
  }));
}

function takeState(message) {
  for (const state of message.cameras) page.states.set(state.key, state);
  page.sentFps = message.sent_fps;
  for (const thumbnail of thumbnails.values()) thumbnail.period = thumbnailMs();
  const state = page.states.get(page.chosen);
  if (state && page.camera) addToCharts(message.at_s, state);
  showState();
}

function addToCharts(atS, state) {
  const { camera } = page;
  const lines = [
    { name: "age", colour: "#f0b04f", unit: "ms", value: ageMs(state) },
    { name: "rate", colour: "#6cb6ff", unit: "fps", value: state.fps },
  ];
  charts.age.add(atS, lines);
  fillKey(byId("key-age"), lines.map((line) => ({ ...line, text: `${line.value.toFixed(line.unit === "ms" ? 0 : 1)} ${line.unit}` })));
  let number = 0;
  const stages = Object.entries(state.stages_ms).map(([name, value]) => (
    { name, value, colour: name === "wait" ? WAIT_COLOUR : STAGE_COLOURS[number++ % STAGE_COLOURS.length] }
  ));
  charts.stages.add(atS, stages);
  fillKey(byId("key-stages"), stages.map((stage) => ({ ...stage, text: `${stage.value.toFixed(1)} ms` })));
  const colours = camera.colours[state.overlay.palette];
  charts.classes.add(atS, camera.classes.map((name, at) => ({ name, colour: colours[at], value: 100 * state.shares[at] })));
  describeCharts(state, stages, camera);
}

function describeCharts(state, stages, camera) {
  charts.age.describe([readable(ageMs(state)).join(" "), `${state.fps.toFixed(1)} pictures a second`]);
  charts.stages.describe(stages.map(({ name, value }) => `${name} ${value.toFixed(1)} ms`));
  const largest = camera.classes.map((name, at) => [state.shares[at], name]).sort((a, b) => b[0] - a[0]).slice(0, 4);
  charts.classes.describe(largest.map(([share, name]) => `${name} ${Math.round(100 * share)} %`));
}

function showState() {
  const state = page.states.get(page.chosen ?? page.cameras[0]?.key);
  showStatus();
  for (const tile of byId("grid").children) showTile(tile, page.states.get(tile.dataset.key));
  if (!state) return;
  byId("fps").textContent = state.fps.toFixed(1);
  [byId("age").textContent, byId("age-unit").textContent] = readable(ageMs(state));
  byId("drops").textContent = Object.values(state.drops).reduce((sum, count) => sum + count, 0);
  byId("shown").textContent = (page.filmed === null ? picture.fps : filmFps()).toFixed(1);
  press("pause", state.paused, state.paused ? "Go on" : "Pause", state.paused ? "#i-play" : "#i-pause");
  press("record", state.recording, state.recording ? "Recording" : "Record");
  overlay.show(state.overlay);
  classes.show(state, !page.showsGrid);
}

function showTile(tile, state) {
  if (!state) return;
  const { key, name } = page.cameras.find((camera) => camera.key === tile.dataset.key);
  const bad = state.notice || (state.stale ? "no picture" : null);
  tile.classList.toggle("stale", Boolean(bad));
  const good = state.paused ? "paused" : `${state.fps.toFixed(1)} fps · ${readable(ageMs(state)).join(" ")}`;
  tile.querySelector("span").textContent = `${key || name} · ${bad || good}`;
}

// The age of the picture that is shown: it grows while no other one comes.
function ageMs(state) {
  return state.silent_s > 1.5 ? state.age_ms + 1000 * state.silent_s : state.age_ms;
}

function readable(ms) {
  return ms < 9999.5 ? [ms.toFixed(0), "ms"] : [(ms / 1000).toFixed(0), "s"];
}

function press(id, on, text, icon) {
  const button = byId(id);
  button.setAttribute("aria-pressed", String(on));
  button.querySelector("span").textContent = text;
  if (icon) button.querySelector("use").setAttribute("href", icon);
}

function showStatus() {
  const shown = page.cameras.filter(({ key }) => page.showsGrid || key === page.chosen).map(({ key }) => page.states.get(key)).filter(Boolean);
  const lost = shown.find(({ notice }) => notice);
  let [kind, text] = ["live", "live"];
  if (!page.connected) [kind, text] = ["off", "no connection, trying again"];
  else if (!shown.length) [kind, text] = ["off", "no camera"];
  else if (lost) [kind, text] = ["lost", lost.reason ? `${lost.notice}: ${lost.reason}` : lost.notice];
  else if (shown.every(({ paused }) => paused)) [kind, text] = ["paused", "paused"];
  else if (shown.some(({ stale }) => stale)) [kind, text] = ["lost", `no picture for ${Math.floor(Math.max(...shown.map(({ silent_s }) => silent_s)))} s`];
  const pill = byId("status");
  pill.className = `pill ${kind}`;
  if (pill.textContent !== text) pill.textContent = text;
}

function takeEvents(news) {
  events.add(news, page.cameras.length > 1);
  if (news.some(({ kind }) => /segment|record/.test(kind))) recordings.load();
}

function connection(on) {
  if (on === page.connected) return;
  page.connected = on;
  byId("veil").hidden = on && Boolean(byId("picture").dataset.picture);
  byId("veil").textContent = on ? "waiting for the picture" : "no connection to the stream; trying again";
  showStatus();
  if (on) showPictures();
  else stopPictures();
}

function listen() {
  byId("pause").onclick = () => control({ pause: byId("pause").getAttribute("aria-pressed") !== "true" });
  byId("step").onclick = () => control({ step: true });
  byId("record").onclick = async () => {
    await control({ record: byId("record").getAttribute("aria-pressed") !== "true" });
    setTimeout(() => recordings.load(), 1500);
  };
  byId("full").onclick = () => (document.fullscreenElement ? document.exitFullscreen() : byId("stage").requestFullscreen?.());
  byId("all").onclick = () => classes.showAll(true);
  byId("none").onclick = () => classes.showAll(false);
  byId("refresh").onclick = () => recordings.load();
  document.addEventListener("visibilitychange", showPictures);
  let timer;
  new ResizeObserver(() => {
    clearTimeout(timer);
    timer = setTimeout(() => page.connected && showPictures(), 400);
  }).observe(byId("stage"));
}

function begin() {
  new Live({ message: receive, connection, refused: () => login() });
}

function login() {
  const dialog = byId("login");
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.showModal();
  byId("login-form").onsubmit = async (event) => {
    event.preventDefault();
    try {
      await ask("/api/login", { token: byId("token").value.trim() });
      dialog.close();
      byId("token").value = "";
      begin();
    } catch (error) {
      byId("login-problem").textContent = error.message;
    }
  };
}

async function open() {
  listen();
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token !== null) {
    history.replaceState(null, "", location.pathname);
    await ask("/api/login", { token }).catch((error) => toast(error.message));
  }
  try {
    await ask("/api/events?since=999999999");
  } catch (error) {
    if (error.status === 401) return login();
  }
  begin();
}

open();
