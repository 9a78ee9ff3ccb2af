"""The example API against signed requests that others make, and others against what our client signs: PyPI
`http-message-signatures`, `jwcrypto` and `joserfc`.

Usage: python signatures.py PROTECTED_API_PROGRAM OURS_PROGRAM
"""

import base64
import hashlib
import json
import pathlib
import secrets
import subprocess
import sys
import tempfile
import time
import uuid

import http_message_signatures as hms
import requests
from http_message_signatures import algorithms
from joserfc import jwe as joserfc_jwe
from joserfc import jwk as joserfc_jwk
from joserfc import jws as joserfc_jws
from jwcrypto import jwe as jwcrypto_jwe
from jwcrypto import jwk, jwt

program, ours = sys.argv[1:3]
ISSUER = "https://as.example"
AUDIENCE = "https://api.example"
CONTENT = b'{"note":"buy milk"}'
COMPONENTS = ["@method", "@target-uri", "authorization"]
PRIVATE = {"d", "p", "q", "dp", "dq", "qi"}
folder = tempfile.TemporaryDirectory(prefix="poplayer-interop-")
processes = []
passed = 0


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def ok(name):
    global passed
    passed += 1
    print(f"ok {name}")


def file(name, document):
    path = pathlib.Path(folder.name, name)
    path.write_text(json.dumps(document))
    return str(path)


def start_api(*flags):
    arguments = [program, "--listen", "127.0.0.1:0", *flags]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    processes.append(process)
    line = process.stdout.readline()
    assert line.startswith("ready http"), line
    return line.removeprefix("ready ").strip()


issuing = jwk.JWK.generate(kty="EC", crv="P-256", kid="issuer", alg="ES256")


def token(cnf):
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "client_id": "app",
        "scope": "notes:read notes:write",
        "jti": str(uuid.uuid4()),
        "iat": int(time.time()),
        "exp": int(time.time()) + 300,
        "cnf": cnf,
    }
    made = jwt.JWT(header={"alg": "ES256", "typ": "at+jwt", "kid": "issuer"}, claims=claims)
    made.make_signed_token(issuing)
    return made.serialize()


def accepted(prepared, kind=None):
    answer = requests.Session().send(prepared)
    assert answer.status_code == 200, (answer.status_code, answer.headers.get("www-authenticate"))
    if kind:
        assert answer.json()["proof"]["kind"] == kind, answer.text
    else:
        assert answer.content == CONTENT, answer.content


def rejected(prepared, error):
    answer = requests.Session().send(prepared)
    challenge = answer.headers.get("www-authenticate", "")
    assert answer.status_code == 401 and f'error="{error}"' in challenge, (answer.status_code, challenge)


def changed(prepared, **changes):
    copy = prepared.copy()
    for name, value in changes.items():
        setattr(copy, name, value)
    return copy


class Signer(hms.HTTPMessageSigner):
    """Without `keyid`, which this library always writes: the token says which key it is."""

    def _build_signature_base(self, message, *, signature_params, **more):
        signature_params = {name: value for name, value in signature_params.items() if name != "keyid"}
        return super()._build_signature_base(message, signature_params=signature_params, **more)


class Key(hms.HTTPSignatureKeyResolver):
    def __init__(self, key):
        self.key = key

    def resolve_private_key(self, key_id):
        return self.key

    resolve_public_key = resolve_private_key


def signed(algorithm, key, tag, authorization, method, path, body=None, signer=Signer):
    fields = {"Authorization": authorization, "Content-Type": "application/json"}
    prepared = requests.Request(method, f"{api}{path}", headers=fields, data=body).prepare()
    signer = signer(signature_algorithm=algorithm, key_resolver=Key(key))
    # With a body, the library adds Content-Digest and covers it.
    signer.sign(
        prepared,
        key_id="key",
        nonce=secrets.token_urlsafe(16),
        tag=tag,
        include_alg=False,
        covered_component_ids=COMPONENTS,
        body=body,
    )
    return prepared


