import { Navigate, Outlet, useLocation } from "react-router";
import { useSession } from "@/api/session";

/** Nobody logged in: to the log-in page, and back here afterwards. */
export function RequireSession() {
  const session = useSession();
  const { pathname, search } = useLocation();
  if (session) return <Outlet />;
  return <Navigate to={`/login?to=${encodeURIComponent(pathname + search)}`} replace />;
}
