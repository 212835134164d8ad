// The conversations of this browser, and the answers that are being streamed into them.
import { SvelteMap } from 'svelte/reactivity';
import { streamChat, type ChatEvent } from '../api/chat';
import { ServerError } from '../api/server';
import { announcer, notices } from './announcer.svelte';
import { type AnswerClock, applyEvent, applyTiming } from './answer';
import * as tree from './conversation';
import type { Conversation, Turn } from './conversation';
import { requestFields, settings } from './settings.svelte';
import { openStorage, type Storage } from './storage';

const kFlushMs = 40; // the page is drawn at most this often while an answer streams
const kSaveMs = 1000;

class Chats {
  all: Conversation[] = $state([]); // newest first
  current: Conversation = $state(tree.newConversation('', 0));
  isLasting = $state(true);
  running = new SvelteMap<string, AbortController>();
  private removed = new Set<string>(); // an answer that is still ending does not bring them back
  private storage: Promise<Storage> = openStorage();
  private channel = 'BroadcastChannel' in window ? new BroadcastChannel('flashmoe') : null;

  path = $derived(tree.pathTo(this.current));
  isRunning = $derived(this.running.has(this.current.id));

  async load(): Promise<void> {
    const storage = await this.storage;
    this.isLasting = storage.isLasting;
    await this.reload();
    const last = location.hash.slice(1);
    if (this.find(last) === undefined) this.startNew();
    else this.open(last);
    // Another tab changed something: take it over, but for what is being written here.
    this.channel?.addEventListener('message', ({ data }) => void this.takeOver(String(data)));
    addEventListener('pagehide', () => {
      for (const id of this.running.keys()) void this.save(this.find(id));
    });
  }

  startNew(): void {
    this.current = tree.newConversation(settings.system, Date.now());
    history.replaceState(null, '', location.pathname + location.search);
  }

  open(id: string): void {
    const conversation = this.find(id);
    if (conversation === undefined) return;
    this.current = conversation;
    history.replaceState(null, '', `#${id}`);
  }

  rename(id: string, title: string): void {
    const conversation = this.find(id);
    if (conversation === undefined || title.trim() === '') return;
    conversation.title = title.trim();
    conversation.isNamed = true;
    void this.save(conversation);
  }

  async remove(id: string): Promise<void> {
    const conversation = this.find(id);
    if (conversation === undefined) return;
    this.removed.add(id);
    this.running.get(id)?.abort();
    this.all = this.all.filter((other) => other.id !== id);
    if (this.current.id === id) this.startNew();
    await (await this.storage).remove(id);
    this.channel?.postMessage(id);
    const undo = () => {
      this.removed.delete(id);
      this.insert(conversation);
      void this.save(conversation);
      this.open(id);
    };
    notices.show({ text: `Deleted “${conversation.title}”`, action: { label: 'Undo', run: undo } });
  }

  /** Takes over what is new or newer; returns how many that were. */
  async importAll(conversations: Conversation[]): Promise<number> {
    const newer = conversations.filter((read) => {
      const own = this.find(read.id);
      return own === undefined || own.changed < read.changed;
    });
    for (const conversation of newer) await (await this.storage).put(conversation);
    await this.reload();
    return newer.length;
  }

  /** A new message at the end of what is shown. */
  send(text: string): void {
    if (text.trim() === '' || this.isRunning) return;
    if (this.current.turns.length === 0) this.current.system = settings.system;
    tree.addTurn(this.current, this.current.leaf, { role: 'user', text }, Date.now());
    void this.answer(this.current);
  }

  /** Another version of an own message; the old one stays beside it. */
  edit(turn: Turn, text: string): void {
    if (text.trim() === '' || this.isRunning) return;
    tree.addTurn(this.current, turn.parent, { role: 'user', text }, Date.now());
    void this.answer(this.current);
  }

  /** Another version of an answer; the old one stays beside it. */
  regenerate(turn: Turn): void {
    if (this.isRunning) return;
    this.current.leaf = turn.parent;
    void this.answer(this.current);
  }

  /** The results of an answer's tool calls, after which the model goes on. */
  answerCalls(results: { callId: string; text: string }[]): void {
    if (this.isRunning) return;
    for (const { callId, text } of results) {
      const fields = { role: 'tool' as const, text, callId };
      tree.addTurn(this.current, this.current.leaf, fields, Date.now());
    }
    void this.answer(this.current);
  }

