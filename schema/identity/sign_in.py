"""Signing in and out, sessions, and the account's own profile."""

from datetime import datetime
from typing import Any

import strawberry

from models.identity import AccountRow, SessionRow
from models.messages import Message
from models.visibility import viewers
from resolvers import errors
from resolvers.identity import accounts, sessions, sign_in
from schema.connections import Connection, connection
from schema.execution.type_resolution import IsA
from schema.fields import VIEWER, Info, loaded
from schema.links import Community, Viewer
from schema.mutations import mutation, payload, shown
from schema.node import Node, fetched_by, key_of
from schema.problems import InvalidInput, NotFound, RateLimited


@fetched_by(sessions.visible_sessions_by_id)
@strawberry.type(description="A sign-in on one device.")
class Session(Node):
    device: str = strawberry.field(description="What the device called itself; may be empty.")
    created_at: datetime = strawberry.field(description="When it signed in.")
    refreshed_at: datetime = strawberry.field(description="When it was last refreshed.")
    ended_at: datetime | None = strawberry.field(description="When it was signed out, if it was.")

    @strawberry.field(description="Whether it is the one that asks.", metadata=VIEWER)
    @staticmethod
    def is_current(root: strawberry.Parent[SessionRow], info: Info) -> bool:
        return root.id == info.context.viewer.session_id

    is_type_of = IsA(SessionRow)


def has_password_of(root: strawberry.Parent[AccountRow]) -> bool:
    return root.password_hash is not None


@strawberry.type
class ViewerAccount:
    """What signing in adds to the viewer."""

    display_name: str = strawberry.field(description="The name that neighbours see.")
    language: str = strawberry.field(description="The language of messages, as in `zh-Hans` or `en`.")
    created_at: datetime = strawberry.field(description="When the account was made.")
    masked_phone: str = loaded(accounts.masked_phones, description="The phone, as in `138****8000`.")
    communities: list[Community] = loaded(
        accounts.communities_of,
        description="Where the account lives or holds office.",
        viewer=True,
    )
    has_password: bool = strawberry.field(resolver=has_password_of, description="Whether a password is set.")
    sessions: Connection[Session] = connection(
        sessions.sessions_of, description="Where the account is signed in, the newest first."
    )


def device_token_field() -> Any:
    return strawberry.field(
        default=None,
        description="From an earlier sign-in of this phone on this device."
        " With it, the attempts of strangers do not delay this sign-in.",
    )


def in_cookie_field() -> Any:
    return strawberry.field(
        default=False,
        description="For web pages of the server's origin:"
        " the refresh token is set as a cookie that no script reads, and left out of the answer.",
    )


@strawberry.input(description="Whom to send a code.")
class RequestSignInCodeInput:
    phone: str = strawberry.field(
        description="With country code, as in `+8613800138000`; without one it is of mainland China."
    )
    device_token: str | None = device_token_field()


@payload("A code is on its way, whether or not the phone has an account.")
class RequestSignInCodePayload:
    challenge: str = strawberry.field(description="For `signInWithCode`, with the code.")
    expires_at: datetime = strawberry.field(description="Until when the code is good.")


@strawberry.input(description="A code that was sent to a phone.")
class SignInWithCodeInput:
    challenge: str = strawberry.field(description="What `requestSignInCode` has answered.")
    phone: str = strawberry.field(description="The phone that it was sent to.")
    code: str = strawberry.field(description="The six digits.")
    display_name: str | None = strawberry.field(
        default=None, description="The name to be seen under, for the first sign-in; up to 30 characters."
    )
    device_token: str | None = device_token_field()
    in_cookie: bool = in_cookie_field()


@strawberry.input(description="A phone and its account's password.")
class SignInWithPasswordInput:
    phone: str = strawberry.field(description="The phone.")
    password: str = strawberry.field(description="The password.")
    device_token: str | None = device_token_field()
    in_cookie: bool = in_cookie_field()


@strawberry.input(description="A refresh token, which works once.")
class RefreshSessionInput:
    refresh_token: str | None = strawberry.field(
        default=None,
        description="The newest one; by default the one in the browser's cookie."
        " The one before gives the same answer for 30 seconds more on the same device,"
        " in case the answer was lost. Any other ends the session.",
    )


@strawberry.type(description="The credentials of a session. They are shown this once.")
class Credentials:
    access_token: str = strawberry.field(description="For the Authorization header: `Bearer …`.")
    access_token_expires_at: datetime = strawberry.field(description="Until when it is good.")
    refresh_token: str | None = strawberry.field(
        description="For `refreshSession`, once. Keep it secret. Null if it is in a cookie."
    )
    device_token: str | None = strawberry.field(
        description="Of a sign-in: keep it, and send it with the next one of the same phone on this device."
    )


@payload("Signed in.")
class SignInPayload:
    credentials: Credentials = strawberry.field(description="What to send from now on.")
    viewer: AccountRow = shown(Viewer, "The account.")


@payload("The session goes on.")
class RefreshSessionPayload:
    credentials: Credentials = strawberry.field(description="What to send from now on.")


@strawberry.input(description="Which session to end.")
class EndSessionInput:
    session_id: strawberry.ID | None = strawberry.field(
        default=None, description="Without it, the one that asks."
    )


@payload("The session has ended, and its connections with it.")
class EndSessionPayload:
    session: SessionRow = shown(Session, "As it is now.")


@payload("All sessions of the account have ended.")
class SignOutEverywherePayload:
    ended: int = strawberry.field(description="How many there were.")


