// For people of several sites: where they work now. This device remembers.
import { useTranslation } from "react-i18next";
import { chosenSite } from "@/api/site";
import type { Site } from "@/data/site";
import classes from "./Handheld.module.css";

export function SiteChoice({ sites }: { sites: Site[] }) {
  const { t } = useTranslation("handheld");
  return (
    <main className={classes.screen}>
      <header className={classes.bar}><h1>{t("home.title")}</h1></header>
      <div className={classes.body} data-scrolls>
        <p className={classes.instruction}>{t("home.which_site")}</p>
        <div className={classes.choices}>
          {sites.map((site) => (
            <button key={site.id} type="button" onClick={() => chosenSite.set(site.id)}>
              <strong>{site.name}</strong>
              <small>{site.code}</small>
            </button>
          ))}
        </div>
      </div>
    </main>
  );
}
