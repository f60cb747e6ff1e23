"""What an app sends about activities."""

PROBLEM = "... on Problem { code message } ... on InvalidInput { fields { name message } }"
CREATE_ACTIVITY = f"""mutation Create($input: CreateActivityInput!) {{ createActivity(input: $input) {{
  __typename ... on CreateActivityPayload {{ activity {{ id version series {{ id }} }} }} {PROBLEM} }} }}"""
EDIT_ACTIVITY = f"""mutation Edit($input: EditActivityInput!) {{ editActivity(input: $input) {{ __typename
  ... on EditActivityPayload {{ activity {{ id version place capacity }} }} {PROBLEM} }} }}"""
SIGN_UP = f"""mutation SignUp($input: SignUpForActivityInput!) {{ signUpForActivity(input: $input) {{
  __typename ... on SignUpForActivityPayload {{ signUp {{ id state waitingPosition }} }} {PROBLEM} }} }}"""
SIGN_OFF = f"""mutation SignOff($input: CancelActivitySignUpInput!) {{ cancelActivitySignUp(input: $input) {{
  __typename ... on CancelActivitySignUpPayload {{ signUp {{ id state }} }} {PROBLEM} }} }}"""
CHECK_IN = f"""mutation CheckIn($input: CheckInInput!) {{ checkIn(input: $input) {{ __typename
  ... on CheckInPayload {{ signUp {{ checkedInAt checkedInBy }} }} {PROBLEM} }} }}"""
ACTIVITY = """query Activity($id: ID!) { node(id: $id) { ... on Activity { seatsTaken seatsLeft goingCount
  waitingCount checkedInCount onlineUrl viewerCanOrganise checkInCode { code } attendanceCsv
  viewerSignUp { state companions waitingPosition checkedInBy }
  signUps(first: 100) { edges { node { id state companions neighbour { displayName } } } } } } }"""
ACTIVITY_EVENTS = """subscription Events($community: ID!, $activity: ID) {
  activityEvents(communityId: $community, activityId: $activity) { cursor event { __typename
    ... on ActivityCountersChanged { activity { seatsTaken waitingCount } }
    ... on ActivitySignUpChanged { signUp { state } }
    ... on ActivityChanged { activity { place } } } } }"""
