// mercurius with its own loaders, with its JIT (`jit`) or without.
import Fastify from "fastify";
import mercurius from "mercurius";
import { authorsOf, commentsOf, likedBy, pageOf, sdl, viewerOf } from "./tables.mjs";

const app = Fastify({ logger: false });
const authors = async (queries) => 
  authorsOf(queries.map(({ obj }) => obj.author_id), queries.map(({ obj }) => obj.community_id));
const options = { opts: { cache: false } };
app.register(mercurius, {
  schema: sdl,
  jit: process.argv[2] === "jit" ? 1 : 0,
  context: (request) => ({ viewer: viewerOf(request.headers.authorization) }),
  resolvers: {
    Query: { community: (_root, { id }) => ({ id }) },
    Community: { posts: ({ id }, { first }, { viewer }) => pageOf(viewer, id, first) },
    Post: {
      createdAt: (row) => row.created_at, commentCount: (row) => row.comment_count, likeCount: (row) => row.like_count,
    },
    Comment: { createdAt: (row) => row.created_at },
  },
  loaders: {
    Post: {
      author: { loader: authors, ...options },
      viewerHasLiked: { loader: async (queries, { viewer }) => likedBy(viewer, queries.map(({ obj }) => obj.id)), ...options },
      comments: {
        loader: async (queries) => commentsOf(queries.map(({ obj }) => obj.id), queries[0].params.first), ...options,
      },
    },
    Comment: { author: { loader: authors, ...options } },
  },
});
app.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
