// The one outbox of this phone, and how its actions reach the backend.
import { useEffect, useState, useSyncExternalStore } from "react";
import type { Key } from "@/api/command";
import { session } from "@/api/session";
import { queries } from "@/app/queries";
import {
  arriveAt, breakDownRoute, deliverAt, departRoute, failAt, finishRoute, goOn, loadParcel, takeOver, unloadParcel, type Arrival, type HandOver, type Failure, type Moment, type RouteDeparture, type RouteEnd, type Breakdown,
} from "@/data/driver";
import { Outbox, type Action, type OutboxState } from "./outbox";
import { openShelf } from "./shelf";

function send(action: Action, header: Key): Promise<unknown> {
  const { kind, route_id, stop_id = "", code = "", body } = action;
  switch (kind) {
    case "load":
      return loadParcel(route_id, code, header);
    case "depart":
      return departRoute(route_id, body as RouteDeparture, header);
    case "arrive":
      return arriveAt(stop_id, body as Arrival, header);
    case "go_on":
      return goOn(stop_id, body as Moment, header);
    case "deliver":
      return deliverAt(stop_id, body as HandOver, header);
    case "fail":
      return failAt(stop_id, body as Failure, header);
    case "take_over":
      return takeOver(stop_id, code, header);
    case "unload":
      return unloadParcel(route_id, code, header);
    case "finish":
      return finishRoute(route_id, body as RouteEnd, header);
    case "break_down":
      return breakDownRoute(route_id, body as Breakdown, header);
  }
}

const opened: Promise<Outbox> = openShelf().then(async (shelf) => {
  const outbox = new Outbox(shelf, {
    send,
    refresh: () => queries.refetchQueries({ queryKey: ["driver"], type: "active" }, { throwOnError: true }),
    user: () => session.get()?.user.id ?? null,
  });
  await outbox.open();
  session.subscribe(outbox.hurry);
  return outbox;
});

const EMPTY: OutboxState = { pending: [], confirmed: [], refused: [], answer: null, cutOffSince: null, keeps: true };

/** Null for the moment in which the phone's own storage is read. */
export function useOutbox(): { outbox: Outbox | null; state: OutboxState } {
  const [outbox, setOutbox] = useState<Outbox | null>(null);
  useEffect(() => {
    let here = true;
    void opened.then((made) => here && setOutbox(made));
    return () => {
      here = false;
    };
  }, []);
  const state = useSyncExternalStore(outbox?.subscribe ?? nothing, outbox?.get ?? empty);
  return { outbox, state };
}

const nothing = () => () => undefined;
const empty = () => EMPTY;
