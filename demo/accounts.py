"""Signing in to the demo."""

from demo.people import ELSEWHERE, OFFICERS, ORGANISATIONS, RESIDENT_ELSEWHERE, RESIDENTS, VISITOR
from models import privacy
from models.identity import AccountRow
from models.messages import Message
from resolvers.context import Services
from resolvers.errors import NotFound
from resolvers.identity.sessions import open_session


async def token(services: Services, phone: str) -> str:
    """An access token for the account with this phone. Raises NotFound.

    It lasts as long as any access token; ask for another when it has expired.
    """
    index = services.keys.index(privacy.PHONE, privacy.normal_phone(phone))
    account = await AccountRow.get_or_none(phone_index=index)
    if account is None:
        raise NotFound(Message("No account has this phone"))
    return (await open_session(services, account.id, "demo")).access_token


def welcome(address: str) -> str:
    """What the server says at its start: where it is, and who can sign in."""
    officers = "\n".join(
        f"    {officer.phone}  {officer.name} · {ORGANISATIONS[officer.kind]} {officer.role.value}"
        for officer in OFFICERS
    )
    residents = "\n".join(
        f"    {resident.phone}  {resident.name} · {resident.estate}{'-'.join(resident.home)}"
        for resident in (*RESIDENTS[:3], *RESIDENTS[6:9])
    )
    return f"""
  Linli 邻里

  GraphQL       {address}/graphql   (HTTP, and WebSocket: graphql-transport-ws)
  GraphiQL      {address}/graphiql/
  health        {address}/healthz  {address}/readyz  {address}/metrics

  Demo accounts
{officers}
{residents}
    {RESIDENT_ELSEWHERE.phone}  {RESIDENT_ELSEWHERE.name} · {ELSEWHERE}
    {VISITOR[0]}  {VISITOR[1]} · not verified

  In a second terminal
    .venv/bin/python main.py scenario            plays the two scenes
    .venv/bin/python main.py token {RESIDENTS[1].phone}   prints an access token, good for ten minutes
  Or sign in with requestSignInCode and signInWithCode; the code appears here
"""
