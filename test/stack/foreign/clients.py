"""Drives published Python clients against a service.

It reads one JSON object a line from standard input, {"op": name, ...arguments}, and writes one a line: {"result": ...} or
{"error": "Class: message"}. Clients live as long as the process, so what they remember is as in a real program.
"""

import json
import os
import sys
import time
import warnings

# "later" moves this clock. Clients fetch keys anew for an unknown key id at most every 30 seconds of it.
_monotonic = time.monotonic
_later = 0.0
time.monotonic = lambda: _monotonic() + _later

import jwt
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc6749 import ResourceProtector
from authlib.oauth2.rfc7662 import IntrospectTokenValidator
from grantex import Grantex, LegacyClaimsWarning, ToolManifest

URL = os.environ["SERVICE_URL"]
API_KEY = os.environ["API_KEY"]
# The network is the loopback interface here.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "true"

MANIFEST = ToolManifest(connector="calendar", tools={"list_events": "read", "delete_event": "delete"})
relying_parties: dict[str, Grantex] = {}


def relying_party(settings: dict) -> Grantex:
    """The client of these settings, made when it is first asked for. One retry keeps outages short."""
    name = json.dumps(settings, sort_keys=True)
    if name not in relying_parties:
        client = Grantex(api_key=API_KEY, base_url=URL, max_retries=1, timeout=5.0, **settings)
        client.load_manifest(MANIFEST)
        relying_parties[name] = client
    return relying_parties[name]


def enforce(settings: dict, token: str, tool: str = "list_events") -> dict:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = relying_party(settings).enforce(token, "calendar", tool)
    return {
        "allowed": result.allowed,
        "code": str(result.reason_code) if result.reason_code else None,
        "detail": str(result.sub_reason) if result.sub_reason else None,
        "grantId": result.grant_id,
        "legacyWarnings": sum(issubclass(one.category, LegacyClaimsWarning) for one in caught),
    }


def close() -> None:
    for client in relying_parties.values():
        client.stop_revocation_feed()


class Introspector(IntrospectTokenValidator):
    """A resource server that knows OAuth and nothing of Grantex: RFC 7662 with HTTP Basic."""

    def introspect_token(self, token_string):
        with OAuth2Session("calendar-api", API_KEY) as session:
            answer = session.introspect_token(f"{URL}/oauth/introspect", token=token_string)
            answer.raise_for_status()
            return answer.json()


protector = ResourceProtector()
protector.register_token_validator(Introspector())


class Request:
    def __init__(self, token: str):
        self.headers = {"Authorization": f"Bearer {token}"}


def protected(token: str, scopes: list) -> dict:
    return protector.validate_request(scopes, Request(token))


def revoke(token: str) -> int:
    with OAuth2Session("calendar-api", API_KEY, revocation_endpoint_auth_method="client_secret_basic") as session:
        return session.revoke_token(f"{URL}/oauth/revoke", token=token).status_code


keys = jwt.PyJWKClient(f"{URL}/.well-known/jwks.json")


def decode(token: str, developer: str) -> dict:
    """Verifies offline, as docs/verify-tokens.md says."""
    key = keys.get_signing_key_from_jwt(token).key
    claims = jwt.decode(token, key, algorithms=["RS256", "ES256"], issuer=URL, options={"require": ["exp", "dev"]})
    if claims["dev"] != developer:
        raise PermissionError("another developer's token")
    return {"alg": jwt.get_unverified_header(token)["alg"], "grantId": claims["grnt"]}


def later(seconds: float) -> None:
    global _later
    _later += seconds


OPERATIONS = {
    "enforce": enforce,
    "protected": protected,
    "revoke": revoke,
    "decode": decode,
    "later": later,
    "close": close,
}

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"result": OPERATIONS[request.pop("op")](**request)}
    except Exception as error:  # the test asserts which one it is
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