kek_generators = [
    ("RSA-OAEP-256", {"kty": "RSA", "size": 2048}),
    ("ECDH-ES", {"kty": "EC", "crv": "P-256"}),
    ("ECDH-ES+A256KW", {"kty": "EC", "crv": "P-256"}),
    ("ECDH-ES+A256KW", {"kty": "OKP", "crv": "X25519"}),
    ("A256KW", {"kty": "oct", "size": 256}),
    ("A256GCMKW", {"kty": "oct", "size": 256}),
    ("dir", {"kty": "oct", "size": 256}),
]
keks = [
    jwk.JWK.generate(**parameters, alg=alg, kid=f"{alg} {parameters.get('crv', '')}".strip()).export(as_dict=True)
    for alg, parameters in kek_generators
]
public_issuer = file("jwks.json", {"keys": [{**issuing.export_public(as_dict=True), "use": "sig"}]})
common = ["--issuer", ISSUER, "--audience", AUDIENCE, "--jwks-file", public_issuer]


def public(key):
    return {name: value for name, value in key.items() if name not in PRIVATE | {"use", "alg"}}


def by_jwcrypto(kek, enc, plaintext):
    header = {"alg": kek["alg"], "enc": enc, "kid": kek["kid"]}
    made = jwcrypto_jwe.JWE(plaintext, protected=json.dumps(header))
    made.allowed_algs = [kek["alg"], enc]
    made.add_recipient(jwk.JWK(**public(kek)))
    return made.serialize(compact=True)


def by_joserfc(kek, enc, plaintext):
    header = {"alg": kek["alg"], "enc": enc, "kid": kek["kid"]}
    key = joserfc_jwk.import_key(public(kek))
    return joserfc_jwe.encrypt_compact(header, plaintext, key, algorithms=[kek["alg"], enc])


def envelope(alg, key, at, method, path, body=None, **more):
    origin, _, host = api.rpartition("/")
    path_only, _, query = path.partition("?")
    payload = {"at": at, "ts": int(time.time()), "m": method, "u": host, "p": path_only, "jti": str(uuid.uuid4())}
    payload.update(more)
    if query:
        names = [parameter.split("=")[0] for parameter in query.split("&")]
        payload["q"] = [names, b64(hashlib.sha256(query.encode()).digest())]
    if body:
        payload["b"] = b64(hashlib.sha256(body).digest())
    made = joserfc_jws.serialize_compact({"alg": alg, "typ": "pop"}, json.dumps(payload), key, algorithms=[alg])
    fields = {"Authorization": f"PoP {made}"}
    return requests.Request(method, f"{api}{path}", headers=fields, data=body).prepare()


def test_signatures():
    for algorithm, alg, parameters in [
        (algorithms.ED25519, "Ed25519", {"kty": "OKP", "crv": "Ed25519"}),
        (algorithms.ECDSA_P256_SHA256, "ES256", {"kty": "EC", "crv": "P-256"}),
        (algorithms.ECDSA_P384_SHA384, "ES384", {"kty": "EC", "crv": "P-384"}),
        (algorithms.RSA_V1_5_SHA256, "RS256", {"kty": "RSA", "size": 2048}),
        (algorithms.RSA_PSS_SHA512, "PS512", {"kty": "RSA", "size": 2048}),
    ]:
        key = jwk.JWK.generate(**parameters)
        pem = key.export_to_pem(private_key=True, password=None)
        authorization = f"HTTPSig {token({'jwk': {**key.export_public(as_dict=True), 'alg': alg}})}"
        sign = (algorithm, pem, "httpsig-oauth", authorization)
        accepted(signed(*sign, "GET", "/whoami/a%20b?b=2&a=%C3%A9"), "httpsig")
        post = signed(*sign, "POST", "/echo?a=1", CONTENT)
        rejected(changed(post, body=b'{"note":"buy silk"}'), "invalid_signature")
        rejected(changed(post, url=f"{api}/echo?a=2"), "invalid_signature")
        rejected(changed(post, method="PUT"), "invalid_signature")
        accepted(post)
        rejected(post, "invalid_signature")
        rejected(signed(*sign, "GET", "/whoami", signer=hms.HTTPMessageSigner), "invalid_signature")
        ok(f"SIG-03 SIG-06 SIG-10 SIG-23 http-message-signatures, {algorithm.algorithm_id}: GET, POST, and changes")


