// The desktop frame: where one can go, which site, whether data is live, search, and who is here.
import { ActionIcon, Indicator, Menu, Select, Tooltip, UnstyledButton, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useHotkeys, useLocalStorage } from "@mantine/hooks";
import {
  IconBell, IconLanguage, IconLayoutSidebar, IconLogout, IconMoon, IconSearch, IconSteeringWheel, IconSun, IconDeviceMobile,
} from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, NavLink, Outlet, useLocation } from "react-router";
import { useCommand } from "@/api/command";
import { useSession } from "@/api/session";
import { Shape } from "@/components/State";
import { useAge } from "@/components/Time";
import { useOpenAlerts } from "@/data/alerts";
import { logOut } from "@/data/people";
import { chosenSite, sitesQuery, useSite, useSites } from "@/data/site";
import { LANGUAGES, speak, type Language } from "@/i18n";
import { useLiveState } from "@/live";
import { FirstSteps } from "./FirstSteps";
import { NAVIGATION } from "./navigation";
import { queries } from "./queries";
import { SearchEverything } from "./SearchEverything";
import { Waiting } from "./Waiting";
import classes from "./Shell.module.css";

export default function Shell() {
  const { t } = useTranslation();
  const [narrow, setNarrow] = useLocalStorage({ key: "stowage.narrow", defaultValue: false });
  const [searching, setSearching] = useState(false);
  useHotkeys([["/", () => setSearching(true)], ["mod+k", () => setSearching(true)]]);

  return (
    <div className={classes.shell} data-narrow={narrow || undefined}>
      <a href="#content" className={classes.skip}>
        {t("shell.skip")}
      </a>
      <aside className={classes.side}>
        <Link to="/floor" className={classes.brand} aria-label={t("shell.name")}>
          <img src="/favicon.svg" width={26} height={26} alt="" />
          {!narrow && <span>{t("shell.name")}</span>}
        </Link>
        <nav className={classes.nav}>
          {NAVIGATION.map((group) => (
            <div key={group.word} className={classes.group}>
              <span className={classes.groupName}>{t(`nav.${group.word}`)}</span>
              {group.entries.map((entry) => (
                <Tooltip key={entry.to} label={t(`nav.${entry.word}`)} position="right" disabled={!narrow}>
                  <NavLink to={entry.to} className={classes.entry}>
                    <entry.icon size={18} stroke={1.6} aria-hidden />
                    <span className={classes.word}>{t(`nav.${entry.word}`)}</span>
                  </NavLink>
                </Tooltip>
              ))}
            </div>
          ))}
        </nav>
        <div className={classes.sideFoot}>
          <NavLink to="/handheld" className={classes.entry}>
            <IconDeviceMobile size={18} stroke={1.6} aria-hidden />
            <span className={classes.word}>{t("nav.handheld")}</span>
          </NavLink>
          <NavLink to="/driver" className={classes.entry}>
            <IconSteeringWheel size={18} stroke={1.6} aria-hidden />
            <span className={classes.word}>{t("nav.driver")}</span>
          </NavLink>
          <UnstyledButton className={classes.entry} onClick={() => setNarrow(!narrow)} aria-label={t("shell.narrow")}>
            <IconLayoutSidebar size={18} stroke={1.6} aria-hidden />
            <span className={classes.word}>{t("shell.narrow")}</span>
          </UnstyledButton>
        </div>
      </aside>
      <header className={classes.top}>
        <SiteChoice />
        <UnstyledButton className={classes.search} onClick={() => setSearching(true)}>
          <IconSearch size={15} stroke={1.8} aria-hidden />
          <span>{t("search.prompt")}</span>
          <kbd>/</kbd>
        </UnstyledButton>
        <div className={classes.spacer} />
        <LiveMark />
        <AlertBell />
        <LanguageMenu />
        <SchemeToggle />
        <PersonMenu />
      </header>
      <main className={classes.content} id="content">
        <Content />
      </main>
      <SearchEverything opened={searching} onClose={() => setSearching(false)} />
    </div>
  );
}

