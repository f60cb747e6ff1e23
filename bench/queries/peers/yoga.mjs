// graphql-yoga with dataloaders.
import { createServer } from "node:http";
import { createSchema, createYoga } from "graphql-yoga";
import { loaders, resolvers, sdl, viewerOf } from "./tables.mjs";

// A dataloader at its smallest: what is asked for in one tick is loaded at once.
const batched = (load) => {
  let waiting = null;
  return (key) => new Promise((resolve, reject) => {
    if (!waiting) {
      const batch = (waiting = []);
      process.nextTick(() => Promise.resolve().then(() => {
        waiting = null;
        try {
          const found = load(batch.map(([given]) => given));
          batch.forEach(([, done], n) => done(found[n]));
        } catch (error) {
          batch.forEach(([, , fail]) => fail(error));
        }
      }));
    }
    waiting.push([key, resolve, reject]);
  });
};
const loading = (name, load) => (row, args, context) =>
  (context.loading[name] ??= batched((rows) => load(rows, args, context)))(row);
for (const [type, fields] of Object.entries(loaders)) {
  for (const [field, load] of Object.entries(fields)) (resolvers[type] ??= {})[field] = loading(`${type}.${field}`, load);
}
const yoga = createYoga({
  logging: false,
  graphiql: false,
  maskedErrors: true,
  schema: createSchema({ typeDefs: sdl, resolvers }),
  context: ({ request }) => ({ viewer: viewerOf(request.headers.get("authorization")), loading: {} }),
});
createServer(yoga).listen(Number(process.env.PORT), "127.0.0.1");
