//! The way out: proxies, and certificate authorities that only a network of its own knows. The names that are asked for lead nowhere
//! but through the proxies of these tests.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, PublicKeyData, SerialNumber,
    SignatureAlgorithm, SigningKey,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::support::{Run, Sandbox, built, cryptography};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS1jb25uZWN0b3ItdGVzdHM=";
const HOST: &str = "broadcast-staging.glow.trade";
const API: &str = "api.glow.test";
/// Of a network that is for examples (RFC 5737), for the kind of proxy whose clients look names up themselves.
const API_ADDRESS: &str = "192.0.2.7";

/// A key that signs for `rcgen`.
struct Key {
    pair: EcdsaKeyPair,
    pkcs8: Vec<u8>,
}

impl Key {
    fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pkcs8 = pkcs8.as_ref().to_vec();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8, &random).unwrap();
        Self { pair, pkcs8 }
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signed = self.pair.sign(&SystemRandom::new(), message);
        signed
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

/// A certificate of its own for `names`, and its key, as PEM: `{ "cert", "key" }`.
pub(crate) fn certificate(names: &[&str]) -> serde_json::Value {
    let key = Key::new();
    let certificate = numbered(1, names).self_signed(&key).unwrap();
    serde_json::json!({ "cert": pem("CERTIFICATE", certificate.der()), "key": pem("PRIVATE KEY", &key.pkcs8) })
}

fn numbered(number: u64, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.serial_number = Some(SerialNumber::from(number));
    params
}

fn pem(kind: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
}

/// A certificate authority, and servers that have a certificate of it.
struct Authority {
    folder: tempfile::TempDir,
    acceptor: TlsAcceptor,
}

impl Authority {
    fn new() -> Self {
        cryptography();
        let key = Key::new();
        let mut own = numbered(1, &[]);
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = own.self_signed(&key).unwrap();
        let server = numbered(2, &[HOST, API, API_ADDRESS]);
        let server = server
            .signed_by(&key, &Issuer::from_params(&own, &key))
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let text = pem("CERTIFICATE", authority.der());
        std::fs::write(folder.path().join("authority.pem"), text).unwrap();
        let secret = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.pkcs8.clone()));
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![server.der().clone()], secret)
            .unwrap();
        Self {
            folder,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// Serves what `plain` serves, with a certificate.
    async fn before(&self, plain: SocketAddr) -> SocketAddr {
        let acceptor = self.acceptor.clone();
        listen(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                // A client that does not trust it hangs up
                let Ok(mut client) = acceptor.accept(stream).await else {
                    return;
                };
                let mut server = TcpStream::connect(plain).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        })
        .await
    }
}

async fn listen<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// A sandbox that does not say that it is one: what is deployed there is reached as on the internet.
async fn discreet(api: SocketAddr) -> SocketAddr {
    listen(move |mut client: TcpStream| async move {
        let mut head = vec![0; 64 * 1024];
        let read = client.read(&mut head).await.unwrap_or_default();
        if head.starts_with(b"GET /client/v4/sandbox ") {
            let none = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = client.write_all(none).await;
            return;
        }
        let mut server = TcpStream::connect(api).await.unwrap();
        server.write_all(&head[..read]).await.unwrap();
        let _ = copy_bidirectional(&mut client, &mut server).await;
    })
    .await
}

/// What a proxy was asked for, once for each connection.
type Heard = Arc<Mutex<Vec<String>>>;

/// Where the names lead that a proxy is asked for.
#[derive(Clone, Copy)]
struct Names {
    api: SocketAddr,
    host: SocketAddr,
}

impl Names {
    async fn connect(self, name: &str) -> TcpStream {
        let to = match name {
            HOST => self.host,
            _ => self.api,
        };
        TcpStream::connect(to).await.unwrap()
    }
}

