// The pages' statements over better-sqlite3, who asks, and the schema: what both rivals in Node share.
import { readFileSync } from "node:fs";
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
// What stands in IN's parentheses, and its values.
const among = (ids) => (ids.length > 16 ? ["SELECT value FROM json_each(?)", [JSON.stringify(ids)]] : [marks(ids.length), ids]);
const verify = createVerifier({
  key: process.env.LINLI_TOKEN_KEY, algorithms: ["HS256"], allowedIss: "linli", allowedAud: "linli-api", cache: true,
});

// The very statements that Linli runs for the pages, with all their columns.
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
  " UNION ALL SELECT account_id, community_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '' FROM residency_application WHERE account_id IN (?)" +
  " UNION ALL SELECT account_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ''" +
  " FROM session WHERE id = ? AND account_id = ? AND ended_at IS NULL";
const POST = "id, community_id, scope_id, wall_id, author_id, estate_id, kind, state, body, card_id, comment_count," +
  " like_count, hot, pinned_at, created_at, edited_at, deleted_at, version";
const COMMENT = "id, community_id, subject_kind, subject_id, author_id, reply_to_id, parent_id, body, like_count," +
  " reply_count, created_at, edited_at, deleted_at";
const NOTICE = "id, community_id, organisation_id, author_id, root_id, supersedes_id, category, severity, status, title," +
  " body, starts_at, ends_at, created_at, cancelled_at, cancel_reason, comment_count, version";
const AUDIENCE = "id, notice_id, kind, scope_id, label, organisation_kind, role";
const REACH = "id, notice_id, building_id, targeted, delivered, seen, acknowledged, in_person";
const RECEIPT = "id, community_id, notice_id, home_id, building_id, delivered_at, seen_at, acknowledged_at, reached_at," +
  " reached_by_id, reached_how, reached_note";
const REQUEST = "id, created_at, community_id, number, scope_id, reporter_id, post_id, category, policy_id, title, body," +
  " estate_id, building_id, home_id, area, state, office_id, offered_to_id, holder_id, overseer_id, assignee_id," +
  " tenure_id, offered_tenure_id, waiting_for, accept_by, resolve_by, due_at, paused_at, reminded_for, escalated_for," +
  " escalated_at, done_at, confirm_by, confirm_reminded_at, confirmed_by, closed_at, duplicate_of_id, follower_count," +
  " rating, rating_comment, step_count, version";
const of = (alias, names) => names.split(", ").map((name) => `${alias}.${name}`).join(", ");
const OPEN = ["ACCEPTED", "ASSIGNED", "DONE", "HANDED_OVER", "IN_PROGRESS", "RETURNED", "SUBMITTED", "WAITING"];
const IN_HAND = ["ACCEPTED", "ASSIGNED", "IN_PROGRESS"];
const BUCKETS = [
  ["TO_ACCEPT", "holder_id", ["SUBMITTED"]], ["HANDED_OVER_TO_US", "holder_id", ["HANDED_OVER"]],
  ["IN_HAND", "holder_id", IN_HAND], ["WAITING", "holder_id", ["WAITING"]], ["RETURNED", "holder_id", ["RETURNED"]],
  ["OVERDUE", "holder_id", null], ["HANDED_OVER", "office_id", ["HANDED_OVER"]], ["TO_CONFIRM", "holder_id", ["DONE"]],
  ["ESCALATED", "overseer_id", OPEN],
];
const COUNTS = BUCKETS.map(([bucket, column, states]) => {
  const where = !states ? "t.due_at < ?"
    : bucket === "ESCALATED" ? `(t.escalated_at IS NOT NULL) AND (t.state IN (${marks(states.length)}))`
    : `t.state IN (${marks(states.length)})`;
  return `SELECT t.${column} AS organisation_id, '${bucket}' AS bucket, COUNT(*) AS number` +
    ` FROM service_request t WHERE t.${column} IN (?) AND (${where}) GROUP BY t.${column}`;
}).join(" UNION ALL ");

export function viewerOf(authorization) {
  const { sub, sid } = verify(authorization.slice(7));
  const facts = all(STANDING, sub, sub, sub, sub, sub, sid, sub);
  if (facts.every((row) => row.community_id)) throw new Error("The session has ended");
  const scopes = new Set([sub]);
  const offices = new Set();
  for (const row of facts) {
    if (!row.community_id) continue;
    if (row.home_id) for (const id of [row.home_id, row.building_id, row.estate_id]) scopes.add(id);
    if (row.organisation_id) offices.add(row.organisation_id);
    scopes.add(row.community_id);
  }
  return { account: sub, scopes: [...scopes, ...offices], offices };
}

