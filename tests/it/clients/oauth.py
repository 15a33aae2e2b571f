"""Authlib as a client of revokd's OAuth endpoints: for each line of JSON on stdin, one on stdout.

A line is {"do": "revoke" | "introspect", "url", "id", "secret", "auth": "basic" | "post", "token", "hint"?}.
"""

import json
import sys

from authlib.integrations.requests_client import OAuth2Session


def ask(request):
    method = "client_secret_" + request["auth"]
    session = OAuth2Session(
        request["id"],
        request["secret"],
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
    )
    asked = {"token": request["token"], "token_type_hint": request.get("hint"), "timeout": 10}
    if request["do"] == "revoke":
        answer = session.revoke_token(request["url"] + "/oauth2/revoke", **asked)
    else:
        answer = session.introspect_token(request["url"] + "/oauth2/introspect", **asked)
    said = answer.json() if answer.content else {}
    return said if answer.ok else {"refused": said.get("error"), "status": answer.status_code}


for line in sys.stdin:
    print(json.dumps(ask(json.loads(line))), flush=True)
