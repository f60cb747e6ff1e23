"""What an app sends about groups."""

PROBLEM = "... on Problem { code message } ... on InvalidInput { fields { name message } }"
GROUP = "group { id name access memberCount version viewerMembership { role alerts } }"
FOUND = f"""mutation Found($input: FoundGroupInput!) {{ foundGroup(input: $input) {{ __typename
  ... on FoundGroupPayload {{ {GROUP} }} {PROBLEM} }} }}"""
EDIT = f"""mutation Edit($input: EditGroupInput!) {{ editGroup(input: $input) {{ __typename
  ... on EditGroupPayload {{ {GROUP} }} {PROBLEM} ... on Conflict {{ current {{ id }} }} }} }}"""
ARCHIVE = f"""mutation Archive($input: SetGroupArchivedInput!) {{ setGroupArchived(input: $input) {{
  __typename
  ... on SetGroupArchivedPayload {{ {GROUP} }} {PROBLEM} }} }}"""
DISSOLVE = f"""mutation Dissolve($input: DissolveGroupInput!) {{ dissolveGroup(input: $input) {{ __typename
  ... on DissolveGroupPayload {{ dissolvedGroupId }} {PROBLEM} }} }}"""
JOIN = f"""mutation Join($input: JoinGroupInput!) {{ joinGroup(input: $input) {{ __typename
  ... on JoinGroupPayload {{ {GROUP} joinRequest {{ id status }} }} {PROBLEM} }} }}"""
DECIDE = f"""mutation Decide($input: DecideJoinRequestInput!) {{ decideJoinRequest(input: $input) {{
  __typename
  ... on DecideJoinRequestPayload {{ joinRequest {{ id status reason answers {{ answer }} }} }}
  {PROBLEM} }} }}"""
INVITE = f"""mutation Invite($input: InviteToGroupInput!) {{ inviteToGroup(input: $input) {{ __typename
  ... on InviteToGroupPayload {{ invitation {{ id status }} }} {PROBLEM} }} }}"""
ANSWER = f"""mutation Answer($input: AnswerGroupInvitationInput!) {{ answerGroupInvitation(input: $input) {{
  __typename ... on AnswerGroupInvitationPayload {{ invitation {{ id status group {{ id name }} }} }}
  {PROBLEM} }} }}"""
LEAVE = f"""mutation Leave($input: LeaveGroupInput!) {{ leaveGroup(input: $input) {{ __typename
  ... on LeaveGroupPayload {{ leftGroupId group {{ id }} }} {PROBLEM} }} }}"""
REMOVE = f"""mutation Remove($input: RemoveGroupMemberInput!) {{ removeGroupMember(input: $input) {{
  __typename
  ... on RemoveGroupMemberPayload {{ group {{ memberCount }} }} {PROBLEM} }} }}"""
FOLLOW = """subscription Follow($id: ID!, $after: String) { groupEvents(groupId: $id, after: $after) { cursor
  event { __typename
    ... on PostCreated { post { id body audience group { id name } author { displayName } } }
    ... on PostChanged { post { id state } }
    ... on PostDeleted { deletedPostId }
    ... on GroupChanged { group { id name memberCount } }
    ... on GroupDissolved { dissolvedGroupId }
    ... on JoinRequestChanged { joinRequest { id status } } } } }"""