@strawberry.input(description="A new password.")
class SetPasswordInput:
    new_password: str = strawberry.field(
        description="10 to 128 characters that are not soon guessed by whoever knows the phone or the name."
    )
    current_password: str | None = strawberry.field(
        default=None, description="Needed unless the session began less than ten minutes ago."
    )


@payload("The password is set; the account's other sessions have ended.")
class SetPasswordPayload:
    viewer: AccountRow = shown(Viewer, "The account.")


@strawberry.input(description="What to change; the rest stays.")
class UpdateProfileInput:
    display_name: str | None = strawberry.field(
        default=None, description="The name that neighbours see, up to 30 characters."
    )
    language: str | None = strawberry.field(default=None, description="`zh-Hans` or `en`.")


@payload("The profile is changed.")
class UpdateProfilePayload:
    viewer: AccountRow = shown(Viewer, "The account.")


def credentials_of(info: Info, signed_in: sessions.SignedIn, *, in_cookie: bool) -> Credentials:
    if in_cookie and info.context.cookie:
        info.context.cookie.given = signed_in.refresh_token
    return Credentials(
        access_token=signed_in.access_token,
        access_token_expires_at=signed_in.expires_at,
        refresh_token=None if in_cookie else signed_in.refresh_token,
        device_token=signed_in.device_token,
    )


def check_cookie(info: Info, *, wanted: bool) -> None:
    """Before anything is done. Raises InvalidInput where an answer can keep no cookie."""
    if wanted and info.context.cookie is None:
        raise errors.InvalidInput(inCookie=Message("Is for web pages of the server's own origin, over HTTP"))


async def welcome(info: Info, signed_in: sessions.SignedIn, *, in_cookie: bool) -> SignInPayload:
    """The payload of a sign-in, whose fields are read as the account that signed in."""
    found = await viewers({signed_in.account.id: signed_in.session_id})
    info.context.holder = found[signed_in.account.id]
    credentials = credentials_of(info, signed_in, in_cookie=in_cookie)
    return SignInPayload(credentials=credentials, viewer=signed_in.account)


def forget_cookie(info: Info) -> None:
    if info.context.cookie and info.context.cookie.sent:
        info.context.cookie.given = ""


@strawberry.type
class SignInMutation:
    @mutation(InvalidInput, RateLimited)
    async def request_sign_in_code(
        self, info: Info, input: RequestSignInCodeInput
    ) -> RequestSignInCodePayload:
        """Send a sign-in code to a phone. Once a minute and five times an hour for a phone and an address."""
        challenge = await sign_in.request_code(
            info.context, phone=input.phone, device_token=input.device_token
        )
        return RequestSignInCodePayload(challenge=challenge.name, expires_at=challenge.expires_at)

    @mutation(InvalidInput, RateLimited)
    async def sign_in_with_code(self, info: Info, input: SignInWithCodeInput) -> SignInPayload:
        """Sign in with a code; the first time this makes the account."""
        check_cookie(info, wanted=input.in_cookie)
        signed_in = await sign_in.with_code(
            info.context,
            challenge=input.challenge,
            phone=input.phone,
            code=input.code,
            display_name=input.display_name,
            device_token=input.device_token,
        )
        return await welcome(info, signed_in, in_cookie=input.in_cookie)

    @mutation(InvalidInput, RateLimited)
    async def sign_in_with_password(self, info: Info, input: SignInWithPasswordInput) -> SignInPayload:
        """Sign in with a password."""
        check_cookie(info, wanted=input.in_cookie)
        signed_in = await sign_in.with_password(
            info.context, phone=input.phone, password=input.password, device_token=input.device_token
        )
        return await welcome(info, signed_in, in_cookie=input.in_cookie)

    @mutation()
    async def refresh_session(self, info: Info, input: RefreshSessionInput) -> RefreshSessionPayload:
        """Get a new access token and a new refresh token. A refresh token that is not good is an
        UNAUTHENTICATED error: sign in again.
        """
        cookie = info.context.cookie
        in_cookie = input.refresh_token is None
        token = (cookie and cookie.sent) if in_cookie else input.refresh_token
        signed_in = await sessions.refresh_session(info.context, token=token or "")
        return RefreshSessionPayload(credentials=credentials_of(info, signed_in, in_cookie=in_cookie))

    @mutation(InvalidInput, NotFound)
    async def end_session(self, info: Info, input: EndSessionInput) -> EndSessionPayload:
        """Sign out, or end another session of the account."""
        key = key_of("sessionId", input.session_id, "Session") if input.session_id else None
        row = await sessions.end_session(info.context, session_id=key)
        if row.id == info.context.viewer.session_id:
            forget_cookie(info)
        return EndSessionPayload(session=row)

    @mutation()
    async def sign_out_everywhere(self, info: Info) -> SignOutEverywherePayload:
        """
        End all sessions of the account, the one that asks included. The address of its calendar ends too.
        """
        ended = await sessions.sign_out_everywhere(info.context)
        forget_cookie(info)
        return SignOutEverywherePayload(ended=ended)

    @mutation(InvalidInput, RateLimited)
    async def set_password(self, info: Info, input: SetPasswordInput) -> SetPasswordPayload:
        """Set or change the password, and end the account's other sessions."""
        await sign_in.set_password(info.context, new=input.new_password, current=input.current_password)
        account = await accounts.account_of(info.context)
        return SetPasswordPayload(viewer=account)

    @mutation(InvalidInput)
    async def update_profile(self, info: Info, input: UpdateProfileInput) -> UpdateProfilePayload:
        """Change the name that neighbours see, or the language."""
        account = await accounts.update_profile(
            info.context, display_name=input.display_name, language=input.language
        )
        return UpdateProfilePayload(viewer=account)