// One for each of `ids`, by one statement.
function byId(table, names, ids) {
  const [list, values] = among([...new Set(ids)]);
  const rows = all(`SELECT ${of("t", names)} FROM ${table} t WHERE t.id IN (${list})`, ...values);
  const found = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => found.get(id) ?? null);
}

const connection = (rows, first) => {
  const edges = rows.slice(0, first).map((node) => ({ cursor: node.id, node }));
  return { edges, pageInfo: { hasNextPage: rows.length > first, endCursor: edges.at(-1)?.cursor } };
};
const listed = (table, names, by, id, where, order, first, ...params) => connection(all(
  `SELECT ${of("t", names)} FROM ${table} t WHERE t.${by} = ? AND (${where}) ORDER BY t.id ${order} LIMIT ${first + 1}`,
  id, ...params,
), first);

function feedOf(viewer, community, first) {
  if (!all("SELECT t.id, t.name, t.created_at FROM community t WHERE t.id IN (?)", community).length) return null;
  const where = `(t.deleted_at IS NULL) AND (t.scope_id IN (${marks(viewer.scopes.length)}))`;
  return listed("post", POST, "wall_id", community, where, "DESC", first, ...viewer.scopes);
}

const commentsBelow = (by, order) => (parents, { first }) => {
  if (parents.length === 1) return [listed("comment", COMMENT, by, parents[0].id, "1 = 1", order, first)];
  const found = new Map(parents.map(({ id }) => [id, []]));
  const rows = all(
    `SELECT ${of("c", COMMENT)} FROM json_each(?) AS parent CROSS JOIN comment c ON c.rowid IN (SELECT t.rowid FROM comment t` +
      // Whether more follows is asked only of the page of one parent.
      ` WHERE t.${by} = parent.value AND (1 = 1) ORDER BY t.id ${order} LIMIT ${first})`,
    JSON.stringify([...found.keys()]),
  );
  for (const row of rows) found.get(row[by]).push(row);
  const [before, after] = order === "DESC" ? [1, -1] : [-1, 1];
  for (const below of found.values()) below.sort((one, other) => (one.id < other.id ? before : after));
  return parents.map(({ id }) => connection(found.get(id), first));
};

const faces = (column) => (rows) => {
  const [list, values] = among([...new Set(rows.map((row) => row[column]))]);
  const found = new Map();
  const community = rows[0].community_id;
  for (const row of all(
    `SELECT a.id AS account_id, r.community_id, a.display_name AS name, CAST(NULL AS uuid) AS organisation_id, NULL AS role,` +
      ` b.name AS place FROM account a LEFT JOIN residency r ON r.account_id = a.id AND r.until IS NULL` +
      ` AND r.community_id IN (?) LEFT JOIN home h ON h.id = r.home_id LEFT JOIN building b ON b.id = h.building_id` +
      ` WHERE a.id IN (${list}) UNION ALL SELECT p.account_id, p.community_id, '', p.organisation_id, p.role, o.name` +
      ` FROM appointment p JOIN organisation o ON o.id = p.organisation_id` +
      ` WHERE p.revoked_at IS NULL AND p.account_id IN (${list}) AND p.community_id IN (?)`,
    community, ...values, ...values, community,
  )) {
    if (row.role === null) found.set(row.account_id, { id: row.account_id, displayName: row.name, building: row.place });
  }
  return rows.map((row) => found.get(row[column]) ?? null);
};

function liked(rows, _args, { viewer }) {
  const [list, values] = among(rows.map(({ id }) => id));
  const found = new Set(all(
    `SELECT subject_id FROM appreciation WHERE account_id = ? AND subject_id IN (${list})`, viewer.account, ...values,
  ).map((row) => row.subject_id));
  return rows.map(({ id }) => found.has(id));
}

const homes = (rows) => byId("home", "id, community_id, building_id, unit, number, area_cm2", rows.map((row) => row.home_id));
const buildings = (rows) => byId("building", "id, community_id, estate_id, grid_id, name", rows.map((row) => row.building_id));
const organisation = (id) => byId("organisation", "id, community_id, kind, name, version", [id])[0];
const visible = (table, names, id, where, scopes) =>
  all(`SELECT ${of("t", names)} FROM ${table} t WHERE t.id IN (?) AND ${where(marks(scopes.length))}`, id, ...scopes)[0];
const now = () => new Date().toISOString().replace("T", " ").replace("Z", "000+00:00");
const check = (viewer, office) => {
  if (!viewer.offices.has(office)) throw new Error("Not allowed");
};

