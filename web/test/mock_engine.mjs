// Live figures of an engine that does not exist: a token passes the layers, some experts are read.

const kResident = 1;
const kRead = 2;
const kUsed = 4;

export class MockEngine {
  /** Deterministic, so that pictures of two runs can be compared. */
  constructor({ layers = 60, perLayer = 512, used = 10 } = {}) {
    Object.assign(this, {
      layers,
      perLayer,
      used,
      seed: 7,
      time: 0,
      running: 0,
      speed: 0,
      disk: 0,
    });
    this.states = new Uint8Array(layers * perLayer);
    for (let layer = 0; layer < layers; ++layer) {
      for (let rank = 0; rank < perLayer * 0.38; ++rank) {
        this.states[this.cell(layer, rank)] = kResident;
      }
    }
  }

  random() {
    this.seed = (Math.imul(this.seed, 1664525) + 1013904223) >>> 0;
    return this.seed / 2 ** 32;
  }

  // The expert that is the layer's rank-th most wanted.
  cell(layer, rank) {
    return layer * this.perLayer + ((rank * 37 + layer * 11) % this.perLayer);
  }

  // Of the less wanted experts of a layer, the next resident one after a random place goes.
  evict(layer) {
    for (let rank = Math.floor(this.perLayer * (0.2 + 0.6 * this.random())); ; ++rank) {
      const cell = this.cell(layer, rank % this.perLayer);
      if (this.states[cell] & kRead || !(this.states[cell] & kResident)) continue;
      this.states[cell] &= ~kResident;
      return;
    }
  }

  useExpert(layer, counts) {
    const cell = this.cell(layer, Math.floor(this.perLayer * this.random() ** 3.5));
    ++counts.used;
    if (!(this.states[cell] & kResident)) {
      ++counts.read;
      this.evict(layer);
      this.states[cell] |= kRead | kResident;
    }
    this.states[cell] |= kUsed;
  }

  /** One event: what happened since the last one. */
  step() {
    this.time += 0.5;
    for (let i = 0; i < this.states.length; ++i) this.states[i] &= kResident;
    const isBusy = this.running > 0;
    const wanted = isBusy ? 5.5 + Math.sin(this.time / 3) + this.random() : 0;
    this.speed += (wanted - this.speed) * 0.5;
    const counts = { used: 0, read: 0 };
    const tokens = Math.round(this.speed / 2);
    for (let token = 0; token < tokens; ++token) {
      for (let layer = 0; layer < this.layers; ++layer) {
        for (let i = 0; i < this.used; ++i) this.useExpert(layer, counts);
      }
    }
    const target = isBusy ? 2.4 + 0.7 * Math.sin(this.time / 2.3) + 0.3 * this.random() : 0;
    this.disk += (target - this.disk) * 0.6;
    return {
      tokens_per_s: this.speed,
      prompt_tokens_per_s: 0,
      disk_gbps: this.disk,
      disk_roof_gbps: 3.2,
      hit_rate: counts.used > 0 ? 1 - counts.read / counts.used : null,
      memory: {
        dense: 5.9e9,
        slots: 11.4e9,
        state: 0.7e9,
        checkpoints: 0.1e9,
        other: 0.25e9,
        resident: 18.1e9,
        budget: 20 * 2 ** 30,
      },
      context_used: isBusy ? 4096 + Math.floor(this.time * 6) : 4096,
      context_limit: 262144,
      running: this.running,
      queued: 0,
      experts: {
        layers: this.layers,
        per_layer: this.perLayer,
        state: Buffer.from(this.states).toString('base64'),
      },
    };
  }
}