  showVersion(turn: Turn): void {
    this.current.leaf = tree.newestLeaf(this.current, turn.id);
    void this.save(this.current);
  }

  stop(): void {
    this.running.get(this.current.id)?.abort();
  }

  private async answer(conversation: Conversation): Promise<void> {
    const messages = tree.toMessages(conversation.system, tree.pathTo(conversation));
    const fields = { role: 'assistant' as const, text: '', ended: 'running' as const };
    const turn = tree.addTurn(conversation, conversation.leaf, fields, Date.now());
    const abort = new AbortController();
    this.running.set(conversation.id, abort);
    this.insert(conversation);
    if (this.current.id === conversation.id) history.replaceState(null, '', `#${conversation.id}`);
    await this.save(conversation);
    announcer.say('Waiting for the answer.');
    try {
      const access = { apiKey: settings.apiKey, signal: abort.signal };
      const events = streamChat({ ...requestFields(settings), messages }, access);
      await this.follow(events, turn, conversation);
    } catch (error) {
      this.fail(turn, error, abort.signal.aborted);
    }
    if (turn.ended === 'running') turn.ended = 'stop';
    this.running.delete(conversation.id);
    conversation.changed = Date.now();
    await this.save(conversation);
    announcer.say(turn.error ?? (turn.ended === 'stopped' ? 'Stopped.' : `Answer: ${turn.text}`));
  }

  // Events are gathered for a moment, so that a fast stream does not draw the page for each token.
  private async follow(
    events: AsyncGenerator<ChatEvent>,
    turn: Turn,
    conversation: Conversation,
  ): Promise<void> {
    const clock: AnswerClock = { started: performance.now() };
    let waiting: { event: ChatEvent; now: number }[] = [];
    let saved = performance.now();
    const flush = () => {
      for (const { event, now } of waiting) applyEvent(turn, event, clock, now);
      waiting = [];
      if (performance.now() - saved < kSaveMs) return;
      saved = performance.now();
      void this.save(conversation);
    };
    const timer = setInterval(flush, kFlushMs);
    try {
      for await (const event of events) waiting.push({ event, now: performance.now() });
    } finally {
      clearInterval(timer);
      flush();
      applyTiming(turn, clock);
    }
  }

  private fail(turn: Turn, error: unknown, isAborted: boolean): void {
    if (isAborted) {
      turn.ended = 'stopped';
      return;
    }
    turn.ended = 'error';
    turn.error = error instanceof ServerError ? error.message : 'The answer could not be shown.';
    if (error instanceof ServerError && error.retryAfterS !== undefined) {
      turn.error += ` Try again in ${error.retryAfterS} s.`;
    }
    if (!(error instanceof ServerError)) console.error(error);
  }

  private find(id: string): Conversation | undefined {
    return this.all.find((other) => other.id === id);
  }

  private insert(conversation: Conversation): void {
    this.all = [conversation, ...this.all.filter(({ id }) => id !== conversation.id)];
  }

  private async save(conversation: Conversation | undefined): Promise<void> {
    if (conversation === undefined || this.removed.has(conversation.id)) return;
    try {
      await (await this.storage).put($state.snapshot(conversation));
      this.channel?.postMessage(conversation.id);
    } catch {
      notices.show({ text: 'This browser has no room left to keep the conversation.' });
    }
  }

  private async reload(): Promise<void> {
    const stored = await (await this.storage).all();
    const written = stored.map((read) => (this.running.has(read.id) ? this.find(read.id)! : read));
    for (const conversation of written) this.settle(conversation);
    this.all = written.sort((a, b) => b.changed - a.changed);
  }

  private async takeOver(id: string): Promise<void> {
    if (this.running.has(id)) return;
    const stored = await (await this.storage).get(id);
    this.all = this.all.filter((other) => other.id !== id);
    if (stored === undefined) {
      if (this.current.id === id) this.startNew();
      return;
    }
    this.all = [stored, ...this.all].sort((a, b) => b.changed - a.changed);
    if (this.current.id === id) this.open(id);
  }

  // An answer that was streaming when its page was closed has stopped.
  private settle(conversation: Conversation): void {
    for (const turn of conversation.turns) {
      if (turn.ended === 'running' && !this.running.has(conversation.id)) turn.ended = 'stopped';
    }
  }
}

export const chats = new Chats();
