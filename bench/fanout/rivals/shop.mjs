// What the Node rivals share: the schema, the data, and a way to publish and to count.
export const typeDefs = `
type Query { ok: Boolean }
type Subscription { postEvents(communityId: ID!): Envelope! }
type Envelope { cursor: String! event: PostCreated! }
type PostCreated { post: Post! }
type Post { id: ID! body: String! createdAt: String! commentCount: Int! likeCount: Int! author: Author! }
type Author { id: ID! displayName: String! }
`;

let number = 0;

export function envelope(body) {
  number += 1;
  const id = `UG9zdDowMTlhYmMwMS0yMzQ1LTc4OTAtYWJjZC1l${String(number).padStart(10, "0")}`;
  const author = { id: "TmVpZ2hib3VyOjAxOWFiYzAxLTIzNDUtNzg5MC1hYmNkLWVmMDEyMzQ1Njc4OQ", displayName: "邻居42" };
  const post = { id, body, createdAt: new Date().toISOString(), commentCount: 0, likeCount: 0, author };
  return { cursor: id, event: { post } };
}

export const port = Number(process.argv[2]);
