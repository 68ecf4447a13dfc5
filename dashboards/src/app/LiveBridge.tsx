// Keeps the live connection open for as long as somebody is logged in, and turns its hints into fetches.
import { useEffect } from "react";
import { useSession } from "@/api/session";
import { useChosenSite } from "@/api/site";
import { live } from "@/live";
import { followHints } from "@/live/collection";
import { queries } from "./queries";

export function LiveBridge() {
  const session = useSession();
  const token = session?.token;
  const chosen = useChosenSite();
  const site = session?.user.site_id ?? chosen;

  useEffect(() => {
    if (!token) {
      queries.clear();
      return;
    }
    live.start(token);
    const unfollow = followHints(live, queries, () => site);
    const hurry = () => document.visibilityState === "visible" && live.hurry();
    window.addEventListener("online", hurry);
    document.addEventListener("visibilitychange", hurry);
    return () => {
      unfollow();
      live.stop();
      window.removeEventListener("online", hurry);
      document.removeEventListener("visibilitychange", hurry);
    };
  }, [token, site]);

  return null;
}