/// A proxy that understands `CONNECT` (RFC 9110, 9.3.6) and wants to know from whom.
async fn http_proxy(names: Names, heard: Heard) -> SocketAddr {
    listen(move |mut client: TcpStream| {
        let heard = Arc::clone(&heard);
        async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let credential = format!("Basic {}", STANDARD.encode("ann:opensesame"));
            if !head.contains(&credential) {
                let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
                let _ = client.write_all(refusal).await;
                return;
            }
            let to = head.strip_prefix("CONNECT ").unwrap();
            let to = to.split(' ').next().unwrap();
            heard.lock().unwrap().push(to.to_owned());
            let mut server = names.connect(to.trim_end_matches(":443")).await;
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let _ = copy_bidirectional(&mut client, &mut server).await;
        }
    })
    .await
}

/// A proxy that speaks SOCKS 5 (RFC 1928), with a user and a password (RFC 1929).
async fn socks_proxy(names: Names, heard: Heard) -> SocketAddr {
    listen(move |mut client: TcpStream| {
        let heard = Arc::clone(&heard);
        async move {
            let text = async |client: &mut TcpStream| {
                let mut text = vec![0; usize::from(client.read_u8().await.unwrap())];
                client.read_exact(&mut text).await.unwrap();
                String::from_utf8_lossy(&text).into_owned()
            };
            assert_eq!(client.read_u8().await.unwrap(), 5);
            text(&mut client).await;
            client.write_all(&[5, 2]).await.unwrap();
            assert_eq!(client.read_u8().await.unwrap(), 1);
            assert_eq!(text(&mut client).await, "ann");
            assert_eq!(text(&mut client).await, "opensesame");
            client.write_all(&[1, 0]).await.unwrap();
            let mut request = [0; 4];
            client.read_exact(&mut request).await.unwrap();
            let name = match request {
                [5, 1, 0, 3] => text(&mut client).await,
                [5, 1, 0, 1] => {
                    let address = client.read_u32().await.unwrap();
                    std::net::Ipv4Addr::from_bits(address).to_string()
                }
                other => panic!("{other:?}"),
            };
            let port = client.read_u16().await.unwrap();
            heard.lock().unwrap().push(format!("{name}:{port}"));
            let mut server = names.connect(&name).await;
            let done = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            client.write_all(&done).await.unwrap();
            let _ = copy_bidirectional(&mut client, &mut server).await;
        }
    })
    .await
}

