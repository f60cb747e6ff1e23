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
  key: process.env.LINLI_TOKEN_KEY, algorithms: ["HS256"], allowedIss: "linli", allowedAud: "linli-api", cache: true,
});

// The very statements that Linli runs for the page, with all their columns.
const STANDING =
  "SELECT r.account_id, r.community_id, r.home_id, h.building_id, b.estate_id, b.grid_id," +
  " CAST(NULL AS uuid) AS organisation_id, NULL AS kind, CAST(NULL AS uuid) AS host_id, '' AS role" +
  " FROM residency r JOIN home h ON h.id = r.home_id JOIN building b ON b.id = h.building_id" +
  " WHERE r.until IS NULL AND r.account_id IN (?)" +
  " UNION ALL SELECT a.account_id, a.community_id, NULL, NULL, NULL, a.grid_id, a.organisation_id, o.kind, NULL, a.role" +
  " FROM appointment a JOIN organisation o ON o.id = a.organisation_id WHERE a.revoked_at IS NULL AND a.account_id IN (?)" +
  " UNION ALL SELECT account_id, community_id, NULL, NULL, NULL, NULL, NULL, NULL, host_id, role" +
  " FROM membership WHERE left_at IS NULL AND account_id IN (?)" +
  " UNION ALL SELECT account_id, community_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '' FROM residency WHERE account_id IN (?)" +
  " UNION ALL SELECT account_id, community_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '' FROM residency_application WHERE account_id IN (?)";
const POST = "id, community_id, scope_id, wall_id, author_id, estate_id, kind, state, body, card_id, comment_count," +
  " like_count, hot, pinned_at, created_at, edited_at, deleted_at, version";
const COMMENT = "id, community_id, subject_kind, subject_id, author_id, reply_to_id, parent_id, body, like_count," +
  " reply_count, created_at, edited_at, deleted_at";
const of = (alias, names) => names.split(", ").map((name) => `${alias}.${name}`).join(", ");

export function viewerOf(authorization) {
  const { sub, sid } = verify(authorization.slice(7));
  const session = all("SELECT account_id FROM session WHERE id = ? AND account_id = ? AND ended_at IS NULL", sid, sub);
  if (!session.length) throw new Error("The session has ended");
  const scopes = new Set([sub]);
  for (const row of all(STANDING, sub, sub, sub, sub, sub)) {
    if (row.home_id) for (const id of [row.home_id, row.building_id, row.estate_id]) scopes.add(id);
    scopes.add(row.community_id);
  }
  return { account: sub, scopes: [...scopes] };
}

export function pageOf(viewer, community, first) {
  if (!all("SELECT t.id, t.name, t.created_at FROM community t WHERE t.id IN (?)", community).length) return null;
  const rows = all(
    `SELECT ${of("t", POST)} FROM post t WHERE t.wall_id = ? AND ((t.deleted_at IS NULL)` +
      ` AND (t.scope_id IN (${marks(viewer.scopes.length)}))) ORDER BY t.id DESC LIMIT ${first + 1}`,
    community, ...viewer.scopes,
  );
  const edges = rows.slice(0, first).map((node) => ({ cursor: node.id, node }));
  return { edges, pageInfo: { hasNextPage: rows.length > first, endCursor: edges.at(-1)?.cursor } };
}

export function authorsOf(ids, communities) {
  const unique = [...new Set(ids)];
  const list = marks(unique.length);
  const found = new Map();
  const community = communities[0];
  for (const row of all(
    `SELECT a.id AS account_id, r.community_id, a.display_name AS name, CAST(NULL AS uuid) AS organisation_id, NULL AS role,` +
      ` b.name AS place FROM account a LEFT JOIN residency r ON r.account_id = a.id AND r.until IS NULL` +
      ` AND r.community_id IN (?) LEFT JOIN home h ON h.id = r.home_id LEFT JOIN building b ON b.id = h.building_id` +
      ` WHERE a.id IN (${list}) UNION ALL SELECT p.account_id, p.community_id, '', p.organisation_id, p.role, o.name` +
      ` FROM appointment p JOIN organisation o ON o.id = p.organisation_id` +
      ` WHERE p.revoked_at IS NULL AND p.account_id IN (${list}) AND p.community_id IN (?)`,
    community, ...unique, ...unique, community,
  )) {
    if (row.role === null) found.set(row.account_id, { id: row.account_id, displayName: row.name, building: row.place });
  }
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
    `SELECT ${of("c", COMMENT)} FROM json_each(?) AS parent CROSS JOIN comment c ON c.rowid IN (SELECT t.rowid FROM comment t` +
      ` WHERE t.subject_id = parent.value AND (1 = 1) ORDER BY t.id DESC LIMIT ${first + 1}) ORDER BY c.id DESC`,
    JSON.stringify(ids),
  );
  for (const node of rows) found.get(node.subject_id).push({ node });
  return ids.map((id) => ({ edges: found.get(id).slice(0, first) }));
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
