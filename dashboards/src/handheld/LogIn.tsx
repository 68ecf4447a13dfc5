// Who works with this device: a badge (an API token as a barcode) or a name and a password.
import { IconIdBadge2, IconLanguage } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { speak } from "@/i18n";
import { useLogIn } from "./useLogIn";
import classes from "./Handheld.module.css";

const WRONG = { expired: "login.expired", not_reached: "net.not_reached", refused: "login.refused" } as const;

export function LogIn() {
  const { t, i18n } = useTranslation("handheld");
  const { username, setUsername, password, setPassword, wrong, busy, submit } = useLogIn();

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
        <p className={classes.homeHint} data-tone={wrong ? "bad" : undefined} role="status">{t(wrong ? WRONG[wrong] : "login.or")}</p>
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
