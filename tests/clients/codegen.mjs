// GraphQL Code Generator: TypeScript for the schema and for an app's operations, which tsc accepts in an app's code.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { codegen } from "@graphql-codegen/core";
import * as typescript from "@graphql-codegen/typescript";
import * as typescriptOperations from "@graphql-codegen/typescript-operations";
import { parse } from "graphql";
import { checked, finish } from "./linli.mjs";

const HERE = import.meta.dirname;
const sdl = readFileSync(process.argv[2], "utf8");
const documents = ["codegen/operations.graphql"].map((location) => ({
  location,
  document: parse(readFileSync(resolve(HERE, location), "utf8")),
}));

const config = { scalars: { Date: "string", DateTime: "string" }, strictScalars: true, enumsAsTypes: true };

function generate(filename, plugins, pluginMap) {
  return codegen({ filename, schema: parse(sdl), documents, plugins, pluginMap, config });
}

const types = await generate("schema.ts", [{ typescript: {} }], { typescript });
const operations = await generate("operations.ts", [{ "typescript-operations": {} }], {
  "typescript-operations": typescriptOperations,
});
for (const name of ["CreatePostInput", "PostKind", "CommunityEvent", "Commented"]) {
  assert.match(types, new RegExp(`export type ${name} `), name);
}
assert.doesNotMatch(types, /: any\b/, "every scalar is known");
for (const name of ["FeedQuery", "AddCommentMutation", "CommunitySubscription"]) {
  assert.match(operations, new RegExp(`export type ${name} `), name);
}
checked("types for the schema and for the operations");

// tsc, strictly, with code of an app that uses them and code that must not compile.
cpSync(resolve(HERE, "codegen"), "app", { recursive: true });
writeFileSync("app/schema.ts", types);
writeFileSync("app/operations.ts", operations);
try {
  const tsc = resolve(HERE, "node_modules/typescript/lib/tsc.js");
  execFileSync(process.execPath, [tsc, "--project", "app"], { encoding: "utf8", stdio: "pipe" });
} catch (error) {
  assert.fail(`tsc: ${error.stdout}${error.stderr}`);
}
checked("tsc accepts them, and an app's code that uses them");
finish();
