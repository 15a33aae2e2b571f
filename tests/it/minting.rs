//! Tokens minted by libraries that the server does not share: `PyJWT` (with cryptography) and npm jsonwebtoken.
//!
//! `let mut mint = Mint::new();` makes fresh keys in a temporary directory; `mint.python("RS256", &claims)` and
//! `mint.node(…)` mint with them; [`Mint::issuer`] and [`Mint::issuers_toml`] are the settings that trust them. The
//! interpreters run as long as the `Mint` does, so that the second token costs a millisecond.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use revokd::verifier::{Algorithm, IssuerSettings, KeySettings};
use serde_json::{Value, json};

/// Every algorithm that `PyJWT` mints with the keys made here.
pub(crate) const PYTHON_ALGORITHMS: [&str; 12] =
    ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// Every algorithm that npm jsonwebtoken mints: it has no `EdDSA`.
pub(crate) const NODE_ALGORITHMS: [&str; 11] =
    ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"];

/// A set of keys, and two programs that sign with them.
pub(crate) struct Mint {
    keys: tempfile::TempDir,
    python: Minter,
    node: Option<Minter>,
}

impl Mint {
    /// Makes new keys. About half a second.
    pub(crate) fn new() -> Self {
        let keys = tempfile::tempdir().unwrap();
        let mut python = Minter::start(python().arg(scripts().join("mint.py")).arg("mint").arg(keys.path()));
        assert_eq!(python.read_line(), "ready");
        Self { keys, python, node: None }
    }

    /// Mints with `PyJWT`; the header has the `kid` of the key used.
    pub(crate) fn python(&mut self, alg: &str, claims: &Value) -> String {
        self.python_with(alg, claims, &json!({}))
    }

    /// The same with other header members; `null` leaves one out.
    pub(crate) fn python_with(&mut self, alg: &str, claims: &Value, headers: &Value) -> String {
        self.python.mint(alg, claims, headers)
    }

    /// Mints with npm jsonwebtoken; the header has the `kid` of the key used.
    pub(crate) fn node(&mut self, alg: &str, claims: &Value) -> String {
        self.node_with(alg, claims, &json!({}))
    }

    /// The same with other header members; `null` leaves one out.
    pub(crate) fn node_with(&mut self, alg: &str, claims: &Value, headers: &Value) -> String {
        let keys = self.keys.path();
        let start = || {
            let tools = tool("node/node_modules/jsonwebtoken");
            Minter::start(Command::new("node").arg(scripts().join("mint.cjs")).arg(tools).arg(keys))
        };
        self.node.get_or_insert_with(start).mint(alg, claims, headers)
    }

    /// Where the keys lie: `{rsa,p256,p384,ed25519}.pem` (public), `rsa.pkcs1.pem`, `jwks.json`, `secret.txt`, and
    /// unusable ones: `{rsa1024,secp256k1,p521}.pem`, `*.private.pem`.
    pub(crate) fn dir(&self) -> &Path {
        self.keys.path()
    }

    /// The public keys as a key set; their `kid`s are `rsa`, `p256`, `p384`, `ed25519`.
    pub(crate) fn jwks(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.dir().join("jwks.json")).unwrap()).unwrap()
    }

    /// Settings that trust every key, with absolute paths.
    pub(crate) fn issuer(&self, iss: &str) -> IssuerSettings {
        let secret = |alg: Algorithm| KeySettings {
            kid: Some(alg.as_str().to_owned()),
            secret_file: Some(self.dir().join("secret.txt")),
            ..KeySettings::new(alg)
        };
        let mut settings = IssuerSettings::named(iss);
        settings.jwks_file = Some(self.dir().join("jwks.json"));
        settings.keys = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512].map(secret).to_vec();
        settings
    }

    /// The same as a piece of `config.toml`.
    #[allow(dead_code, reason = "for tests against the real binary")]
    pub(crate) fn issuers_toml(&self, iss: &str) -> String {
        let dir = self.dir().display();
        let mut toml = format!("[[issuers]]\niss = {iss:?}\njwks_file = \"{dir}/jwks.json\"\n");
        for alg in ["HS256", "HS384", "HS512"] {
            let key = ["[[issuers.keys]]\nkid = \"", alg, "\"\nalg = \"", alg, "\"\nsecret_file = \""].concat();
            toml.extend([key, format!("{dir}/secret.txt\"\n")]);
        }
        toml
    }
}

/// The key set of a [`Mint`] over HTTPS on loopback, under a certificate that nobody trusts. Ends when dropped.
pub(crate) struct HttpsServer {
    /// Where the set is.
    pub(crate) url: String,
    /// The certificate, in PEM.
    pub(crate) certificate: PathBuf,
    _program: Minter,
}

impl HttpsServer {
    /// Starts it on a free port.
    pub(crate) fn start(mint: &Mint) -> Self {
        let mut program = Minter::start(python().arg(scripts().join("mint.py")).arg("https").arg(mint.dir()));
        let url = program.read_line();
        assert!(url.starts_with("https://"), "mint.py https said {url:?}");
        Self { url, certificate: mint.dir().join("https.pem"), _program: program }
    }
}

/// A program that answers each line with a token. Ends when its input does.
struct Minter {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Minter {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    fn mint(&mut self, alg: &str, claims: &Value, headers: &Value) -> String {
        let request = json!({ "alg": alg, "claims": claims, "headers": headers });
        writeln!(self.input.as_mut().unwrap(), "{request}").unwrap();
        self.read_line()
    }

    fn read_line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the minting program died; what it said is above");
        line.trim_end().to_owned()
    }
}

impl Drop for Minter {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ended = self.child.wait();
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/minting")
}

fn python() -> Command {
    Command::new(tool("venv/bin/python"))
}

/// A tool that must be there: a missing one fails the test rather than skipping it.
pub(crate) fn tool(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools").join(path);
    assert!(
        path.exists(),
        "{} is missing: run scripts/test once: it installs the pinned packages of PyPI and npm there",
        path.display()
    );
    path
}
