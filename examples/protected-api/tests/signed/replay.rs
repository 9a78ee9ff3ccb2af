//! Requests that are sent more than once, and content that does not arrive.

use std::time::Duration;

use http::Method;
use http::header::AUTHORIZATION;
use pop_core::jose::{decode, decode_standard, encode, encode_standard};
use reqwest::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{ALL, Answer, Api, CONTENT, content};

/// REPLAY-16: of 50 concurrent copies, one passes.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_fifty_concurrent_copies_passes() {
    let api = Api::start("copies", ALL, &[]);
    let post = || api.request(Method::POST, "/echo", CONTENT);
    for (row, request) in [
        ("httpsig", api.httpsig(post())),
        ("pop", api.envelope(post())),
        ("hmac", api.hmac(post())),
        ("dpop", api.dpop(post(), |_| {})),
    ] {
        let copies = (0..50).map(|_| tokio::spawn(Answer::to(request.try_clone().unwrap())));
        let mut statuses = Vec::new();
        for copy in copies.collect::<Vec<_>>() {
            statuses.push(copy.await.unwrap().status);
        }
        statuses.sort_unstable();
        assert_eq!((statuses[0], &statuses[1..]), (200, &[401; 49][..]), "REPLAY-16 {row}");
    }
}

/// REPLAY-16, X-10: the other valid signature of ECDSA, n - s, makes no other request, with a nonce of the server or without.
#[tokio::test(flavor = "multi_thread")]
async fn a_malleable_signature_does_not_make_another_request() {
    let api = Api::start("twins", ALL, &[]);
    let get = || api.request(Method::GET, "/whoami", "");
    let good = [api.httpsig(get()), api.envelope(get())];
    for (request, scheme, error) in
        good.iter().zip([("HTTPSig", "invalid_signature"), ("PoP", "invalid_proof")]).map(|(r, (s, e))| (r, s, e))
    {
        let twin = twin(request);
        Answer::to(twin.try_clone().unwrap()).await.accepted("X-10 the twin verifies");
        Answer::to(request.try_clone().unwrap()).await.rejected(401, scheme, error, "X-10 the original after it");
    }
    let with_nonces = Api::start("nonce-twins", "pop", &["--nonce", "required"]);
    let get = || with_nonces.request(Method::GET, "/whoami", "");
    let answer = Answer::to(with_nonces.envelope(get())).await;
    let nonce: &str = answer.challenges()[0].split('"').nth(1).unwrap().to_owned().leak();
    let token = with_nonces.token().bound_to_jwk(&with_nonces.key).mint();
    let request = with_nonces.envelope_with(get(), &token, |envelope| envelope.nonce(Some(nonce)));
    Answer::to(twin(&request)).await.accepted("the twin");
    Answer::to(request).await.rejected(401, "PoP", "invalid_proof", "REPLAY-16 the original after it");
}

/// The same request with the other signature.
fn twin(request: &Request) -> Request {
    let mut twin = request.try_clone().unwrap();
    if let Some(field) = request.headers().get("signature") {
        let value = field.to_str().unwrap().strip_prefix("sig1=:").unwrap().strip_suffix(':').unwrap();
        let value = encode_standard(other_signature(decode_standard(value).unwrap()));
        twin.headers_mut().insert("signature", format!("sig1=:{value}:").parse().unwrap());
    } else {
        let envelope = request.headers()[AUTHORIZATION].to_str().unwrap();
        let (signed, signature) = envelope.rsplit_once('.').unwrap();
        let signature = encode(other_signature(decode(signature).unwrap()));
        twin.headers_mut().insert(AUTHORIZATION, format!("{signed}.{signature}").parse().unwrap());
    }
    twin
}

/// Replaces `s` of an ES256 signature by n - s.
fn other_signature(mut signature: Vec<u8>) -> Vec<u8> {
    let order = decode("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE").unwrap();
    let mut borrow = 0;
    for (s, n) in signature[32..].iter_mut().zip(&order).rev() {
        let difference = i16::from(*n) - i16::from(*s) - borrow;
        borrow = i16::from(difference < 0);
        *s = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    signature
}

/// Writes the head of a request, with a length that it claims, and a part of the content.
async fn write(api: &Api, request: &Request, length: u64, content: &[u8]) -> TcpStream {
    let address = api.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut head = format!("POST {} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\n", request.url().path());
    for (name, value) in request.headers() {
        head.extend([name.as_str(), ": ", value.to_str().unwrap(), "\r\n"]);
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(content).await.unwrap();
    stream
}

async fn status(mut stream: TcpStream) -> String {
    let mut line = [0; 12];
    tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut line)).await.expect("no response").unwrap();
    String::from_utf8_lossy(&line[9..]).into_owned()
}

/// SIG-24: content that ends early leaves the proof unused. A length over the limit is 413 before a byte is read, and 401 for a
/// head that does not verify.
#[tokio::test(flavor = "multi_thread")]
async fn content_that_does_not_arrive_consumes_nothing() {
    let api = Api::start("parts", ALL, &[]);
    let post = || api.request(Method::POST, "/echo", CONTENT);
    for (row, request) in [("httpsig", api.httpsig(post())), ("pop", api.envelope(post())), ("hmac", api.hmac(post()))]
    {
        let (whole, length) = (content(&request), CONTENT.len() as u64);
        drop(write(&api, &request, length, &whole[..5]).await);
        assert_eq!(status(write(&api, &request, 10_000_000_000, b"").await).await, "413", "SIG-24 {row}");
        let mut forged = request.try_clone().unwrap();
        if row == "pop" {
            forged = twin(&forged);
            let field = forged.headers()[AUTHORIZATION].to_str().unwrap().replace("PoP ey", "PoP eX");
            forged.headers_mut().insert(AUTHORIZATION, field.parse().unwrap());
        } else {
            forged.headers_mut().insert("signature", "sig1=:AAAA:".parse().unwrap());
        }
        assert_eq!(status(write(&api, &forged, 10_000_000_000, b"").await).await, "401", "SIG-24 {row}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(status(write(&api, &request, length, whole).await).await, "200", "{row}: not consumed");
        assert_eq!(status(write(&api, &request, length, whole).await).await, "401", "{row}: consumed now");
    }
}
