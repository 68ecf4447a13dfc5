// A command that should not happen by accident: the first press asks, the second does. No dialog to dismiss.
import { Button, type ButtonProps } from "@mantine/core";
import { useEffect, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

export function Confirm({ children, onConfirm, ...button }: ButtonProps & { children: ReactNode; onConfirm: () => void }) {
  const { t } = useTranslation();
  const [asking, setAsking] = useState(false);
  useEffect(() => {
    if (!asking) return;
    const timer = setTimeout(() => setAsking(false), 4000);
    return () => clearTimeout(timer);
  }, [asking]);
  return (
    <Button
      {...button}
      color={asking ? "red" : button.color}
      variant={asking ? "filled" : button.variant}
      onBlur={() => setAsking(false)}
      onClick={() => {
        if (asking) onConfirm();
        setAsking(!asking);
      }}
    >
      {asking ? t("action.confirm") : children}
    </Button>
  );
}
