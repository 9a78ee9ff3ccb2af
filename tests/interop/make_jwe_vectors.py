"""Makes the JWEs of crates/pop-core/src/jose/jwe/tests/vectors.json with two implementations of others.

    pip install -r tests/interop/requirements.txt
    python3 tests/interop/make_jwe_vectors.py crates/pop-core/src/jose/jwe/tests/vectors.json

The keys are those of the file, the JWEs are new. Without keys in the file, new ones are made; the RSA key is that of RFC 7516
appendix A.1.
"""

import json
import pathlib
import sys
from importlib.metadata import version

from joserfc import jwe as joserfc_jwe
from joserfc.jwk import import_key
from jwcrypto import jwe as jwcrypto_jwe
from jwcrypto import jwk

CURVES = {"P-256": "EC", "P-384": "EC", "P-521": "EC", "X25519": "OKP"}
ECDH = ["ECDH-ES", "ECDH-ES+A256KW"]
AGREEMENT_INFO = {"apu": "QWxpY2U", "apv": "Qm9i"}
# The key of RFC 7800 section 3.3.
PLAINTEXT = '{"kty":"oct","alg":"HS256","k":"ZoRSOrFzN_FzUA5XKMYoVHyzff5oRJxl-IXRtztJ6uE"}'


def make_keys(rsa):
    keys = [dict(rsa, kid="rsa", alg="RSA-OAEP-256", use="enc")]
    for crv, kty in CURVES.items():
        for alg in ECDH:
            key = jwk.JWK.generate(kty=kty, crv=crv, kid=f"{crv} {alg}", alg=alg)
            keys.append(key.export(as_dict=True))
    for alg in ["A256KW", "A256GCMKW", "dir"]:
        keys.append(jwk.JWK.generate(kty="oct", size=256, kid=alg, alg=alg).export(as_dict=True))
    return keys


def by_jwcrypto(key, header):
    token = jwcrypto_jwe.JWE(PLAINTEXT.encode(), protected=json.dumps(header))
    token.allowed_algs = [header["alg"], header["enc"]]
    token.add_recipient(jwk.JWK(**public(key)))
    return token.serialize(compact=True)


def by_joserfc(key, header):
    algorithms = [header["alg"], header["enc"]]
    return joserfc_jwe.encrypt_compact(header, PLAINTEXT, import_key(public(key)), algorithms=algorithms)


def public(key):
    private = {"d", "p", "q", "dp", "dq", "qi"}
    return {name: value for name, value in key.items() if name not in private | {"use", "alg"}}


def main(path):
    document = json.loads(path.read_text())
    if "jwks" not in document:
        document["jwks"] = {"keys": make_keys(document.pop("rsa"))}
    jwes = []
    for key in document["jwks"]["keys"]:
        for name, encrypt, enc in [("jwcrypto", by_jwcrypto, "A128CBC-HS256"), ("joserfc", by_joserfc, "A256GCM")]:
            enc = "A256GCM" if key["alg"] == "dir" else enc
            header = {"alg": key["alg"], "enc": enc, "kid": key["kid"]}
            headers = [header, dict(header, **AGREEMENT_INFO)] if key["kid"].startswith("P-256") else [header]
            for header in headers:
                jwes.append({"by": f"{name} {version(name)}", **header, "jwe": encrypt(key, header)})
    document["plaintext"] = PLAINTEXT
    document["jwes"] = jwes
    path.write_text(json.dumps(document, indent=1) + "\n")


main(pathlib.Path(sys.argv[1]))
