// Mints tokens with npm jsonwebtoken: for each line {"alg", "claims", "headers"?} on stdin, one token on stdout.
// usage: mint.cjs TOOLS DIR, where TOOLS has node_modules and DIR the keys that mint.py wrote.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");

const [tools, directory] = process.argv.slice(2);
const jwt = require(require.resolve("jsonwebtoken", { paths: [tools] }));

const keyOf = { RS: "rsa", PS: "rsa", ES256: "p256", ES384: "p384", HS: "secret" };
const read = (name) => fs.readFileSync(path.join(directory, name), "utf8");

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { alg, claims, headers } = JSON.parse(line);
  const name = keyOf[alg] ?? keyOf[alg.slice(0, 2)];
  const [key, kid] = name === "secret" ? [read("secret.txt").trim(), alg] : [read(`${name}.private.pem`), name];
  const header = { alg, typ: "JWT", kid, ...headers };
  for (const member of Object.keys(header)) if (header[member] === null) delete header[member];
  // A token is minted as it is asked for: no `iat` of the library's own.
  const noTimestamp = !("iat" in claims);
  process.stdout.write(jwt.sign(claims, key, { algorithm: alg, header, noTimestamp }) + "\n");
});
