"""The example API against a client that others wrote: PyPI `requests-oauth2client`.

Usage: python python_client.py ISSUER API
"""

import sys

import requests
from requests_oauth2client import OAuth2Client

issuer, api = sys.argv[1:3]
passed = 0
for alg in ("ES256", "RS256"):
    client = OAuth2Client.from_discovery_endpoint(
        f"{issuer}/.well-known/oauth-authorization-server",
        issuer=issuer,
        client_id="demo",
        dpop_bound_access_tokens=True,
        dpop_alg=alg,
        testing=True,
    )
    token = client.client_credentials(scope="notes:read notes:write")
    assert token.token_type.lower() == "dpop", token.token_type
    for method, status in (("GET", 200), ("POST", 201)):
        answer = requests.request(method, f"{api}/notes?a=1", data="hello" if method == "POST" else None, auth=token)
        assert answer.status_code == status, (alg, method, answer.status_code, answer.headers.get("www-authenticate"))
    stolen = requests.get(f"{api}/notes", headers={"Authorization": f"Bearer {token.access_token}"})
    assert stolen.status_code == 401, stolen.status_code
    passed += 1
    print(f"ok DPOP-30 requests-oauth2client, {alg}: token request, GET, POST; the token alone is refused")
print(f"{passed} passed, 0 failed")
