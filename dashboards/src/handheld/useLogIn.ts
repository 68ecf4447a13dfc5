// The log-in of a worker's or driver's device: a name and a password, or a badge (an API token as a barcode) that is scanned.
import { useState, type FormEvent } from "react";
import { asProblem } from "@/api/problem";
import { session, type Session } from "@/api/session";
import { logIn, logInByBadge } from "@/data/people";
import { signal } from "./signals";
import { useCatcher } from "./useCatcher";

const BADGE = /^sta_[\w-]+$/;

export function useLogIn() {
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [wrong, setWrong] = useState<"expired" | "not_reached" | "refused" | null>(session.wasExpired() ? "expired" : null);
  const [busy, setBusy] = useState(false);

  const attempt = async (enter: () => Promise<Session>) => {
    setBusy(true);
    setWrong(null);
    try {
      session.start(await enter());
      signal("good");
    } catch (error) {
      signal("bad");
      setWrong(asProblem(error).status === 0 ? "not_reached" : "refused");
      setBusy(false);
    }
  };
  useCatcher({
    onScan: (code) => {
      if (!BADGE.test(code)) return;
      setUsername("");
      setPassword("");
      void attempt(() => logInByBadge(code));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void attempt(() => logIn(username.trim(), password));
  };
  return { username, setUsername, password, setPassword, wrong, busy, submit };
}
