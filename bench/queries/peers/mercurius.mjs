// mercurius with its own loaders, with its JIT (`jit`) or without.
import Fastify from "fastify";
import mercurius from "mercurius";
import { loaders, resolvers, sdl, viewerOf } from "./tables.mjs";

const batched = (load) => ({
  loader: async (queries, context) => load(queries.map(({ obj }) => obj), queries[0].params, context),
  opts: { cache: false },
});
const each = (table, change) => Object.fromEntries(Object.entries(table).map(([name, value]) => [name, change(value)]));
const app = Fastify({ logger: false });
app.register(mercurius, {
  schema: sdl,
  jit: process.argv[2] === "jit" ? 1 : 0,
  context: (request) => ({ viewer: viewerOf(request.headers.authorization) }),
  resolvers,
  loaders: each(loaders, (fields) => each(fields, batched)),
});
app.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