/// A port at which nobody listens.
fn dead() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// A run in a network of its own: nothing of the machine's proxies and roots is left.
fn run<'a>(args: impl IntoIterator<Item = &'a str>) -> Run {
    let mut run = Run::new(args);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        run = run.without(name).without(&name.to_ascii_lowercase());
    }
    run.without("SSL_CERT_DIR")
        .env("CLOUDFLARE_API_TOKEN", "token")
        .env("CLOUDFLARE_ACCOUNT_ID", "acc0acc0acc0acc0acc0acc0acc0acc0")
        .env("WEBHOOK_SECRET", SECRET)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_with_a_proxy_and_an_authority_of_its_own_is_one_to_deploy_from() {
    built();
    let sandbox = Sandbox::start();
    let authority = Authority::new();
    let api = sandbox.api.trim_start_matches("http://");
    let api = api.trim_end_matches("/client/v4").parse().unwrap();
    let names = Names {
        api: authority.before(discreet(api).await).await,
        host: authority.before(sandbox.ingress).await,
    };
    let heard = Heard::default();
    let http = http_proxy(names, Arc::clone(&heard)).await;
    let socks = socks_proxy(names, Arc::clone(&heard)).await;
    let roots = authority.file();
    let there = |args: &[&str], api: &str| {
        run(args.iter().copied())
            .against(&sandbox)
            .env(
                "CLOUDFLARE_API_BASE_URL",
                &format!("https://{api}/client/v4"),
            )
            .env("SSL_CERT_FILE", roots.to_str().unwrap())
    };
    let asked = || {
        let heard = std::mem::take(&mut *heard.lock().unwrap());
        BTreeSet::from_iter(heard)
            .into_iter()
            .collect::<Vec<String>>()
    };
    let both = [format!("{API}:443"), format!("{HOST}:443")];

    // Sockets too: what was verified got one, and there is no other way to it
    let proxy = format!("http://ann:opensesame@{http}");
    let deployed = there(&["deploy", "staging"], API).env("HTTPS_PROXY", &proxy);
    let deployed = deployed.succeeds().stdout;
    assert!(
        deployed.contains("ok      an allowed origin gets a socket"),
        "{deployed}"
    );
    assert!(
        deployed.contains("ok      an authorised publish is received"),
        "{deployed}"
    );
    assert_eq!(asked(), both);

    let proxy = format!("socks5h://ann:opensesame@{socks}");
    let verified = there(&["verify", "staging"], API).env("ALL_PROXY", &proxy);
    let verified = verified.succeeds().stdout;
    assert!(
        verified.contains("ok      an authorised publish is received"),
        "{verified}"
    );
    assert_eq!(asked(), both);

    let proxy = format!("socks5://ann:opensesame@{socks}");
    let plan = there(&["plan", "staging"], API_ADDRESS).env("all_proxy", &proxy);
    assert_eq!(plan.succeeds().stdout, "staging: nothing to change\n");
    assert_eq!(asked(), [format!("{API_ADDRESS}:443")]);

    // Who trusts the public authorities only is told where to add one
    let stranger = there(&["verify", "staging"], API)
        .env("HTTPS_PROXY", &format!("http://ann:opensesame@{http}"))
        .without("SSL_CERT_FILE")
        .fails();
    assert_eq!(
        stranger.stderr,
        format!(
            "error: `GET /sandbox` in the account `{}` got no answer: invalid peer certificate: UnknownIssuer through the proxy `http://{http}` (`https://{API}/client/v4`)\nhelp: where the network has a certificate authority of its own, add it to the system's store or name its file in `SSL_CERT_FILE`\n",
            sandbox.account_id
        )
    );
}

#[test]
fn a_proxy_that_does_not_answer_is_named_without_its_password() {
    let dead = dead();
    let why = |scheme: &str, password: &str, no_proxy: &str| {
        run(["plan", "staging"])
            .env(
                "CLOUDFLARE_API_BASE_URL",
                &format!("https://{API}/client/v4"),
            )
            .env("HTTPS_PROXY", &format!("{scheme}://ann:{password}@{dead}"))
            .env("NO_PROXY", no_proxy)
            .fails()
            .stderr
    };
    for (scheme, password, cause) in [
        ("http", "opensesame", "Connection refused (os error 111)"),
        ("http", "open@sesame", "Connection refused (os error 111)"),
        (
            "socks5h",
            "opensesame",
            "SOCKS error: failed to create underlying connection",
        ),
    ] {
        assert_eq!(
            why(scheme, password, ""),
            format!(
                "error: `GET /sandbox` in the account `acc0acc0acc0acc0acc0acc0acc0acc0` got no answer: {cause} through the proxy `{scheme}://{dead}` (`https://{API}/client/v4`)\nhelp: look at the proxy: `HTTPS_PROXY` or `ALL_PROXY` names it, and `NO_PROXY` the hosts that are reached without\n"
            )
        );
    }
    let direct = why("http", "opensesame", "glow.test");
    assert!(!direct.contains("proxy"), "{direct}");
}

/// The first command of the README: it needs no network but for what it installs, which is installed here.
#[test]
fn a_sandbox_is_not_behind_the_networks_proxy() {
    built();
    let dead = dead();
    let mut deploy = run(["deploy", "staging", "--sandbox"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        let proxy = format!("socks5://ann:opensesame@{dead}");
        deploy = deploy.env(name, &proxy);
        deploy = deploy.env(&name.to_ascii_lowercase(), &proxy);
    }
    let deployed = deploy.succeeds().stdout;
    assert!(
        deployed.contains("ok      an allowed origin gets a socket"),
        "{deployed}"
    );
}
