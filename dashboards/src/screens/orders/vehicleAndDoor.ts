// The two fields that say where a shipment is loaded, and onto what.
import { useTranslation } from "react-i18next";
import type { Field } from "@/components/CommandForm";
import { placesQuery } from "@/data/catalog";
import { useList } from "@/data/queries";

export function useVehicleAndDoor(now?: { vehicle_id: string | null; door_id: string | null }): Field[] {
  const { t } = useTranslation(["orders", "common"]);
  const vehicles = useList(placesQuery({ kind: "vehicle" }));
  const doors = useList(placesQuery({ kind: "dock_door" }));
  const options = (list: typeof doors) => (list.data ?? []).map((place) => ({ value: place.id, label: place.code }));
  return [
    { name: "vehicle_id", label: t("common:field.vehicle"), kind: "select", half: true, initial: now?.vehicle_id ?? "", options: options(vehicles) },
    { name: "door_id", label: t("common:field.door"), kind: "select", half: true, initial: now?.door_id ?? "", options: options(doors) },
  ];
}
