"""What an app sends to deliberate."""

PROBLEM = "... on Problem { code message } ... on InvalidInput { fields { name message } }"
PROPOSE = f"""mutation Propose($input: ProposeDeliberationInput!) {{ proposeDeliberation(input: $input) {{
  __typename ... on ProposeDeliberationPayload {{ deliberationEdge {{ node {{ id phase version }} }} }}
  {PROBLEM} }} }}"""
ACCEPT = f"""mutation Accept($input: AcceptDeliberationInput!) {{ acceptDeliberation(input: $input) {{
  __typename ... on AcceptDeliberationPayload {{ deliberation {{ id phase version }} }} {PROBLEM} }} }}"""
MOVE = f"""mutation Move($input: MoveDeliberationInput!) {{ moveDeliberation(input: $input) {{
  __typename ... on MoveDeliberationPayload {{ deliberation {{ phase version }} }} {PROBLEM} }} }}"""
SAY = f"""mutation Say($input: AddStatementInput!) {{ addStatement(input: $input) {{ __typename
  ... on AddStatementPayload {{ statementEdge {{ node {{ id number body }} }} }} {PROBLEM}
  ... on Conflict {{ current {{ id }} }} }} }}"""
VOTE = f"""mutation Vote($input: VoteOnStatementInput!) {{ voteOnStatement(input: $input) {{ __typename
  ... on VoteOnStatementPayload {{ statement {{ viewerVote voteCount }}
    deliberation {{ participantCount viewerStatementsLeft }} }} {PROBLEM} }} }}"""
PUBLISH = f"""mutation Publish($input: PublishOutcomeInput!) {{ publishOutcome(input: $input) {{ __typename
  ... on PublishOutcomePayload {{ deliberation {{ version outcome {{ body version }} }} }} {PROBLEM} }} }}"""
ADD = f"""mutation Add($input: AddExecutionItemInput!) {{ addExecutionItem(input: $input) {{ __typename
  ... on AddExecutionItemPayload {{ item {{ id state version }} }} {PROBLEM} }} }}"""
STATE = f"""mutation State($input: SetExecutionStateInput!) {{ setExecutionState(input: $input) {{ __typename
  ... on SetExecutionStatePayload {{ item {{ id state version }} }} {PROBLEM} }} }}"""
CHECK = f"""mutation Check($input: CheckExecutionItemInput!) {{ checkExecutionItem(input: $input) {{
  __typename ... on CheckExecutionItemPayload {{ item {{ id state confirmedCount }} }} {PROBLEM} }} }}"""
