// What the page asks of the server: requests, and the live figures, which come back by themselves.

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export async function ask(path, body) {
  const options = { cache: "no-store", credentials: "same-origin" };
  if (body !== undefined) {
    options.method = "POST";
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const response = await fetch(path, options);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer.error || response.statusText);
  return answer;
}

export const query = (path, values) => `${path}?${new URLSearchParams(values)}`;

const SHORTEST_MS = 500;
const LONGEST_MS = 5000;
const SILENT_MS = 6000;

// A WebSocket that is opened again for as long as the page is there.
export class Live {
  constructor({ message, connection, refused }) {
    this.on = { message, connection, refused };
    this.wait = SHORTEST_MS;
    this.heard = performance.now();
    setInterval(() => this.check(), 1000);
    this.open();
  }

  open() {
    clearTimeout(this.timer);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/api/live`);
    this.socket = socket;
    this.heard = performance.now();
    socket.onmessage = (event) => {
      this.heard = performance.now();
      this.wait = SHORTEST_MS;
      this.on.connection(true);
      this.on.message(JSON.parse(event.data));
    };
    socket.onclose = () => this.lost(socket);
  }

  // A connection can die without a word, as when a telephone changes its network.
  check() {
    const open = this.socket.readyState === WebSocket.OPEN || this.socket.readyState === WebSocket.CONNECTING;
    if (open && performance.now() - this.heard > SILENT_MS) {
      const socket = this.socket;
      socket.onclose = socket.onmessage = null;
      socket.close();
      this.lost(socket);
    }
  }

  async lost(socket) {
    if (socket !== this.socket) return;
    this.on.connection(false);
    this.timer = setTimeout(() => this.open(), this.wait);
    this.wait = Math.min(this.wait * 1.6, LONGEST_MS);
    try {
      await ask("/api/events?since=999999999");
    } catch (error) {
      if (error.status === 401) {
        clearTimeout(this.timer);
        this.on.refused();
      }
    }
  }
}
