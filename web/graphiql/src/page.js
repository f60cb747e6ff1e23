import 'graphiql/style.css';
import './page.css';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';

const endpoint = new URL('/graphql', location.href);
const socket = new URL(endpoint);
socket.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';

// The fetcher opens a socket a subscription and sends the headers editor's content as connection_init payload,
// so that a token typed there serves queries and subscriptions alike.
const fetcher = createGraphiQLFetcher({
  url: endpoint.href,
  subscriptionUrl: socket.href,
  enableIncrementalDelivery: false,
});

const defaultQuery = `# 邻里 GraphQL
#
# 登录后请在下方 Headers 中填写令牌：
# Once signed in, put the token under Headers:
#   {"Authorization": "Bearer …"}
#
# Ctrl-Enter 运行 / run
# Ctrl-Space 补全 / complete

query Communities {
  communities(first: 5) {
    edges {
      node {
        id
        name
      }
    }
  }
}
`;

createRoot(document.getElementById('graphiql')).render(
  createElement(GraphiQL, { fetcher, defaultQuery, defaultEditorToolsVisibility: 'headers' }),
);
