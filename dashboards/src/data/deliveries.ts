// What became of an order on its way to the customer: deliveries, proofs, and the link the customer may follow.
import { api, ask } from "@/api/client";
import type { Key } from "@/api/command";
import type { components } from "@/api/schema";
import { live } from "./queries";

type Schemas = components["schemas"];
export type DeliveryJob = Schemas["DeliveryJob"];
export type Proof = Schemas["Proof"];
export type ProofLine = Schemas["ProofLine"];

export const deliveriesOfQuery = (order_id: string) =>
  live(["deliveries", "orders"], ["deliveries-of", order_id], async () => (await ask(api.GET("/api/v1/delivery-jobs", { params: { query: { order_id, limit: 50 } } }))).items);
export const proofsOfQuery = (order_id: string) =>
  live(["deliveries"], ["proofs-of", order_id], async () => (await ask(api.GET("/api/v1/delivery-proofs", { params: { query: { order_id, limit: 50 } } }))).items);
/** As a `data:` address: an image cannot ask with a token. */
export const proofPhotoQuery = (proof_id: string) => ({
  ...live([], ["proof-photo", proof_id], async () =>
    addressOf((await ask(api.GET("/api/v1/delivery-proofs/{proof_id}/photo", { params: { path: { proof_id } }, parseAs: "blob" }))) as Blob)),
  staleTime: Infinity,
});

function addressOf(photo: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new Error("photo"));
    reader.readAsDataURL(photo);
  });
}

export const makeTrackingLink = (delivery_job_id: string, header: Key) =>
  ask(api.POST("/api/v1/delivery-jobs/{delivery_job_id}/tracking-link", { params: { path: { delivery_job_id }, header } }));
