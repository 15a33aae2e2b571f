// An API behind express-jwt that asks revokd about every token: the whole of what such an API needs.
//
// Environment: REVOKD_URL, REVOKD_API_KEY (scope `check` is enough), REVOKD_TIMEOUT_MS, and of the tokens ISSUER, AUDIENCE,
// KEY_FILE (the issuer's public key, PEM). Prints its URL.

import { readFileSync } from "node:fs";
import express from "express";
import { expressjwt, UnauthorizedError } from "express-jwt";

const { REVOKD_URL, REVOKD_API_KEY, REVOKD_TIMEOUT_MS, ISSUER, AUDIENCE, KEY_FILE } = process.env;

// The third answer: nobody knows. It must never read as "not revoked".
class Unavailable extends Error {}

// express-jwt has verified the token by now.
async function isRevoked(_request, { payload }) {
  const { jti, iss, sub, sid, client_id, azp, iat } = payload;
  // What a check does not bring is not judged: by `jti` alone a force-logout of the subject would go unseen.
  const asked = { jti, iss, sub, sid, client_id: client_id ?? azp, iat: iat && Math.floor(iat) };
  let verdict;
  try {
    const response = await fetch(`${REVOKD_URL}/check`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": REVOKD_API_KEY },
      body: JSON.stringify(asked),
      signal: AbortSignal.timeout(Number(REVOKD_TIMEOUT_MS)),
    });
    if (response.status !== 200) throw new Error(`revokd answered ${response.status}`);
    verdict = await response.json();
  } catch (cause) {
    throw new Unavailable("revokd cannot be asked", { cause });
  }
  return verdict.revoked !== false;
}

const app = express();
const secret = readFileSync(KEY_FILE);
app.use(expressjwt({ secret, algorithms: ["ES256"], issuer: ISSUER, audience: AUDIENCE, isRevoked }));
app.get("/", (request, response) => response.json({ hello: request.auth.sub }));
app.use((error, _request, response, _next) => {
  if (error instanceof UnauthorizedError) {
    response.status(401).set("WWW-Authenticate", 'Bearer error="invalid_token"').json({ error: error.code });
  } else {
    response.status(503).set("Retry-After", "1").json({ error: "unavailable" });
  }
});

const server = app.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
