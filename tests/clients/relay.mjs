// Relay: the compiler takes the printed schema and an app's operations; the runtime reads, writes and follows with them.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { buildSchema, parse, validate } from "graphql";
import { createClient } from "graphql-ws";
import relay from "relay-runtime";
import WebSocket from "ws";
import {
  Arrivals, HTTP, TOKENS, WEBSOCKET, addComment, checked, community, createPost, finish, key, within,
} from "./linli.mjs";

const HERE = import.meta.dirname;
const sdl = readFileSync(process.argv[2], "utf8");

// The compiler. It works in the current directory.
cpSync(resolve(HERE, "relay"), "src", { recursive: true });
mkdirSync("made");
writeFileSync("package.json", "{}");
writeFileSync("schema.graphql", sdl);
writeFileSync(
  "relay.config.json",
  JSON.stringify({
    src: "src",
    schema: "schema.graphql",
    artifactDirectory: "made",
    language: "javascript",
    eagerEsModules: false,
    customScalarTypes: { DateTime: "string" },
  }),
);
try {
  execFileSync(process.execPath, [resolve(HERE, "node_modules/relay-compiler/cli.js"), "relay.config.json"], {
    encoding: "utf8",
    stdio: "pipe",
  });
} catch (error) {
  assert.fail(`relay-compiler: ${error.stdout}${error.stderr}`);
}
const require = createRequire(resolve("made", "any.js"));
const made = Object.fromEntries(
  readdirSync("made").map((file) => [file.split(".")[0], require(`./${file}`)]),
);
const operations = Object.values(made).filter(({ kind }) => kind === "Request");
assert.equal(operations.length, 14);
const connections = (name) => made[name].metadata.connection.map(({ path }) => path.join("."));
assert.deepEqual(connections("Feed_community"), ["posts"]);
assert.deepEqual(connections("Thread_subject"), ["comments"]);
assert.equal(made.Notices_community.metadata.connection[0].direction, "bidirectional");
assert.deepEqual(made.LikeButton_liked.metadata.refetch.fragmentPathInResult, ["node"]);
assert.equal(made.LikeButton_liked.metadata.refetch.identifierInfo.identifierField, "id");
const schema = buildSchema(sdl);
for (const { params } of operations) assert.deepEqual(validate(schema, parse(params.text)), []);
checked(`relay-compiler compiles ${operations.length} operations against the printed schema`);

// The runtime.
const warnings = [];
console.warn = (...said) => warnings.push(said.join(" "));
console.error = (...said) => warnings.push(said.join(" "));

const { commitMutation, createOperationDescriptor, fetchQuery, getRequest, getSingularSelector, requestSubscription } =
  relay;
const authorization = `Bearer ${TOKENS.resident}`;
const socket = createClient({ url: WEBSOCKET, webSocketImpl: WebSocket, connectionParams: { authorization } });
const environment = new relay.Environment({
  store: new relay.Store(new relay.RecordSource()),
  network: relay.Network.create(
    async ({ text }, variables) => {
      const response = await fetch(HTTP, {
        method: "POST",
        headers: { "content-type": "application/json", authorization },
        body: JSON.stringify({ query: text, variables }),
      });
      return response.json();
    },
    ({ text, name }, variables) =>
      relay.Observable.create((sink) =>
        socket.subscribe({ query: text, operationName: name, variables }, {
          ...sink,
          error: (error) => sink.error(error instanceof Error ? error : new Error(JSON.stringify(error))),
        }),
      ),
  ),
});

const query = (name, variables) => within(fetchQuery(environment, made[name], variables).toPromise(), name);

/** Query and keep; what the operation itself reads. */
async function load(name, variables) {
  const data = await query(name, variables);
  environment.retain(createOperationDescriptor(getRequest(made[name]), variables));
  return data;
}

/** What a fragment reads from the store now; it must have all of its data. */
function read(name, reference) {
  const { data, isMissingData } = environment.lookup(getSingularSelector(made[name], reference));
  assert.equal(isMissingData, false, name);
  return data;
}

const mutate = (name, variables) =>
  within(
    new Promise((resolve, reject) => {
      commitMutation(environment, {
        mutation: made[name],
        variables,
        onCompleted: (data, errors) => (errors ? reject(new Error(JSON.stringify(errors))) : resolve(data)),
        onError: reject,
      });
    }),
    name,
  );

/** What arrives of a subscription, once the store has it. */
function follow(name, variables) {
  const arrivals = new Arrivals();
  const { dispose } = requestSubscription(environment, {
    subscription: made[name],
    variables,
    onNext: (data) => arrivals.push(Object.values(data)[0].event),
    onError: (error) => arrivals.fail(error),
  });
  return { arrivals, dispose };
}

