// What a person may do, by role. The backend decides; this only hides what it would refuse.
import { useSession } from "@/api/session";
import type { Role } from "@/data/people";

export function useMay(): (...roles: Role[]) => boolean {
  const roles = useSession()?.user.roles ?? [];
  return (...wanted) => roles.includes("admin") || wanted.some((role) => roles.includes(role));
}
