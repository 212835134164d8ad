// Where conversations live: the browser's IndexedDB, one record each. Where the browser has none
// (some private windows), memory, and the page says so.
import type { Conversation } from './conversation';

export interface Storage {
  isLasting: boolean;
  all(): Promise<Conversation[]>;
  get(id: string): Promise<Conversation | undefined>;
  put(conversation: Conversation): Promise<void>;
  remove(id: string): Promise<void>;
}

const kStore = 'conversations';

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open('flashmoe', 1);
  request.onupgradeneeded = () => request.result.createObjectStore(kStore, { keyPath: 'id' });
  return settled(request);
}

function inMemory(): Storage {
  const kept = new Map<string, Conversation>();
  return {
    isLasting: false,
    all: async () => [...kept.values()],
    get: async (id) => kept.get(id),
    put: async (conversation) => void kept.set(conversation.id, conversation),
    remove: async (id) => void kept.delete(id),
  };
}

export async function openStorage(): Promise<Storage> {
  let database: IDBDatabase;
  try {
    database = await openDatabase();
  } catch {
    return inMemory();
  }
  const store = (mode: IDBTransactionMode) =>
    database.transaction(kStore, mode).objectStore(kStore);
  return {
    isLasting: true,
    all: () => settled<Conversation[]>(store('readonly').getAll()),
    get: (id) => settled<Conversation | undefined>(store('readonly').get(id)),
    put: async (conversation) => void (await settled(store('readwrite').put(conversation))),
    remove: async (id) => void (await settled(store('readwrite').delete(id))),
  };
}
