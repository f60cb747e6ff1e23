// The page's statements over better-sqlite3, and who asks: what both rivals in Node share.
import Database from "better-sqlite3";
import { createVerifier } from "fast-jwt";

const db = new Database(process.env.DATABASE_URL.replace("sqlite://", ""), { readonly: true });
db.pragma("cache_size = -65536");
const prepared = new Map();
const all = (sql, ...params) => {
  let statement = prepared.get(sql);
  if (!statement) prepared.set(sql, (statement = db.prepare(sql)));
  return statement.all(...params);
};
const marks = (n) => Array(n).fill("?").join(", ");
const verify = createVerifier({
  key: process.env.LINLI_TOKEN_KEY, algorithms: ["HS256"], allowedIss: "linli", allowedAud: "linli-api", cache: false,
});

export function viewerOf(authorization) {
  const { sub, sid } = verify(authorization.slice(7));
  const session = all("SELECT account_id FROM session WHERE id = ? AND account_id = ? AND ended_at IS NULL", sid, sub);
  if (!session.length) throw new Error("The session has ended");
  const scopes = all(
    "SELECT r.community_id, r.home_id, h.building_id, b.estate_id FROM residency r JOIN home h ON h.id = r.home_id" +
      " JOIN building b ON b.id = h.building_id WHERE r.until IS NULL AND r.account_id = ?", sub,
  ).flatMap((row) => Object.values(row));
  return { account: sub, scopes: [sub, ...scopes] };
}

export function pageOf(viewer, community, first) {
  const rows = all(
    "SELECT t.id, t.author_id, t.kind, t.body, t.comment_count, t.like_count, t.created_at FROM post t" +
      ` WHERE t.wall_id = ? AND t.deleted_at IS NULL AND t.scope_id IN (${marks(viewer.scopes.length)})` +
      ` ORDER BY t.id DESC LIMIT ${first + 1}`, community, ...viewer.scopes,
  );
  const edges = rows.slice(0, first).map((node) => ({ cursor: node.id, node }));
  return { edges, pageInfo: { hasNextPage: rows.length > first, endCursor: edges.at(-1)?.cursor } };
}

export function authorsOf(ids) {
  const unique = [...new Set(ids)];
  const found = new Map(all(
    "SELECT a.id, a.display_name AS displayName, (SELECT b.name FROM residency r JOIN home h ON h.id = r.home_id" +
      " JOIN building b ON b.id = h.building_id WHERE r.account_id = a.id AND r.until IS NULL LIMIT 1) AS building" +
      ` FROM account a WHERE a.id IN (${marks(unique.length)})`, ...unique,
  ).map((row) => [row.id, row]));
  return ids.map((id) => found.get(id));
}

export function likedBy(viewer, ids) {
  const found = new Set(all(
    `SELECT subject_id FROM appreciation WHERE account_id = ? AND subject_id IN (${marks(ids.length)})`,
    viewer.account, ...ids,
  ).map((row) => row.subject_id));
  return ids.map((id) => found.has(id));
}

export function commentsOf(ids, first) {
  const found = new Map(ids.map((id) => [id, []]));
  const rows = all(
    `WITH parent(id) AS (VALUES ${ids.map(() => "(?)").join(", ")}) SELECT c.id, c.subject_id, c.author_id, c.body,` +
      " c.created_at FROM parent CROSS JOIN comment c ON c.id IN (SELECT t.id FROM comment t" +
      ` WHERE t.subject_id = parent.id ORDER BY t.id DESC LIMIT ${first}) ORDER BY c.id DESC`, ...ids,
  );
  for (const node of rows) found.get(node.subject_id).push({ node });
  return ids.map((id) => ({ edges: found.get(id) }));
}

export const sdl = `
type Query { community(id: ID!): Community! }
type Community { id: ID! posts(first: Int!): PostConnection! }
type PostConnection { edges: [PostEdge!]! pageInfo: PageInfo! }
type PageInfo { hasNextPage: Boolean! endCursor: String }
type PostEdge { cursor: String! node: Post! }
type Author { id: ID! displayName: String! building: String }
type Post { id: ID! kind: String! body: String! createdAt: String! commentCount: Int! likeCount: Int!
  viewerHasLiked: Boolean! author: Author! comments(first: Int!): CommentConnection! }
type CommentConnection { edges: [CommentEdge!]! }
type CommentEdge { node: Comment! }
type Comment { id: ID! body: String! createdAt: String! author: Author! }
`;
