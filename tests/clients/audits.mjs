// Runs every audit of graphql-http against the server, and fails unless all of them are "ok".
import assert from "node:assert/strict";
import { serverAudits } from "graphql-http";
import { HTTP, checked, finish } from "./linli.mjs";

const results = await Promise.all(serverAudits({ url: HTTP }).map(({ fn }) => fn()));
const failed = results.filter(({ status }) => status !== "ok");
for (const { id, name, status, reason, response } of failed) {
  console.log(`${status} ${id} ${name}: ${reason} (status ${response?.status})`);
}
assert.equal(failed.length, 0);
assert.equal(results.length, 61);
checked(`${results.length} of 61 audits ok`);
finish();