def test_symmetric_keys():
    shared = secrets.token_bytes(32)
    plaintext = json.dumps({"kty": "oct", "k": b64(shared), "alg": "HS256"})
    oct_key = joserfc_jwk.OctKey.import_key(shared)
    for kek in keks:
        for encrypt in (by_jwcrypto, by_joserfc):
            for enc in ("A256GCM", "A128CBC-HS256"):
                if kek["alg"] == "dir" and enc != "A256GCM":
                    continue
                at = token({"jwe": encrypt(kek, enc, plaintext)})
                sign = (algorithms.HMAC_SHA256, shared, "oauth-pop-hmac", f"PoP {at}")
                accepted(signed(*sign, "GET", "/whoami"), "hmac")
                post = signed(*sign, "POST", "/echo", CONTENT)
                rejected(changed(post, body=b'{"note":"buy silk"}'), "invalid_proof")
                accepted(post)
                rejected(post, "invalid_proof")
                other = (algorithms.HMAC_SHA256, secrets.token_bytes(32), "oauth-pop-hmac", f"PoP {at}")
                rejected(signed(*other, "GET", "/whoami"), "invalid_proof")
                accepted(envelope("HS256", oct_key, at, "GET", "/whoami?a=1"), "pop")
                enveloped = envelope("HS256", oct_key, at, "POST", "/echo", CONTENT)
                rejected(changed(enveloped, body=b'{"note":"buy silk"}'), "invalid_proof")
                accepted(enveloped)
        ok(f"SYM-01 SYM-03 SYM-07 jwcrypto and joserfc, {kek['kid']}: HMAC message signature and HS256 envelope")
    kek = keks[0]
    weak = {**kek, "alg": "RSA1_5"}
    made = jwcrypto_jwe.JWE(plaintext, protected=json.dumps({"alg": "RSA1_5", "enc": "A256GCM", "kid": kek["kid"]}))
    made.allowed_algs = ["RSA1_5", "A256GCM"]
    made.add_recipient(jwk.JWK(**public(weak)))
    zipped = jwcrypto_jwe.JWE(
        plaintext, protected=json.dumps({"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": kek["kid"], "zip": "DEF"})
    )
    zipped.add_recipient(jwk.JWK(**public(kek)))
    for bad in (made, zipped):
        at = token({"jwe": bad.serialize(compact=True)})
        rejected(signed(algorithms.HMAC_SHA256, shared, "oauth-pop-hmac", f"PoP {at}", "GET", "/whoami"), "invalid_token")
    ok("SYM-03 jwcrypto: RSA1_5 and zip are rejected")


def test_envelopes():
    for alg, key in [
        ("ES256", joserfc_jwk.ECKey.generate_key("P-256")),
        ("Ed25519", joserfc_jwk.OKPKey.generate_key("Ed25519")),
        ("PS256", joserfc_jwk.RSAKey.generate_key(2048)),
        ("RS256", joserfc_jwk.RSAKey.generate_key(2048)),
    ]:
        at = token({"jwk": key.as_dict(private=False)})
        accepted(envelope(alg, key, at, "GET", "/whoami/a%20b?b=2&a=%C3%A9"), "pop")
        post = envelope(alg, key, at, "POST", "/echo", CONTENT)
        rejected(changed(post, body=b'{"note":"buy silk"}'), "invalid_proof")
        rejected(changed(post, url=f"{api}/whoami"), "invalid_proof")
        accepted(post)
        rejected(post, "invalid_proof")
        by_thumbprint = token({"kid": key.thumbprint()})
        own = {"jwk": key.as_dict(private=False)}
        accepted(envelope(alg, key, by_thumbprint, "GET", "/whoami", cnf=own), "pop")
        rejected(envelope(alg, key, by_thumbprint, "GET", "/whoami"), "invalid_token")
        ok(f"SHR-01 SHR-04 SHR-10 joserfc, {alg}: envelopes")