// A thread in pages, with edges at both ends.
{
  const post = await createPost("neighbour", "relay: 谁家的快递放错了?");
  for (const number of [1, 2, 3, 4]) await addComment("neighbour", post, `第${number}条`);
  const { node } = await load("ThreadQuery", { id: post });
  assert.equal(node.id, post);
  const thread = () => read("Thread_subject", node.Thread_subject);
  const bodies = () =>
    thread().comments.edges.map(({ node }) => read("CommentCard_comment", node).body);
  assert.deepEqual(bodies(), ["第1条", "第2条", "第3条", "第4条"]);
  const list = thread().comments.__id;

  const other = follow("ThreadSubscription", { id: post, connections: [list] });
  assert.equal((await other.arrivals.next("StreamOpened")).__typename, "StreamOpened");

  const input = { subjectId: post, body: "是我的,马上来拿", idempotencyKey: key() };
  const appended = await mutate("ThreadAppendMutation", { input, connections: [list] });
  assert.equal(appended.addComment.__typename, "AddCommentPayload");
  assert.equal((await other.arrivals.next("the event of the own comment")).__typename, "CommentAdded");
  assert.deepEqual(bodies(), ["第1条", "第2条", "第3条", "第4条", "是我的,马上来拿"]);
  assert.equal(thread().commentCount, 5);
  checked("@appendEdge puts commentEdge at the end, once, though its event came too");

  await addComment("officer", post, "已联系快递员");
  await other.arrivals.next("the comment of somebody else");
  assert.equal(bodies().at(-1), "已联系快递员");
  assert.equal(thread().commentCount, 6);
  other.dispose();
  checked("a subscription's @appendNode puts somebody else's comment there, and the count is the post's");

  const first = { subjectId: post, body: "置顶说明", idempotencyKey: key() };
  await mutate("ThreadPrependMutation", { input: first, connections: [list] });
  assert.equal(bodies()[0], "置顶说明");
  checked("@prependEdge puts commentEdge in front");

  const problem = await mutate("ThreadAppendMutation", {
    input: { ...input, body: "", idempotencyKey: key() },
    connections: [list],
  });
  assert.equal(problem.addComment.__typename, "InvalidInput");
  assert.equal(problem.addComment.fields[0].name, "body");
  assert.equal(bodies().length, 7);
  checked("a problem appends nothing");
}

// The feed: pages merged by Relay's connection handler, a new post in front, gone when it is deleted.
{
  const id = await community();
  for (const number of [1, 2, 3, 4]) await createPost("neighbour", `relay: 第${number}帖`);
  const { viewer, node } = await load("FeedQuery", { id });
  assert.equal(viewer.displayName, "三楼的小雨");
  assert.equal(node.name, "丰盛社区");
  const posts = () => read("Feed_community", node.Feed_community).posts;
  assert.equal(posts().edges.length, 3);
  let pages = 1;
  while (posts().pageInfo.hasNextPage) {
    await query("FeedPageQuery", { id, count: 4, cursor: posts().pageInfo.endCursor });
    pages += 1;
  }
  const ids = () => posts().edges.map(({ node }) => node.id);
  assert.ok(pages >= 3);
  assert.equal(new Set(ids()).size, ids().length);
  const bodies = posts().edges.map(({ node }) => read("PostCard_post", node).body);
  assert.deepEqual(bodies.slice(0, 4), [4, 3, 2, 1].map((number) => `relay: 第${number}帖`));
  checked(`the feed in ${pages} pages through @connection and a @refetchable fragment`);

  const list = posts().__id;
  const stream = follow("ThreadPostsSubscription", { id, connections: [list] });
  await stream.arrivals.next("StreamOpened");
  const { createPost: created } = await mutate("ThreadCreatePostMutation", {
    input: { communityId: id, kind: "HELP", body: "relay: 借个梯子", idempotencyKey: key() },
    connections: [list],
  });
  const mine = created.postEdge.node.id;
  await stream.arrivals.find(({ __typename }) => __typename === "PostCreated", "the event of the own post");
  assert.equal(ids()[0], mine);
  assert.equal(ids().filter((id) => id === mine).length, 1);
  const card = read("PostCard_post", posts().edges[0].node);
  assert.equal(card.author.displayName, "三楼的小雨");

  const again = await query("LikeButtonRefetchQuery", { id: mine });
  assert.deepEqual(read("LikeButton_liked", again.node), { id: mine, likeCount: 0, viewerHasLiked: false });
  const anything = await query("AnythingRefetchQuery", { id: mine });
  assert.equal(read("Anything_node", anything.node).body, "relay: 借个梯子");
  checked("a @refetchable fragment on Node or on the interface Liked is fetched by the id");

  await mutate("ThreadDeletePostMutation", { input: { postId: mine }, connections: [list] });
  await stream.arrivals.find(({ __typename }) => __typename === "PostDeleted", "the event of the deletion");
  assert.ok(!ids().includes(mine));
  stream.dispose();
  checked("postEdge goes in front of the feed, and @deleteEdge takes it out again");

  // Backwards.
  const forward = await query("NoticesPageQuery", { id, first: 2 });
  assert.ok(forward.node);
  const backward = await query("NoticesPageQuery", { id, last: 2 });
  assert.ok(backward.node);
  checked("a connection that pages in both directions");
}

assert.deepEqual(warnings, []);
checked("Relay warned of nothing");
await socket.dispose();
finish();
