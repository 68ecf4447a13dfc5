// Who are you? One form, the language beside it, and a reason when the last session ended by itself.
import { Button, PasswordInput, SegmentedControl, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { Navigate, useSearchParams } from "react-router";
import { session, useSession } from "@/api/session";
import { ErrorState } from "@/components/views";
import { logIn } from "@/data/people";
import { LANGUAGES, speak, type Language } from "@/i18n";
import classes from "./LogIn.module.css";

export default function LogIn() {
  const { t, i18n } = useTranslation();
  const [params] = useSearchParams();
  const known = useSession();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const enter = useMutation({
    mutationFn: () => logIn(username.trim(), password),
    onSuccess: (started) => session.start(started),
  });
  if (known) return <Navigate to={safe(params.get("to"), known.user.roles)} replace />;

  const submit = (event: FormEvent) => {
    event.preventDefault();
    enter.mutate();
  };
  return (
    <main className={classes.page}>
      <form className={classes.card} onSubmit={submit}>
        <header className={classes.head}>
          <img src="/favicon.svg" width={34} height={34} alt="" />
          <h1>{t("login.title")}</h1>
        </header>
        {session.wasExpired() && !enter.error && <p className={classes.note}>{t("login.expired")}</p>}
        {enter.error && <ErrorState error={enter.error} compact />}
        <TextInput size="md" label={t("login.username")} autoComplete="username" autoCapitalize="none" autoFocus required withAsterisk={false} value={username} onChange={(event) => setUsername(event.currentTarget.value)} />
        <PasswordInput size="md" label={t("login.password")} autoComplete="current-password" required withAsterisk={false} value={password} onChange={(event) => setPassword(event.currentTarget.value)} />
        <Button type="submit" size="md" fullWidth loading={enter.isPending}>
          {t("login.enter")}
        </Button>
      </form>
      <SegmentedControl
        aria-label={t("shell.language")}
        value={i18n.language}
        onChange={(language) => void speak(language as Language)}
        data={Object.entries(LANGUAGES).map(([value, label]) => ({ value, label }))}
      />
    </main>
  );
}

/** Only addresses of ours; a worker without other roles starts on the handheld, a driver at today's routes. */
function safe(to: string | null, roles: readonly string[]): string {
  if (to?.startsWith("/") && !to.startsWith("//") && to !== "/") return to;
  if (roles.every((role) => role === "driver")) return "/driver";
  return roles.every((role) => role === "worker") ? "/handheld" : "/floor";
}
