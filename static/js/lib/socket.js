// A socket that comes back: 0.5–15 s with jitter, silent ones are called delayed and then given up, hidden tabs let go.
// A server that accepts and then refuses was no success: only a line that lasted makes the next wait short again.
// A feed's frames are acknowledged by their numbers: who does not say what it has read is sent no more.

const FIRST_MS = 500;
const LONGEST_MS = 15_000;
const LASTED_MS = 30_000;
// What the server closes with: another site's page, no such market; too many sockets, too many messages.
const FINAL = [4403, 4404];
const CROWDED = [4429, 4029];
const CROWDED_MS = 15_000;
const DELAYED_MS = 3_000;
const SILENT_MS = 10_000;
// The private socket says every ten seconds that it lives.
export const PRIVATE_SILENT_MS = 25_000;
const HIDDEN_MS = 60_000;
// So much was read or so long ago; never so often that the server calls it too much (50 messages in 10 seconds).
const ACK_CHARACTERS = 16_384;
const ACK_MS = 3_000;
const ACK_LEAST_MS = 300;

export class Socket {
  /** onMessage(message), onOpen(socket), onState(state, seconds): live, delayed, connecting, reconnecting, offline. */
  constructor(path, { onMessage, onOpen = () => {}, onState = () => {}, isTalkative = false, silentMs = isTalkative ? SILENT_MS : 0, isFeed = false }) {
    this.url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
    this.handlers = { onMessage, onOpen, onState };
    this.isTalkative = isTalkative;
    this.silentMs = silentMs;
    this.attempts = 0;
    this.heardAt = 0;
    this.read = 0;
    this.unsaid = 0;
    this.saidAt = 0;
    this.state = "";
    document.addEventListener("visibilitychange", () => this.visibility());
    addEventListener("online", () => this.retry());
    addEventListener("offline", () => this.say("offline"));
    if (silentMs) setInterval(() => this.listen(), 1_000);
    this.isFeed = isFeed;
    if (isFeed) setInterval(() => this.acknowledge(), ACK_MS);
    this.open();
  }

  open() {
    clearTimeout(this.timer);
    this.say(this.attempts ? "reconnecting" : "connecting", 0);
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.openedAt = Infinity;
    socket.onopen = () => {
      this.openedAt = Date.now();
      this.read = 0;
      this.heardAt = Date.now();
      this.say("live");
      this.handlers.onOpen(this);
    };
    socket.onmessage = (event) => {
      this.heardAt = Date.now();
      const message = JSON.parse(event.data);
      this.judge(message);
      if (message.seq > this.read) this.read = message.seq;
      this.handlers.onMessage(message);
      this.unsaid += event.data.length;
      if (this.isFeed && this.unsaid >= ACK_CHARACTERS && Date.now() - this.saidAt >= ACK_LEAST_MS) this.acknowledge();
    };
    socket.onclose = ({ code }) => {
      if (socket !== this.socket || this.isParked) return;
      if (FINAL.includes(code)) this.end();
      else this.later(CROWDED.includes(code) ? CROWDED_MS : 0);
    };
  }

  end() {
    this.isOver = true;
    this.say("offline");
  }

  later(least = 0) {
    if (!navigator.onLine) this.say("offline");
    if (Date.now() - this.openedAt > LASTED_MS) this.attempts = 0;
    const longest = Math.max(2 * least, Math.min(LONGEST_MS, FIRST_MS * 2 ** this.attempts));
    const wait = longest / 2 + Math.random() * longest / 2;
    this.attempts += 1;
    if (navigator.onLine) this.say("reconnecting", Math.ceil(wait / 1000));
    this.timer = setTimeout(() => this.open(), wait);
  }

  retry() {
    if (this.socket.readyState === WebSocket.CLOSED && !this.isParked && !this.isOver) this.open();
  }

  /** Who hears that the feed is silent, or of a book that grew old, hears nothing new. */
  judge(message) {
    if (message.feed === "STALE") this.say("delayed");
    else if (message.state !== "STALE") this.say("live");
  }

  listen() {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    const silence = Date.now() - this.heardAt;
    if (silence > this.silentMs) this.abandon();
    else if (this.isTalkative && silence > DELAYED_MS) this.say("delayed");
  }

  /** After sleep or behind a router a line may be open at this end alone, and nobody ever says that it closed. */
  abandon() {
    this.socket.onmessage = null;
    this.socket.onclose = null;
    this.socket.close();
    this.later();
  }

  acknowledge() {
    if (!this.read) return;
    this.unsaid = 0;
    this.saidAt = Date.now();
    this.send({ type: "ack", seq: this.read });
  }

  visibility() {
    clearTimeout(this.parking);
    if (document.hidden) {
      this.parking = setTimeout(() => this.park(), HIDDEN_MS);
    } else if (this.isParked) {
      this.isParked = false;
      this.open();
    }
  }

  park() {
    if (this.isOver) return;
    this.isParked = true;
    clearTimeout(this.timer);
    this.socket.close();
  }

  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  say(state, seconds) {
    if (state === this.state && state !== "reconnecting") return;
    this.state = state;
    this.handlers.onState(state, seconds);
  }
}

/** Writes a socket's state in words beside its shape. */
export function showState(element, texts) {
  return (state, seconds) => {
    if (!element) return;
    element.dataset.state = state === "connecting" ? "delayed" : state;
    element.textContent = texts[state].replace("{seconds}", seconds ?? 0);
  };
}
