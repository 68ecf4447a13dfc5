// Who works with this device: a badge (an API token as a barcode) or a name and a password.
import { IconIdBadge2, IconLanguage } from "@tabler/icons-react";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { asProblem } from "@/api/problem";
import { session } from "@/api/session";
import { logIn } from "@/data/people";
import { speak } from "@/i18n";
import { signal } from "./signals";
import { useCatcher } from "./useCatcher";
import { me } from "./work";
import classes from "./Handheld.module.css";

const BADGE = /^sta_[\w-]+$/;
const SHIFT_MS = 12 * 3600_000;

export function LogIn() {
  const { t, i18n } = useTranslation("handheld");
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [wrong, setWrong] = useState<string | null>(session.wasExpired() ? t("login.expired") : null);
  const [busy, setBusy] = useState(false);

  const attempt = async (enter: () => Promise<void>) => {
    setBusy(true);
    setWrong(null);
    try {
      await enter();
      signal("good");
    } catch (error) {
      signal("bad");
      setWrong(asProblem(error).status === 0 ? t("net.not_reached") : t("login.refused"));
      setBusy(false);
    }
  };
  useCatcher({
    onScan: (code) => {
      if (!BADGE.test(code)) return;
      setUsername("");
      setPassword("");
      void attempt(async () => {
        const user = await me(code);
        session.start({ token: code, expires_at: new Date(Date.now() + SHIFT_MS).toISOString(), user });
      });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void attempt(async () => session.start(await logIn(username.trim(), password)));
  };

  return (
    <main className={classes.screen} data-testid="handheld-login">
      <header className={classes.bar}>
        <h1>{t("login.title")}</h1>
        <button type="button" data-testid="language" onClick={() => void speak(i18n.language === "zh" ? "en" : "zh")} aria-label={t("home.other_language")}>
          <IconLanguage size={28} />
        </button>
      </header>
      <form className={classes.login} onSubmit={submit}>
        <p className={classes.instruction}>
          <IconIdBadge2 size={44} />
          {t("login.scan_badge")}
        </p>
        <p className={classes.homeHint} data-tone={wrong ? "bad" : undefined} role="status">{wrong ?? t("login.or")}</p>
        <label>
          {t("login.username")}
          <input name="username" autoComplete="username" autoCapitalize="none" required value={username} onChange={(event) => setUsername(event.currentTarget.value)} />
        </label>
        <label>
          {t("login.password")}
          <input name="password" type="password" autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.currentTarget.value)} />
        </label>
        <button type="submit" className={classes.strong} disabled={busy}>{t("login.enter")}</button>
      </form>
    </main>
  );
}
