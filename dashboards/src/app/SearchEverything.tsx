// Search from every screen: words or a scanned code. Arrow keys choose, Enter opens; a scan that means one thing opens it.
import { Modal, TextInput, VisuallyHidden } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { asProblem } from "@/api/problem";
import { useWord } from "@/components/State";
import { ErrorState } from "@/components/views";
import { lookUp, searchQuery } from "@/data/search";
import { addressOf } from "./addresses";
import classes from "./SearchEverything.module.css";

export function SearchEverything({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Modal opened={opened} onClose={onClose} withCloseButton={false} size={640} yOffset="12vh" padding={0} radius="lg" title={<VisuallyHidden>{t("search.prompt")}</VisuallyHidden>} classNames={{ header: classes.hidden }}>
      {opened && <Search onClose={onClose} />}
    </Modal>
  );
}

function Search({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const word = useWord();
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [note, setNote] = useState<string | null>(null);
  const [asked] = useDebouncedValue(text.trim(), 150);
  const found = useQuery({ ...searchQuery(asked), enabled: asked.length > 0, placeholderData: (previous) => previous });
  const hits = asked ? (found.data?.items ?? []) : [];

  const go = (to: string | null) => {
    if (!to) return;
    onClose();
    void navigate(to);
  };
  const enter = async () => {
    const typed = text.trim();
    if (!typed) return;
    const hit = hits[at];
    // A scan arrives faster than the search answers: ask what the code means.
    if (hit && asked === typed && !found.isPlaceholderData) return go(addressOf(hit.kind, hit.id, hit.title));
    try {
      const meaning = await lookUp(typed);
      const to = addressOf(meaning.kind, meaning.kind === "pack" ? meaning.item_id : meaning.id, meaning.code);
      if (to) return go(to);
      setNote(t("search.no_page", { kind: word("kind", meaning.kind) }));
    } catch (error) {
      const problem = asProblem(error);
      setNote(problem.status === 404 || problem.status === 422 ? t("search.unknown_code", { code: typed }) : problem.message);
    }
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      setAt((now) => Math.min(Math.max(0, now + step), Math.max(0, hits.length - 1)));
    } else if (event.key === "Enter") {
      event.preventDefault();
      void enter();
    }
  };

  return (
    <div onKeyDown={onKey}>
      <TextInput
        variant="unstyled"
        size="lg"
        data-autofocus
        leftSection={<IconSearch size={19} stroke={1.7} />}
        leftSectionWidth={48}
        placeholder={t("search.prompt_long")}
        aria-label={t("search.prompt")}
        role="combobox"
        aria-expanded={hits.length > 0}
        aria-controls="search-hits"
        aria-activedescendant={hits[at] ? `hit-${at}` : undefined}
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
          setNote(null);
        }}
      />
      <ul className={classes.hits} id="search-hits" role="listbox">
        {hits.map((hit, index) => (
          <li
            key={`${hit.kind}:${hit.id}`}
            id={`hit-${index}`}
            role="option"
            aria-selected={index === at}
            className={classes.hit}
            onMouseMove={() => setAt(index)}
            onClick={() => go(addressOf(hit.kind, hit.id, hit.title))}
          >
            <span className={classes.kind}>{word("kind", hit.kind)}</span>
            <span className={`${classes.code} mono`}>{hit.title}</span>
            <span className={classes.name}>{hit.detail}</span>
          </li>
        ))}
      </ul>
      {found.error && <ErrorState error={found.error} compact />}
      {note && <p className={classes.note}>{note}</p>}
      {asked && !found.error && hits.length === 0 && !found.isFetching && !note && <p className={classes.note}>{t("search.nothing", { text: asked })}</p>}
      {!asked && <p className={classes.note}>{t("search.hint")}</p>}
    </div>
  );
}