/** Without a site nothing can be shown: say what comes first. Settings stay open, there it is done. */
function Content() {
  const sites = useQuery(sitesQuery);
  const { pathname } = useLocation();
  if (sites.isPending) return <Waiting />;
  return sites.data?.length === 0 && !pathname.startsWith("/settings") ? <FirstSteps /> : <Outlet />;
}

function SiteChoice() {
  const { t } = useTranslation();
  const session = useSession();
  const sites = useSites();
  const site = useSite();
  if (sites.length < 2 || session?.user.site_id) return <span className={classes.site}>{site?.name ?? ""}</span>;
  return (
    <Select
      aria-label={t("shell.site")}
      className={classes.sites}
      size="xs"
      allowDeselect={false}
      data={sites.map((one) => ({ value: one.id, label: one.name }))}
      value={site?.id ?? null}
      onChange={(id) => {
        chosenSite.set(id);
        void queries.resetQueries({ predicate: (query) => query.queryKey[0] !== "sites" });
      }}
    />
  );
}

function LiveMark() {
  const { t } = useTranslation();
  const { status, lastSeen } = useLiveState();
  const age = useAge(lastSeen === null ? null : new Date(lastSeen).toISOString());
  const text = status === "open" ? t("live.open") : status === "connecting" ? t("live.connecting") : t("live.lost", { age });
  return (
    <span className={classes.live} role="status" data-status={status}>
      <Shape tone={status === "open" ? "ok" : status === "lost" ? "warn" : "wait"} size={10} />
      {text}
    </span>
  );
}

function AlertBell() {
  const { t } = useTranslation();
  const count = useOpenAlerts();
  return (
    <Tooltip label={t("shell.alerts", { count })}>
      <Indicator label={count > 99 ? "99+" : count} disabled={count === 0} size={16} color="var(--tone-bad)" offset={5}>
        <ActionIcon component={Link} to="/devices?tab=alerts" variant="subtle" color="gray" size="lg" aria-label={t("shell.alerts", { count })}>
          <IconBell size={18} stroke={1.6} />
        </ActionIcon>
      </Indicator>
    </Tooltip>
  );
}

function LanguageMenu() {
  const { t, i18n } = useTranslation();
  return (
    <Menu position="bottom-end" shadow="md">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t("shell.language")}>
          <IconLanguage size={18} stroke={1.6} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {(Object.entries(LANGUAGES) as [Language, string][]).map(([code, name]) => (
          <Menu.Item key={code} fw={i18n.language === code ? 620 : 400} onClick={() => void speak(code)}>
            {name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function SchemeToggle() {
  const { t } = useTranslation();
  const scheme = useComputedColorScheme("light");
  const { setColorScheme } = useMantineColorScheme();
  const dark = scheme === "dark";
  return (
    <Tooltip label={t(dark ? "shell.light" : "shell.dark")}>
      <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t(dark ? "shell.light" : "shell.dark")} onClick={() => setColorScheme(dark ? "light" : "dark")}>
        {dark ? <IconSun size={18} stroke={1.6} /> : <IconMoon size={18} stroke={1.6} />}
      </ActionIcon>
    </Tooltip>
  );
}

function PersonMenu() {
  const { t } = useTranslation();
  const session = useSession();
  const leave = useCommand((_: null, header) => logOut(header));
  if (!session) return null;
  const { user } = session;
  return (
    <Menu position="bottom-end" shadow="md" width={220}>
      <Menu.Target>
        <UnstyledButton className={classes.person} aria-label={user.name}>
          <span className={classes.avatar}>{initials(user.name)}</span>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {user.name} · {user.roles.map((role) => t(`role.${role}` as "role.lead")).join(", ")}
        </Menu.Label>
        <Menu.Item component={Link} to="/settings/me">
          {t("shell.my_settings")}
        </Menu.Item>
        <Menu.Item leftSection={<IconLogout size={15} stroke={1.6} />} onClick={() => leave.mutate(null)}>
          {t("shell.log_out")}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  return (words.length > 1 ? `${words[0]?.[0] ?? ""}${words.at(-1)?.[0] ?? ""}` : name.slice(0, 2)).toUpperCase();
}