class Message:
    def __init__(self, made):
        self.method, self.url = made["method"], made["url"]
        join = lambda value: ", ".join(part.strip() for part in value) if isinstance(value, list) else value
        self.headers = {name: join(value) for name, value in made["headers"].items()}


def test_ours():
    recipients = {"keys": [{**public(kek), "alg": kek["alg"]} for kek in keks]}
    made = json.loads(subprocess.check_output([ours, file("recipients.json", recipients)]))
    by_id = {
        algorithm.algorithm_id: algorithm
        for algorithm in (
            algorithms.ED25519,
            algorithms.ECDSA_P256_SHA256,
            algorithms.ECDSA_P384_SHA384,
            algorithms.RSA_V1_5_SHA256,
            algorithms.RSA_PSS_SHA512,
            algorithms.HMAC_SHA256,
        )
    }
    for one in made["messages"]:
        oct_bytes = one["jwk"].get("k")
        key = (
            base64.urlsafe_b64decode(oct_bytes + "=")
            if oct_bytes
            else jwk.JWK(**one["jwk"]).export_to_pem(private_key=False)
        )
        verifier = hms.HTTPMessageVerifier(signature_algorithm=by_id[one["alg"]], key_resolver=Key(key))
        content = one["content"].encode()
        results = verifier.verify(Message(one), expect_tag=one["tag"], require_components=COMPONENTS, body=content)
        assert results[0].body == content
        for name, value in [("method", "PUT"), ("url", "https://api.example/notes")]:
            try:
                verifier.verify(Message({**one, name: value}), expect_tag=one["tag"])
            except hms.InvalidSignature:
                continue
            raise AssertionError((one["alg"], name))
        ok(f"CLI-16 http-message-signatures verifies what our client signs: {one['alg']}")
    for one in made["envelopes"]:
        key = joserfc_jwk.import_key(one["jwk"])
        payload = joserfc_jws.deserialize_compact(one["envelope"], key, algorithms=[one["alg"]]).payload
        claims = json.loads(payload)
        assert (claims["at"], claims["m"], claims["u"], claims["p"]) == ("the-token", "POST", "api.example", "/notes%20a")
    ok("CLI-16 joserfc verifies the envelopes of our client")
    assert len(made["jwes"]) == 2 * len(keks) - 1
    for one in made["jwes"]:
        kek = next(kek for kek in keks if kek["kid"] == one["kid"])
        decrypted = jwcrypto_jwe.JWE(algs=[one["alg"], one["enc"]])
        decrypted.deserialize(one["jwe"], jwk.JWK(**kek))
        assert json.loads(decrypted.payload)["k"] == made["key"], one
        private = {name: value for name, value in kek.items() if name != "alg"}
        key = joserfc_jwk.import_key(private)
        plaintext = joserfc_jwe.decrypt_compact(one["jwe"], key, algorithms=[one["alg"], one["enc"]]).plaintext
        assert json.loads(plaintext)["k"] == made["key"], one
    ok("AS-17 jwcrypto and joserfc decrypt the keys that our authorization server encrypts")


try:
    api = start_api(*common, "--proofs", "httpsig,pop,hmac", "--kek-file", file("kek.json", {"keys": keks}))
    test_signatures()
    test_symmetric_keys()
    test_envelopes()
    test_ours()
finally:
    for process in processes:
        process.kill()
        process.wait()
print(f"{passed} passed, 0 failed")
