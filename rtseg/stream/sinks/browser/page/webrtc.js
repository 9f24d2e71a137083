// Film by WebRTC, where the server has it and the way there lets it through.

import { ask } from "./api.js";

const GATHER_MS = 1500;
const START_MS = 6000;

const after = (ms) => new Promise((done) => setTimeout(done, ms));

export class Film {
  constructor(video) {
    this.video = video;
    this.works = true; // until it didn't
  }

  // Returns whether the film plays; false: pictures are to be taken instead.
  async play(key, width, ended) {
    this.stop();
    if (!this.works || !window.RTCPeerConnection) return false;
    const peer = new RTCPeerConnection({ iceServers: [] });
    this.peer = peer;
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.ontrack = ({ streams, track }) => { this.video.srcObject = streams[0] || new MediaStream([track]); };
    try {
      await peer.setLocalDescription(await peer.createOffer());
      await Promise.race([gathered(peer), after(GATHER_MS)]);
      const { sdp } = peer.localDescription;
      await peer.setRemoteDescription(await ask("/api/webrtc", { camera: key, width, sdp }));
      const plays = await Promise.race([firstFrame(this.video), after(START_MS)]);
      if (this.peer !== peer) return false;
      if (!plays) throw new Error("no film came");
    } catch (error) {
      if (this.peer === peer) this.stop();
      this.works = this.works && error.status === 503;
      return false;
    }
    peer.onconnectionstatechange = () => {
      if (this.peer === peer && /failed|disconnected|closed/.test(peer.connectionState)) {
        this.stop();
        ended();
      }
    };
    return true;
  }

  stop() {
    const { peer } = this;
    this.peer = null;
    if (peer) peer.close();
    this.video.srcObject = null;
  }
}

function gathered(peer) {
  return new Promise((done) => {
    if (peer.iceGatheringState === "complete") return done();
    peer.addEventListener("icegatheringstatechange", () => peer.iceGatheringState === "complete" && done());
  });
}

function firstFrame(video) {
  return new Promise((done) => {
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(() => done(true));
    else video.addEventListener("playing", () => done(true), { once: true });
  });
}
