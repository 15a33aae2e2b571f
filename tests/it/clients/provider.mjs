// An OpenID provider (npm oidc-provider) whose access tokens are JWTs, and which tells revokd what it revokes: such
// tokens are stored nowhere, so that neither its own revocation endpoint nor anybody who reads one can end them.
//
// Prints {"issuer"}, then takes one line {"revokd", "key"} on stdin (where revokd is, and a key with the scope `revoke`),
// prints {} and goes on until it is killed. The client is `shop`; whoever logs in is who the request hints at.

import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import Provider from "oidc-provider";

const API = "https://api.example/";

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwks = { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "provider-1", alg: "ES256", use: "sig" }] };

function configuration(revokd) {
  const shop = {
    client_id: "shop",
    client_secret: "a secret of the shop's, with / and + in it",
    redirect_uris: ["http://shop.example/callback"],
    grant_types: ["authorization_code", "refresh_token"],
    id_token_signed_response_alg: "ES256",
    // OpenID Connect Back-Channel Logout 1.0: revokd is told in the client's place.
    backchannel_logout_uri: `${revokd}/backchannel-logout`,
    backchannel_logout_session_required: true,
  };
  const api = { scope: "buy", audience: API, accessTokenFormat: "jwt", accessTokenTTL: 600, jwt: { sign: { alg: "ES256" } } };
  return {
    jwks,
    clients: [shop],
    scopes: ["openid", "offline_access"],
    findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    // So that the logout of one session finds the tokens of that session.
    extraTokenClaims: (_ctx, token) => ({ sid: token.sid }),
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true },
      backchannelLogout: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => API,
        useGrantedResource: () => true,
        getResourceServerInfo: () => api,
      },
    },
    cookies: { keys: ["only for a test"] },
    // Its own refuses to connect to this machine, which is where revokd runs in a test.
    fetch: (url, { dispatcher: _, ...options }) => fetch(url, options),
  };
}

// Posts to revokd until it has answered that this is durable. A provider that may be restarted writes down first what
// it has still to post.
async function tell(revokd, key, body) {
  for (let wait = 50; ; wait = Math.min(wait * 2, 5_000)) {
    const request = {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": key },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(2_000),
    };
    const status = await fetch(`${revokd}/revoke`, request).then((response) => response.status, () => 503);
    if (status === 200) return;
    if (status < 500 && status !== 429) throw new Error(`revokd refuses ${body.jti}: ${status}`);
    await new Promise((done) => setTimeout(done, wait));
  }
}

function tellOfRevocations(provider, revokd, key) {
  // Unexpired access tokens by their grant.
  const issued = new Map();
  provider.on("access_token.issued", ({ grantId, jti, accountId, remainingTTL }) => {
    const now = Math.ceil(Date.now() / 1_000);
    const others = (issued.get(grantId) ?? []).filter((token) => token.exp > now);
    issued.set(grantId, [...others, { jti, sub: accountId, exp: now + remainingTTL, iss: provider.issuer }]);
  });
  // A logout, a revoked refresh token, a code that was used twice.
  provider.on("grant.revoked", (_ctx, grantId) => {
    for (const token of issued.get(grantId) ?? []) tell(revokd, key, { ...token, reason: "grant revoked" });
    issued.delete(grantId);
  });
}

// Logs in whom the request hints at and consents to everything, where a real provider would show its pages.
async function interact(provider, request, response) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === "login") {
    return provider.interactionFinished(request, response, { login: { accountId: params.login_hint } });
  }
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  grant.addResourceScope(API, "buy");
  return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
}

let provider;
const server = createServer((request, response) => {
  if (!request.url.startsWith("/interaction/")) return provider.callback()(request, response);
  interact(provider, request, response).catch((error) => response.writeHead(500).end(String(error)));
});

server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const start = (revokd) => new Provider(issuer, configuration(revokd));
  // revokd wants to know the issuer, and the provider where revokd is: until then it publishes its keys and no more.
  provider = start("http://revokd.example");
  console.log(JSON.stringify({ issuer }));
  createInterface({ input: process.stdin }).once("line", (line) => {
    const { revokd, key } = JSON.parse(line);
    provider = start(revokd);
    tellOfRevocations(provider, revokd, key);
    provider.on("server_error", (_ctx, error) => console.error(error));
    provider.on("backchannel.error", (_ctx, error) => console.error(error));
    console.log("{}");
  });
});
