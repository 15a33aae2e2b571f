// A client of the provider and of revokd's OAuth endpoints, by npm openid-client: for each line of JSON on stdin, one on
// stdout: {"do": "login", …} and the others below.

import { createInterface } from "node:readline";
import * as oauth from "openid-client";

const REDIRECT = "http://shop.example/callback";
const SECRET = "a secret of the shop's, with / and + in it";

// A browser, as far as a login needs one: it keeps cookies and follows redirects as far as to the shop.
class Browser {
  #cookies = new Map();

  async open(url, options = {}) {
    const cookie = [...this.#cookies].map((pair) => pair.join("=")).join("; ");
    const response = await fetch(url, { ...options, headers: { ...options.headers, cookie }, redirect: "manual" });
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = line.split(";")[0].split("=");
      if (value) this.#cookies.set(name, value);
      else this.#cookies.delete(name);
    }
    const location = response.headers.get("location");
    if (!location) return { url, body: await response.text() };
    const next = new URL(location, url);
    return next.href.startsWith(REDIRECT) ? { url: next } : this.open(next);
  }
}

const insecure = { execute: [oauth.allowInsecureRequests] };
const discover = (issuer) => oauth.discovery(new URL(issuer), "shop", SECRET, oauth.ClientSecretBasic(SECRET), insecure);

// How a client proves to revokd who it is.
const AUTH = { basic: oauth.ClientSecretBasic, post: oauth.ClientSecretPost };

function revokd({ url, id, secret, auth }) {
  const server = { issuer: url, revocation_endpoint: `${url}/oauth2/revoke`, introspection_endpoint: `${url}/oauth2/introspect` };
  const config = new oauth.Configuration(server, id, secret, AUTH[auth](secret));
  oauth.allowInsecureRequests(config);
  return config;
}

// One browser for each who is logged in.
const browsers = new Map();

const verbs = {
  // A login by authorization code with PKCE: {"issuer", "sub", "offline"?}.
  async login({ issuer, sub, offline }) {
    const config = await discover(issuer);
    const verifier = oauth.randomPKCECodeVerifier();
    const state = oauth.randomState();
    const url = oauth.buildAuthorizationUrl(config, {
      redirect_uri: REDIRECT,
      scope: offline ? "openid offline_access buy" : "openid buy",
      // What outlives the session is given only to those who have consented anew.
      prompt: "login consent",
      login_hint: sub,
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    });
    const browser = new Browser();
    const landed = await browser.open(url);
    const tokens = await oauth.authorizationCodeGrant(config, landed.url, { pkceCodeVerifier: verifier, expectedState: state });
    browsers.set(sub, browser);
    return { ...tokens, claims: tokens.claims() };
  },

  // A logout of one who is logged in, at the provider: {"issuer", "sub"}.
  async logout({ issuer, sub }) {
    const config = await discover(issuer);
    const browser = browsers.get(sub);
    const page = await browser.open(oauth.buildEndSessionUrl(config, {}));
    const [, action] = page.body.match(/action="([^"]+)"/);
    const [, xsrf] = page.body.match(/name="xsrf" value="([^"]+)"/);
    const body = new URLSearchParams({ xsrf, logout: "yes" });
    await browser.open(new URL(action), { method: "POST", body });
    return {};
  },

  // A revocation at the provider: {"issuer", "token"}.
  async revoke_at_provider({ issuer, token }) {
    await oauth.tokenRevocation(await discover(issuer), token);
    return {};
  },

  // A revocation at revokd: {"url", "id", "secret", "auth", "token", "hint"?}.
  async revoke({ token, hint, ...where }) {
    await oauth.tokenRevocation(revokd(where), token, hint && { token_type_hint: hint });
    return {};
  },

  // An introspection at revokd: the same.
  async introspect({ token, hint, ...where }) {
    return oauth.tokenIntrospection(revokd(where), token, hint && { token_type_hint: hint });
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  try {
    console.log(JSON.stringify(await verbs[request.do](request)));
  } catch (error) {
    const { error: code, status, message } = error;
    console.log(JSON.stringify({ refused: code ?? message, status, cause: error.cause && String(error.cause) }));
  }
}
