// The comments below a post or a notice: read, written, followed.
import { graphql } from "relay-runtime";

graphql`
  query ThreadQuery($id: ID!) {
    node(id: $id) {
      id
      ...Thread_subject @alias
    }
  }
`;

graphql`
  fragment Thread_subject on Commented
  @refetchable(queryName: "ThreadPageQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" }) {
    commentCount
    comments(first: $count, after: $cursor) @connection(key: "Thread_comments") {
      __id
      edges {
        node {
          id
          ...CommentCard_comment
        }
      }
    }
  }
`;

graphql`
  fragment CommentCard_comment on Comment {
    body
    createdAt
    author {
      displayName
    }
    replyTo {
      id
    }
  }
`;

graphql`
  mutation ThreadAppendMutation($input: AddCommentInput!, $connections: [ID!]!) @raw_response_type {
    addComment(input: $input) {
      __typename
      ... on AddCommentPayload {
        commentEdge @appendEdge(connections: $connections) {
          node {
            ...CommentCard_comment
          }
        }
        subject {
          ...CommentCount_commented
        }
      }
      ... on InvalidInput {
        fields {
          name
          message
        }
      }
      ... on Problem {
        code
        message
      }
    }
  }
`;

graphql`
  mutation ThreadPrependMutation($input: AddCommentInput!, $connections: [ID!]!) {
    addComment(input: $input) {
      ... on AddCommentPayload {
        commentEdge @prependEdge(connections: $connections) {
          cursor
          node {
            ...CommentCard_comment
          }
        }
      }
    }
  }
`;

graphql`
  mutation ThreadCreatePostMutation($input: CreatePostInput!, $connections: [ID!]!) {
    createPost(input: $input) {
      __typename
      ... on CreatePostPayload {
        postEdge @prependEdge(connections: $connections) {
          node {
            id
            ...PostCard_post
          }
        }
      }
    }
  }
`;

graphql`
  mutation ThreadDeletePostMutation($input: DeletePostInput!, $connections: [ID!]!) {
    deletePost(input: $input) {
      __typename
      ... on DeletePostPayload {
        deletedPostId @deleteEdge(connections: $connections)
      }
    }
  }
`;

graphql`
  subscription ThreadSubscription($id: ID!, $after: String, $connections: [ID!]!) {
    commentEvents(subjectId: $id, after: $after) {
      cursor
      event {
        __typename
        ... on CommentAdded {
          comment @appendNode(connections: $connections, edgeTypeName: "CommentEdge") {
            id
            ...CommentCard_comment
          }
          subject {
            ...CommentCount_commented
          }
        }
        ... on CommentChanged {
          comment {
            ...CommentCard_comment
          }
        }
        ... on StreamReset {
          reason
        }
      }
    }
  }
`;

graphql`
  subscription ThreadPostsSubscription($id: ID!, $connections: [ID!]!) {
    postEvents(communityId: $id) {
      cursor
      event {
        __typename
        ... on PostCreated {
          post @prependNode(connections: $connections, edgeTypeName: "PostEdge") {
            ...PostCard_post
          }
        }
        ... on PostDeleted {
          deletedPostId @deleteRecord
        }
      }
    }
  }
`;
