"""Makes keys with cryptography and mints tokens with PyJWT.

    mint.py mint DIR    writes private keys, public keys (PEM, JWKS) and a secret into DIR and prints "ready"; then for
                        each line {"alg", "claims", "headers"?} on stdin, one token on stdout
    mint.py https DIR   serves DIR/jwks.json over TLS until stdin ends; prints the URL, writes DIR/https.pem
"""

import base64
import datetime
import http.server
import ipaddress
import json
import pathlib
import secrets
import ssl
import sys
import threading

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

KEY_OF = {"RS": "rsa", "PS": "rsa", "ES256": "p256", "ES384": "p384", "EdDSA": "ed25519", "HS": "secret"}


def key_of(alg):
    return KEY_OF.get(alg) or KEY_OF[alg[:2]]


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64_int(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def jwk(kid, public):
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "kid": kid, "use": "sig", "n": b64_int(numbers.n), "e": b64_int(numbers.e)}
    if isinstance(public, ec.EllipticCurvePublicKey):
        numbers, size = public.public_numbers(), public.key_size // 8
        point = {"x": b64_int(numbers.x, size), "y": b64_int(numbers.y, size)}
        return {"kty": "EC", "kid": kid, "use": "sig", "crv": f"P-{public.key_size}", **point}
    x = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"kty": "OKP", "kid": kid, "use": "sig", "crv": "Ed25519", "x": b64(x)}


def write_pair(directory, name, private):
    pem = serialization.Encoding.PEM
    pkcs8 = private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / f"{name}.private.pem").write_bytes(pkcs8)
    public = private.public_key()
    spki = public.public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    (directory / f"{name}.pem").write_bytes(spki)
    return public


def make_keys(directory):
    usable = {
        "rsa": rsa.generate_private_key(65537, 2048),
        "p256": ec.generate_private_key(ec.SECP256R1()),
        "p384": ec.generate_private_key(ec.SECP384R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
    }
    publics = {name: write_pair(directory, name, private) for name, private in usable.items()}
    (directory / "jwks.json").write_text(json.dumps({"keys": [jwk(*pair) for pair in publics.items()]}))
    pkcs1 = publics["rsa"].public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
    (directory / "rsa.pkcs1.pem").write_bytes(pkcs1)
    # Keys that must be refused.
    write_pair(directory, "rsa1024", rsa.generate_private_key(65537, 1024))
    write_pair(directory, "secp256k1", ec.generate_private_key(ec.SECP256K1()))
    write_pair(directory, "p521", ec.generate_private_key(ec.SECP521R1()))
    (directory / "secret.txt").write_text(secrets.token_urlsafe(64) + "\n")


def mint(directory):
    make_keys(directory)
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        name = key_of(request["alg"])
        if name == "secret":
            key, headers = (directory / "secret.txt").read_text().strip(), {"kid": request["alg"]}
        else:
            key, headers = (directory / f"{name}.private.pem").read_text(), {"kid": name}
        headers.update(request.get("headers", {}))
        headers = {name: value for name, value in headers.items() if value is not None}
        print(jwt.encode(request["claims"], key, algorithm=request["alg"], headers=headers), flush=True)


def write_certificate(directory):
    """A self-signed certificate for 127.0.0.1, with the P-256 key."""
    key = serialization.load_pem_private_key((directory / "p256.private.pem").read_bytes(), None)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "revokd test")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now, day = datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - day).not_valid_after(now + day)
    certificate = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    (directory / "https.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def https(directory):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = (directory / "jwks.json").read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    write_certificate(directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "https.pem", directory / "p256.private.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"https://127.0.0.1:{server.server_port}/jwks.json", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    command, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    {"mint": mint, "https": https}[command](directory)