function reachOf(notice, _args, { viewer }) {
  check(viewer, notice.organisation_id);
  const [row] = all(
    "SELECT notice_id, SUM(targeted) AS targeted, SUM(delivered) AS delivered, SUM(seen) AS seen," +
      " SUM(acknowledged) AS acknowledged, SUM(in_person) AS in_person" +
      " FROM building_reach WHERE notice_id IN (?) GROUP BY notice_id", notice.id,
  );
  return row;
}

function countsOf({ id }, _args, { viewer }) {
  check(viewer, id);
  const row = Object.fromEntries(BUCKETS.map(([bucket]) => [bucket.toLowerCase(), 0]));
  for (const { bucket, number } of all(COUNTS, ...BUCKETS.flatMap(([, , states]) => [id, ...(states ?? [now()])]))) {
    row[bucket.toLowerCase()] = number;
  }
  return row;
}

function queueOf({ id }, { first }, { viewer }) {
  check(viewer, id);
  const where = `(t.state IN (${marks(IN_HAND.length)})) AND (t.holder_id IN (?))`;
  return listed("service_request", REQUEST, "holder_id", id, where, "ASC", first, ...IN_HAND, id);
}

// A field for each column, every one with code of its own for the JIT.
const plain = (names) => Object.fromEntries(names.split(" ").map((name) => {
  const column = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return [name, new Function("row", `return row.${column}`)];
}));
const reached = (row) => row.acknowledged + row.in_person;

// What is found for one object.
export const resolvers = {
  Query: {
    community: (_root, { id }) => ({ id }),
    post: (_root, { id }, { viewer }) => visible(
      "post", POST, id, (list) => `(t.deleted_at IS NULL) AND (t.scope_id IN (${list}))`, viewer.scopes,
    ),
    notice: (_root, { id }, { viewer }) => visible(
      "notice", NOTICE, id,
      (list) => `EXISTS (SELECT 1 FROM notice_audience a WHERE a.notice_id = t.id AND a.scope_id IN (${list}))`, viewer.scopes,
    ),
    organisation: (_root, { id }) => organisation(id),
  },
  Community: { posts: ({ id }, { first }, { viewer }) => feedOf(viewer, id, first) },
  Post: plain("createdAt commentCount likeCount"),
  Comment: plain("createdAt likeCount replyCount"),
  Notice: {
    ...plain("createdAt startsAt endsAt commentCount"),
    validNow: (row) => row.status === "ACTIVE" && row.starts_at <= now() && (row.ends_at === null || now() < row.ends_at),
    organisation: (row) => organisation(row.organisation_id),
    audience: ({ id }) => all(
      `SELECT ${of("t", AUDIENCE)} FROM notice_audience t WHERE t.notice_id IN (?) AND t.kind <> ? ORDER BY t.id`, id, "OFFICE",
    ),
    reach: reachOf,
  },
  Reach: {
    ...plain("inPerson"),
    reached,
    byBuilding: (row, { first }) => listed("building_reach", REACH, "notice_id", row.notice_id, "1 = 1", "ASC", first),
    unreached: (row, { first }) => listed(
      "receipt", RECEIPT, "notice_id", row.notice_id, "t.acknowledged_at IS NULL AND t.reached_at IS NULL", "ASC", first,
    ),
  },
  BuildingReach: { ...plain("inPerson"), reached },
  Receipt: {
    ...plain("deliveredAt seenAt"),
    progress: (row) => (row.seen_at ? "SEEN" : row.delivered_at ? "DELIVERED" : "TARGETED"),
  },
  Organisation: { requestCounts: countsOf, requestQueue: queueOf },
  RequestCounts: plain("toAccept handedOverToUs inHand handedOver toConfirm"),
  ServiceRequest: {
    ...plain("stepCount followerCount createdAt acceptBy resolveBy dueAt escalatedAt"),
    overdue: (row) => row.due_at !== null && row.due_at < now(),
  },
};

// What is found for all objects of a level at once: (objects, arguments, context) => one value for each.
export const loaders = {
  Post: { author: faces("author_id"), viewerHasLiked: liked, comments: commentsBelow("subject_id", "DESC"),
    threads: commentsBelow("parent_id", "ASC") },
  Comment: { author: faces("author_id"), viewerHasLiked: liked, replies: commentsBelow("parent_id", "ASC") },
  Notice: { author: faces("author_id") },
  BuildingReach: { building: buildings },
  Receipt: { home: homes, building: buildings },
  ServiceRequest: { home: homes, building: buildings, reporter: faces("reporter_id"), assignee: faces("assignee_id") },
};

export const sdl = readFileSync(new URL("schema.graphql", import.meta.url), "utf8");
