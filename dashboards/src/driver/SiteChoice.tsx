// For people of several sites: from which one they drive. This phone remembers.
import { useTranslation } from "react-i18next";
import { chosenSite } from "@/api/site";
import type { Site } from "@/data/site";
import classes from "./Driver.module.css";

export function SiteChoice({ sites }: { sites: Site[] }) {
  const { t } = useTranslation("handheld");
  return (
    <main className={classes.screen}>
      <header className={classes.bar}><h1>{t("home.which_site")}</h1></header>
      <div className={classes.body}>
        {sites.map((site) => (
          <button key={site.id} type="button" className={classes.routeCard} onClick={() => chosenSite.set(site.id)}>
            <strong>{site.name}</strong>
            <span>{site.code}</span>
          </button>
        ))}
      </div>
    </main>
  );
}
