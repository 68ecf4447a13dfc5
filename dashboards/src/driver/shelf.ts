// Where pending actions lie on the phone until Stowage has confirmed them: IndexedDB, because a photo and a signature are
// too large for localStorage. A browser that keeps nothing (private mode) works too, and says that it keeps nothing.
import type { Action } from "./outbox";

export interface Shelf {
  /** False where what is put here is gone after a reload. */
  readonly keeps: boolean;
  all(): Promise<Action[]>;
  put(action: Action): Promise<void>;
  remove(id: string): Promise<void>;
}

export function memoryShelf(kept = new Map<string, Action>()): Shelf {
  return {
    keeps: false,
    all: async () => [...kept.values()],
    put: async (action) => void kept.set(action.id, action),
    remove: async (id) => void kept.delete(id),
  };
}

const DATABASE = "stowage.driver";
const STORE = "pending";

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB"));
  });
}

/** A write is done when its transaction is: only then would it outlive a dead battery. */
function committed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error("IndexedDB"));
  });
}

export async function openShelf(): Promise<Shelf> {
  try {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "id" });
    const db = await done(opening);
    const write = (change: (store: IDBObjectStore) => void) => {
      const transaction = db.transaction(STORE, "readwrite", { durability: "strict" });
      change(transaction.objectStore(STORE));
      return committed(transaction);
    };
    return {
      keeps: true,
      all: () => done(db.transaction(STORE).objectStore(STORE).getAll() as IDBRequest<Action[]>),
      put: (action) => write((store) => store.put(action)),
      remove: (id) => write((store) => store.delete(id)),
    };
  } catch {
    return memoryShelf();
  }
}
