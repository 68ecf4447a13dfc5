// Who drives: a name and a password, or a badge that is scanned. What an earlier log-in left pending waits for its person.
import { IconLanguage, IconTruckDelivery } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { useLogIn } from "@/handheld/useLogIn";
import { speak } from "@/i18n";
import classes from "./Driver.module.css";

const WRONG = { expired: "login.expired", not_reached: "net.not_reached", refused: "login.refused" } as const;

export function LogIn() {
  const { t, i18n } = useTranslation("driver");
  const { username, setUsername, password, setPassword, wrong, busy, submit } = useLogIn();

  return (
    <main className={classes.screen} data-testid="driver-login">
      <header className={classes.bar}>
        <IconTruckDelivery size={30} stroke={1.7} className={classes.barMark} />
        <h1>{t("login.title")}</h1>
        <button type="button" className={classes.plain} data-testid="language" onClick={() => void speak(i18n.language === "zh" ? "en" : "zh")} aria-label={t("home.other_language")}>
          <IconLanguage size={28} />
        </button>
      </header>
      <form className={classes.login} onSubmit={submit}>
        <p className={classes.hint} data-tone={wrong ? "bad" : undefined} role="status">{t(wrong ? WRONG[wrong] : "login.hint")}</p>
        <label className={classes.field}>
          {t("login.username")}
          <input name="username" autoComplete="username" autoCapitalize="none" required value={username} onChange={(event) => setUsername(event.currentTarget.value)} />
        </label>
        <label className={classes.field}>
          {t("login.password")}
          <input name="password" type="password" autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.currentTarget.value)} />
        </label>
        <button type="submit" className={classes.main} disabled={busy}>{t("login.enter")}</button>
      </form>
    </main>
  );
}
