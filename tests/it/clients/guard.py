"""An API behind Flask-JWT-Extended that asks revokd about every token: the whole of what such an API needs.

Environment: REVOKD_URL, REVOKD_API_KEY (scope `check` is enough), REVOKD_TIMEOUT_MS, and of the tokens ISSUER, AUDIENCE,
KEY_FILE (the issuer's public key, PEM). Prints its URL.
"""

import logging
import os
import pathlib

import requests
from flask import Flask, jsonify
from flask_jwt_extended import JWTManager, get_jwt_identity, jwt_required
from werkzeug.serving import make_server

CHECK_URL = os.environ["REVOKD_URL"] + "/check"
HEADERS = {"X-Api-Key": os.environ["REVOKD_API_KEY"]}
TIMEOUT_S = int(os.environ["REVOKD_TIMEOUT_MS"]) / 1_000

app = Flask(__name__)
app.config["JWT_ALGORITHM"] = "ES256"
app.config["JWT_PUBLIC_KEY"] = pathlib.Path(os.environ["KEY_FILE"]).read_text()
app.config["JWT_DECODE_ISSUER"] = os.environ["ISSUER"]
app.config["JWT_DECODE_AUDIENCE"] = os.environ["AUDIENCE"]
# What the loader below raises is answered here, not by a debugger.
app.config["PROPAGATE_EXCEPTIONS"] = False
jwt = JWTManager(app)


class Unavailable(Exception):
    """The third answer: nobody knows. It must never read as "not revoked"."""


@jwt.token_in_blocklist_loader
def is_revoked(_header, claims):
    """Flask-JWT-Extended has verified the token by now."""
    # What a check does not bring is not judged: by `jti` alone a force-logout of the subject would go unseen.
    asked = {name: claims[name] for name in ("jti", "iss", "sub", "sid", "client_id") if claims.get(name) is not None}
    if "iat" in claims:
        asked["iat"] = int(claims["iat"])
    try:
        answer = requests.post(CHECK_URL, json=asked, headers=HEADERS, timeout=TIMEOUT_S)
        if answer.status_code != 200:
            raise Unavailable
        return answer.json()["revoked"] is not False
    except (requests.RequestException, KeyError) as cause:
        raise Unavailable from cause


@app.errorhandler(Unavailable)
def unavailable(_error):
    return jsonify(error="unavailable"), 503, {"Retry-After": "1"}


@jwt.revoked_token_loader
def revoked(_header, _claims):
    return jsonify(error="revoked_token"), 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'}


@app.get("/")
@jwt_required()
def hello():
    return jsonify(hello=get_jwt_identity())


logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = make_server("127.0.0.1", 0, app, threaded=True)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
