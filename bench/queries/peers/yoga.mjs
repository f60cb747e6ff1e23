// graphql-yoga with dataloaders.
import { createServer } from "node:http";
import { createSchema, createYoga } from "graphql-yoga";
import { authorsOf, commentsOf, likedBy, pageOf, sdl, viewerOf } from "./tables.mjs";

// A dataloader at its smallest: what is asked for in one tick is loaded at once.
const batched = (load) => {
  let waiting = null;
  return (key) => new Promise((resolve) => {
    if (!waiting) {
      const batch = (waiting = []);
      process.nextTick(() => Promise.resolve().then(() => {
        waiting = null;
        const found = load(batch.map(([given]) => given));
        batch.forEach(([, done], n) => done(found[n]));
      }));
    }
    waiting.push([key, resolve]);
  });
};
const author = (row, _args, { authors }) => authors([row.author_id, row.community_id]);
const yoga = createYoga({
  logging: false,
  graphiql: false,
  maskedErrors: true,
  schema: createSchema({
    typeDefs: sdl,
    resolvers: {
      Query: { community: (_root, { id }) => ({ id }) },
      Community: { posts: ({ id }, { first }, { viewer }) => pageOf(viewer, id, first) },
      Post: {
        author,
        createdAt: (row) => row.created_at, commentCount: (row) => row.comment_count, likeCount: (row) => row.like_count,
        viewerHasLiked: (row, _args, { liked }) => liked(row.id),
        comments: (row, { first }, { comments }) => comments({ id: row.id, first }),
      },
      Comment: { author, createdAt: (row) => row.created_at },
    },
  }),
  context: ({ request }) => {
    const viewer = viewerOf(request.headers.get("authorization"));
    return {
      viewer,
      authors: batched((keys) => authorsOf(keys.map(([id]) => id), keys.map(([, community]) => community))),
      liked: batched((ids) => likedBy(viewer, ids)),
      comments: batched((keys) => commentsOf(keys.map(({ id }) => id), keys[0].first)),
    };
  },
});
createServer(yoga).listen(Number(process.env.PORT), "127.0.0.1");
