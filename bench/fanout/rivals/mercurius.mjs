// mercurius with its subscriptions and its JIT.
import Fastify from "fastify";
import mercurius from "mercurius";
import mqemitter from "mqemitter";
import { envelope, port, typeDefs } from "./shop.mjs";

const app = Fastify();
let subscribers = 0;
app.register(mercurius, {
  schema: typeDefs,
  resolvers: {
    Subscription: {
      postEvents: {
        subscribe: (_root, _args, { pubsub }) => {
          subscribers += 1;
          return pubsub.subscribe("posts");
        },
      },
    },
  },
  // Its default delivers to a few subscribers at a time.
  subscription: { emitter: mqemitter({ concurrency: 0 }) },
  jit: 1,
});
app.addContentTypeParser("text/plain", { parseAs: "string" }, (_request, body, done) => done(null, body));
app.post("/publish", async (request) => {
  app.graphql.pubsub.publish({ topic: "posts", payload: { postEvents: envelope(request.body) } });
  return "";
});
app.get("/subscribers", async () => String(subscribers));
await app.listen({ port, host: "127.0.0.1", backlog: 4096 });
