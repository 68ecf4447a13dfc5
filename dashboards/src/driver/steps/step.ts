// What every step of the driver's day is given, and how it says what the driver did.
import type { DriverRoute } from "@/data/driver";
import type { Flash } from "../Answers";
import type { Action, NewAction } from "../outbox";
import type { StopNow } from "../route";

/** What every step is given. */
export interface StepProps {
  route: DriverRoute;
  stops: StopNow[];
  actions: readonly Action[];
  act: (action: Omit<NewAction, "route_id">) => void;
  say: (flash: Flash) => void;
  /** The last refusal, until something else is done. */
  verdict: Flash | null;
}

