import { sizeOf } from "./bytes.js";
import { QueueFull } from "./errors.js";

/** Outbox keeps what is sent while there is no connection, in order and bounded. */
export class Outbox {
  #cfg;
  #items = new Set();
  #bytes = 0;

  constructor(cfg) {
    this.#cfg = cfg;
  }

  get length() {
    return this.#items.size;
  }

  get bytes() {
    return this.#bytes;
  }

  /**
   * add takes a message, or throws QueueFull. done(err) is called once: when it
   * was written, or will not be; handed() when a connection has it. The item
   * given back is for remove.
   */
  add(data, done, handed) {
    const size = sizeOf(data);
    const { queueMessages, queueBytes } = this.#cfg;
    if (this.#items.size >= queueMessages || this.#bytes + size > queueBytes) {
      throw new QueueFull(`not connected, and ${this.#items.size} messages of ${this.#bytes} bytes wait already`);
    }
    const item = { data, done, handed, size };
    this.#items.add(item);
    this.#bytes += size;
    return item;
  }

  /** remove takes an item out without a word. */
  remove(item) {
    if (this.#items.delete(item)) this.#bytes -= item.size;
  }

  /** flush gives all messages to send, in order. One that cannot be sent is told so. */
  flush(send) {
    for (const item of this.#items) {
      this.remove(item);
      try {
        send(item.data, item.done);
        item.handed?.();
      } catch (err) {
        item.done?.(err);
      }
    }
  }

  /** fail tells all that wait that they will not be sent. */
  fail(err) {
    for (const item of this.#items) {
      this.remove(item);
      item.done?.(err);
    }
  }
}
