// graphql-yoga behind graphql-ws, as its documentation combines them.
import { createServer } from "node:http";
import { createPubSub, createSchema, createYoga } from "graphql-yoga";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";
import { envelope, port, typeDefs } from "./shop.mjs";

const pubSub = createPubSub();
let subscribers = 0;
const yoga = createYoga({
  logging: false,
  schema: createSchema({
    typeDefs,
    resolvers: {
      Subscription: {
        postEvents: {
          subscribe: () => {
            subscribers += 1;
            return pubSub.subscribe("posts");
          },
          resolve: (value) => value,
        },
      },
    },
  }),
});

const server = createServer(async (request, response) => {
  if (request.url === "/publish") {
    const parts = [];
    for await (const part of request) parts.push(part);
    pubSub.publish("posts", envelope(Buffer.concat(parts).toString()));
    response.end();
  } else if (request.url === "/subscribers") {
    response.end(String(subscribers));
  } else {
    yoga(request, response);
  }
});
useServer(
  {
    execute: (args) => args.rootValue.execute(args),
    subscribe: (args) => args.rootValue.subscribe(args),
    onSubscribe: async (context, _id, params) => {
      const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
        ...context,
        req: context.extra.request,
        socket: context.extra.socket,
        params,
      });
      const args = {
        schema,
        operationName: params.operationName,
        document: parse(params.query),
        variableValues: params.variables,
        contextValue: await contextFactory(),
        rootValue: { execute, subscribe },
      };
      const errors = validate(args.schema, args.document);
      return errors.length ? errors : args;
    },
  },
  new WebSocketServer({ server, path: "/graphql", perMessageDeflate: false }),
);
server.listen(port, "127.0.0.1", 4096);
